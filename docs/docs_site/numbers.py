"""Numbers that a page claims to have measured, held against the tables of the benchmarks.

A page cites a table by a link to it, by its name in the text, or by a comment; what was measured in
training, by the path of the manifest.json beside the weights. Every decimal number and every
percentage in its prose must then be in one of the tables that it cites, at the precision printed,
as a share or in percent; a value with its interval, `v [low, high]`, in one row; a line of the
page's tables in two rows, or in as many as a comment says. What was not measured stands in a
comment with its reason:

    <!-- from x.csv -->
    <!-- a line of a table is of 4 rows -->
    <!-- not from a table: 0.05 (the default); 3.2 (a ratio of two rows) -->
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from .markdown import prose

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
NUMBER = r"(?<![\w.,])[−-]?(?:\d*\.\d+(?: ?%)?|\d+ ?%)"
INTERVAL = re.compile(rf"({NUMBER}) \[({NUMBER}|[−-]?\d+), ({NUMBER}|[−-]?\d+)\]")
CITED = re.compile(r"\w+\.csv|plugins/[\w/-]+/manifest\.json")
EXEMPT = re.compile(r"<!-- not from a table: (.*?) -->", re.DOTALL)
LINES = re.compile(r"<!-- a line of a table is of (\d+) rows? -->")
ROWS = 2
CONSTANTS = {"95 %": "of every interval", "0 %": "the ends of a share", "100 %": "the same"}
Rows = tuple[tuple[float, ...], ...]


class Number(NamedTuple):
    """A number as it is printed."""

    text: str

    @property
    def value(self) -> float:
        """What it is."""
        return float(self.text.replace("−", "-").rstrip(" %"))

    def is_of(self, value: float) -> bool:
        """Whether the value, or its percentage, is printed like this.

        >>> Number("12 %").is_of(0.1234), Number(".12").is_of(0.1234), Number("0.13").is_of(0.1234)
        (True, True, False)
        """
        decimals = len(self.text.rstrip(" %").partition(".")[2])
        near = 0.5 * 10.0**-decimals * (1 + 1e-9)
        return any(abs(each - self.value) <= near for each in (value, 100 * value))


@cache
def rows_of(name: str) -> Rows:
    """The numbers of each row of a table, or of a manifest, each alone."""
    if name.endswith(".json"):
        text = (ROOT / name).read_text()
        return tuple((float(found),) for found in re.findall(r": (-?\d*\.\d+)\b", text))
    with (RESULTS / name).open(newline="") as file:
        return tuple(
            tuple(float(cell) for cell in row if re.fullmatch(r"-?[\d.]+(e-?\d+)?", cell))
            for row in csv.reader(file)
        )


def cited(page: str) -> list[str]:
    """The tables that a page cites."""
    found = {*CITED.findall(page)}
    return sorted(n for n in found if (RESULTS / n).exists() or (ROOT / n).exists())


def exempt(page: str) -> dict[str, str]:
    """Number that is not measured -> why it stands there."""
    entries = (entry.strip() for told in EXEMPT.findall(page) for entry in told.split(";"))
    found = dict(CONSTANTS)
    for entry in entries:
        numbers, _, reason = entry.partition("(")
        found |= {each.strip(): reason.strip(" )") for each in numbers.split(",")}
    return found


def claims(page: str) -> Iterator[tuple[tuple[Number, ...], int]]:
    """(numbers, of how many rows at most): an interval, a line of a table, a number alone."""
    text, left_out, told = prose(page), exempt(page), LINES.search(page)
    many = int(told[1]) if told else ROWS
    for line in text.splitlines():
        for found in INTERVAL.finditer(line):
            yield tuple(map(Number, found.groups())), 1
        numbers = [Number(x) for x in re.findall(NUMBER, line) if x not in left_out]
        if numbers and line.lstrip().startswith("|"):
            yield tuple(numbers), many
        else:
            yield from (((number,), 1) for number in numbers)


def rows_needed(numbers: tuple[Number, ...], tables: list[str]) -> int | None:
    """How few rows of the tables have all of these numbers, greedily; None if none have one."""
    rest, count = {*numbers}, 0
    known = [row for name in tables for row in rows_of(name)]
    while rest:
        found = [{n for n in rest if any(n.is_of(value) for value in row)} for row in known]
        best = max(found, key=len, default=set[Number]())
        if not best:
            return None
        rest -= best
        count += 1
    return count


def is_measured(numbers: tuple[Number, ...], rows: int, tables: list[str]) -> bool:
    """Whether so few rows of the tables have all numbers of a claim."""
    needed = rows_needed(numbers, tables)
    return needed is not None and needed <= rows


def complaints(page: str) -> list[str]:
    """The claims that no table which the page cites bears out."""
    tables = cited(page)
    return [
        " ".join(number.text for number in numbers)
        for numbers, rows in claims(page)
        if not is_measured(numbers, rows, tables)
    ]


def mistaken(number: Number) -> Number:
    """The same with another last digit.

    >>> mistaken(Number("0.97 %"))
    Number(text='0.90 %')
    """
    return Number(re.sub(r"\d(?=\D*$)", lambda digit: str((int(digit[0]) + 3) % 10), number.text))
