"""Text from outside (names, messages, ids) before it is shown: nothing in it may act."""

from __future__ import annotations

import re

# control characters, line and paragraph separators, what turns the direction of writing, and
# halves of characters, which cannot be written at all
_ACTS = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def plain(text: object, keep: str = "") -> str:
    r"""Text with visible escapes for control characters, but for those to keep.

    A terminal would obey them: move the cursor, change colours, retitle its window.

    >>> print(plain("loss\x1b[31m\n"))
    loss\x1b[31m\n
    """
    return _ACTS.sub(lambda found: found[0] if found[0] in keep else _escape(found[0]), str(text))


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
