"""Markdown, read and written: tables, cells, headings, what is code and what is prose."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

FENCE = re.compile(r"^( *)(```+|~~~+)(\w*).*$")


class Block(NamedTuple):
    """A fenced block: its language, its text, the line that it starts at, the comment above it."""

    language: str
    text: str
    line: int
    comment: str


def blocks(page: str) -> list[Block]:
    r"""All fenced blocks of a page; the comment is that of the nearest line above, if it is one.

    >>> [*blocks("<!-- not run: no -->\n```sh\nls\n```")]
    [Block(language='sh', text='ls\n', line=2, comment='not run: no')]
    """
    found, above, lines = list[Block](), "", iter(enumerate(page.splitlines(), 1))
    for number, line in lines:
        if opened := FENCE.match(line):
            indent, fence, language = opened.groups()
            inside = list[str]()
            for _, text in lines:
                if text.strip() == fence:
                    break
                inside.append(text.removeprefix(indent) + "\n")
            found.append(Block(language, "".join(inside), number, above))
            above = ""
        elif line.strip():
            told = re.fullmatch(r"<!-- (.*) -->", line.strip())
            above = told[1] if told else ""
    return found


def prose(page: str) -> str:
    """A page without its code, comments, addresses and digits in names; lines stay where they are.

    >>> prose("see `1.5` and [x](a/2.5.md) 3.5 <!-- 4.5 -->").split()
    ['see', 'and', 'x', '3.5']
    """

    def blank(found: re.Match[str]) -> str:
        return "\n" * found[0].count("\n")

    page = re.sub(r"^( *)(```+).*?^\1\2\s*$", blank, page, flags=re.DOTALL | re.MULTILINE)
    page = re.sub(r"^    .*$", "", page, flags=re.MULTILINE)
    page = re.sub(r"<!--.*?-->", blank, page, flags=re.DOTALL)
    page = re.sub(r"`[^`]*`", blank, page)
    page = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", page)
    return re.sub(r"https?://\S+|arXiv [\d.]+|(Python|version) [\d.]+", "", page)


def cells(line: str) -> list[str]:
    r"""The cells of a row of a table.

    >>> cells(r"| `a` | 1 \| 2 |")
    ['`a`', '1 \\| 2']
    """
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]


def option_tables(page: str) -> Iterator[tuple[str, list[str], list[list[str]]]]:
    """(heading above, columns, rows) of every table whose first column is `option`."""
    heading, columns, rows = "", list[str](), list[list[str]]()
    for line in [*page.splitlines(), ""]:
        if line.startswith("#"):
            heading = line
        if columns and line.startswith("|"):
            rows.append(cells(line))
        elif columns:
            yield heading, columns, rows[1:]  # below the rule
            columns, rows = [], []
        elif line.startswith("| option | ") and ("default" in line or "`" in line):
            columns = cells(line)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; bars in cells are escaped."""
    lines = [columns, ["---"] * len(columns), *rows]
    texts = [[re.sub(r"(?<!\\)\|", r"\\|", cell).replace("\n", " ") for cell in x] for x in lines]
    return "".join(f"| {' | '.join(text)} |\n" for text in texts)
