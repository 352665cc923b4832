"""Examples in docstrings are code: fenced, or Markdown takes `>>>` for a quotation."""

from __future__ import annotations

import re
from typing import Any

import griffe

EXAMPLE = re.compile(r"^( *)>>> .*(?:\n\1\S.*)*", re.MULTILINE)


def fenced(text: str) -> str:
    r"""A docstring with its examples between fences.

    >>> fenced("A.\n\n>>> 1 + 1\n2\n\nB.")
    'A.\n\n```pycon\n>>> 1 + 1\n2\n```\n\nB.'
    """

    def whole(found: re.Match[str]) -> str:
        indent = found[1]
        return f"{indent}```pycon\n{found[0]}\n{indent}```"

    return EXAMPLE.sub(whole, text)


class Doctests(griffe.Extension):
    """Applied to every docstring that the site shows."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Fence the examples of one docstring."""
        if obj.docstring is not None:
            obj.docstring.value = fenced(obj.docstring.value)
