"""What README and docs say was measured is in the tables of the benchmarks."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from docs_site.numbers import (
    CONSTANTS,
    Number,
    cited,
    claims,
    complaints,
    exempt,
    is_measured,
    mistaken,
)

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def name(page):
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_number_of_a_page_is_in_a_table_that_it_cites(page):
    assert complaints(page.read_text()) == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_numbers_that_are_in_no_table_have_a_reason_and_are_on_the_page(page):
    text = page.read_text()
    left = {n: reason for n, reason in exempt(text).items() if n not in CONSTANTS}

    assert all(left.values())
    for number in left:
        assert text.count(number) > 1, number


def test_a_digit_that_changes_is_found_out_most_of_the_time():
    made = found = 0
    for page in PAGES:
        text = page.read_text()
        tables = cited(text)
        for numbers, rows in claims(text):
            for i, number in enumerate(numbers[:2]):
                wrong = (*numbers[:i], mistaken(number), *numbers[i + 1 :])
                made += 1
                found += not is_measured(wrong, rows, tables)

    assert made > 300
    assert found / made > 2 / 3  # two digits alone are often in some row


def test_a_claim_without_a_table_is_a_complaint():
    assert complaints("It takes 0.37 of the time, 12 % less.") == ["0.37", "12 %"]
    assert complaints("<!-- not from a table: 0.37 (a guess) -->\nIt takes 0.37 of it.") == []
    assert Number("−0.5").value == -0.5


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.csv")), ids=lambda path: path.stem)
def test_a_cell_of_a_table_is_a_value_or_empty(path):
    with path.open(newline="") as file:
        cells = {cell.lower() for row in csv.reader(file) for cell in row}

    assert cells.isdisjoint({"<na>", "nan", "none", "inf", "-inf"})
