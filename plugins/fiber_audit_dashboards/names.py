"""Names of series in formats that allow fewer letters: no two series may share one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from hashlib import blake2b

DIGITS = 8


def distinct(
    wanted: Mapping[str, str],
    known: Mapping[str, str] | None = None,
    joint: str = "_",
    longest: int = 1024,
) -> dict[str, str]:
    """Series -> its name in a format.

    wanted: series -> how the format spells it. A spelling is the name where one series alone has
    it, in small letters or capitals; else, and where it is empty or has more than `longest`
    letters, it ends in a digest of the series. known: names of earlier runs, which stay.

    >>> distinct({"a/resnet-18": "a_resnet_18", "b": "b"})
    {'a/resnet-18': 'a_resnet_18', 'b': 'b'}
    >>> distinct({"resnet-18": "resnet_18", "resnet_18": "resnet_18"})
    {'resnet-18': 'resnet_18_d1898a65', 'resnet_18': 'resnet_18_0b1936d6'}
    """
    earlier = known or {}
    taken = {name.casefold() for name in earlier.values()}
    asked = Counter(text.casefold() for series, text in wanted.items() if series not in earlier)
    names = {}
    for series, text in wanted.items():
        free = asked[text.casefold()] == 1 and text.casefold() not in taken
        if series in earlier:
            names[series] = earlier[series]
        elif text and free and len(text) <= longest:
            names[series] = text
        else:
            stem = text[: longest - DIGITS - len(joint)]
            names[series] = f"{stem}{joint}{digest(series)}" if stem else digest(series)
    return names


def digest(text: str) -> str:
    """Eight digits that stand for a text."""
    return blake2b(text.encode("utf-8", "backslashreplace"), digest_size=DIGITS // 2).hexdigest()
