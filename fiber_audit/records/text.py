"""Text from outside: characters that some format cannot hold, and cells that a spreadsheet runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

UNHELD = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""Control characters but tab and line feed, lone surrogates, and what XML cannot hold."""
FORMULA = r"[=+\-@\t\r\n＝＋－＠]"
"""How a cell begins that some spreadsheet runs; full-width signs do so in some languages."""


def printable(text: str) -> str:
    r"""The text with every character that a terminal, XML or UTF-8 cannot hold spelt out.

    It becomes an escape as in Python, and line ends become line feeds. Other text stays as it is.

    >>> printable("\x1b[31mred\r\nbyte \udc80")
    '\\x1b[31mred\nbyte \\udc80'
    """
    plain = text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
    return UNHELD.sub(lambda found: ascii(found[0])[1:-1], plain)


def guarded(text: str) -> str:
    """Keep a spreadsheet from running a cell as a formula: prefix an apostrophe.

    A text that would read as a guarded one gets one more, so that `unguarded` is the exact inverse.

    >>> guarded("=HYPERLINK(1)"), guarded("'=1"), guarded("'quoted'")
    ("'=HYPERLINK(1)", "''=1", "'quoted'")
    """
    return f"'{text}" if re.match(f"'*{FORMULA}", text) else text


def unguarded(text: str) -> str:
    """The inverse of `guarded`.

    >>> unguarded("'=HYPERLINK(1)"), unguarded("''=1"), unguarded("'quoted'")
    ('=HYPERLINK(1)', "'=1", "'quoted'")
    """
    return text[1:] if re.match(f"'+{FORMULA}", text) else text


def each(change: Callable[[str], str], column: pd.Series[Any]) -> pd.Series[Any]:
    """A column of text with every distinct text changed, once; empty cells stay empty."""
    import pandas as pd

    codes, texts = pd.factorize(column)
    kept = texts.tolist()
    changed = [*map(change, kept)]
    if changed == kept:
        return column
    values = pd.array([*changed, None], dtype="string").take(codes)  # an empty cell has code -1
    return pd.Series(values, index=column.index)
