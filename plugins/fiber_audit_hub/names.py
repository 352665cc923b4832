"""The end of a sentence about an unknown name, where there may be a thousand known ones."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

FEW = 12


def nearest(name: str, known: Iterable[str]) -> str:
    """Name the way out: a guess, and at most a dozen of the names there are.

    >>> nearest("layer5", ["layer1", "layer4", "fc"])
    "Did you mean 'layer4'? There are: fc, layer1, layer4."
    """
    names = sorted(known)
    close = get_close_matches(name, names, n=FEW)
    hint = f"Did you mean {close[0]!r}? " if close else ""
    shown = names if len(names) <= FEW else close or sorted(names, key=len)[:FEW]
    more = f" and {len(names) - len(shown)} more" if len(shown) < len(names) else ""
    return f"{hint}There are: {', '.join(shown) or 'none'}{more}."
