"""Text from outside in GitHub's markdown and in its workflow commands: shown, never obeyed."""

from __future__ import annotations

import re

SIGNS = {sign: f"&#{ord(sign)};" for sign in "|`*[]~\\$!#@"} | {"&": "&amp;", "<": "&lt;"}
MARKUP = re.compile("[{}]|(?<!\\w)_|_(?!\\w)".format("".join(map(re.escape, SIGNS))))


def cell(text: str) -> str:
    """A text that stays inside its table cell and starts no markup.

    >>> cell("a|b <c> *d* e_f _g_")
    'a&#124;b &lt;c> &#42;d&#42; e_f &#95;g&#95;'
    """
    return MARKUP.sub(lambda found: SIGNS.get(found[0], "&#95;"), " ".join(text.split()))


def address(text: str) -> str:
    """An address inside the parentheses of a link.

    >>> address("https://ci/a (1).html")
    'https://ci/a%20%281%29.html'
    """
    return re.sub(r"[\s()<>\\\"'`]", lambda found: f"%{ord(found[0]):02X}", text)


def command(level: str, title: str, message: str) -> str:
    r"""One workflow command of GitHub Actions, as a line.

    >>> command("error", "a: b, c", "one\ntwo")
    '::error title=a%3A b%2C c::one%0Atwo\n'
    """
    shown = _escaped(title).replace(":", "%3A").replace(",", "%2C")
    return f"::{level} title={shown}::{_escaped(message)}\n"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
