"""Put the table of results into the page of the study.

Command   python benchmarks/studies/real_networks_page.py
Writes    docs/studies/real-networks.md, between the comments that say so
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "benchmarks" / "results" / "study_real_networks.csv"
PAGE = ROOT / "docs" / "studies" / "real-networks.md"
END = "<!-- end -->"
SCENES = ("photographs", "radiographs")
Row = dict[str, str]


def interval(row: Row, name: str) -> str:
    """A value and its interval."""
    value, low, high = (f"{float(row[name + end]):.3f}" for end in ("", "_low", "_high"))
    return f"{value} [{low}, {high}]"


def rows_of(scene: str) -> list[Row]:
    """The rows of a scene, without the columns that it has no number for."""
    with TABLE.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["scene"] == scene]
    return [{name: cell for name, cell in row.items() if cell} for row in rows]


def matrix(rows: list[Row]) -> Iterator[Sequence[str]]:
    """Guided by x measured by, and what became of the draws."""
    seen = [name for name in rows[0] if name.startswith("seen_") and f"{name}_low" in rows[0]]
    eyes = [name.removeprefix("seen_") for name in seen]
    yield [
        "sampler",
        "guided by",
        "queries",
        *(f"seen by {eye}" for eye in eyes),
        "fiber loss",
        "plausibility",
    ]
    for row in rows:
        told = [interval(row, name) for name in seen]
        told = [
            f"**{one}**" if eye == row["guided_by"] else one
            for eye, one in zip(eyes, told, strict=True)
        ]
        drawn = "loss" in row
        own = [f"{float(row['loss']):.3f}", interval(row, "plausibility")] if drawn else ["", ""]
        yield [row.get("sampler", ""), row["guided_by"], row["q"], *told, *own]


def attributes(rows: list[Row]) -> Iterator[Sequence[str]]:
    """The index by its two estimates."""
    drawn = [row for row in rows if "loss" in row]
    names = [name for name in drawn[0] if f"{name}_from_query" in drawn[0]]
    yield ["sampler", "guided by", *names]
    for row in drawn:
        told = [
            f"{float(row[name]):.3f} / {float(row[f'{name}_from_query']):.3f}" for name in names
        ]
        yield [row["sampler"], row["guided_by"], *told]


def main() -> None:
    """Rewrite what stands between the comments."""
    text = PAGE.read_text()
    for scene in SCENES:
        for kind, made in (("matrix", matrix), ("attributes", attributes)):
            head, *rows = made(rows_of(scene))
            lines = [f"| {' | '.join(row)} |" for row in (head, *rows)]
            lines.insert(1, "|---" * len(head) + "|")
            begin = f"<!-- table: {kind} {scene} -->"
            before, _, rest = text.partition(begin)
            after = rest.partition(END)[2]
            text = "\n".join([f"{before}{begin}", *lines, f"{END}{after}"])
    PAGE.write_text(text)


if __name__ == "__main__":
    main()
