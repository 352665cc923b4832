"""Put the tables of results into the page of the study.

Command   python benchmarks/studies/chest_page.py
Writes    docs/studies/situs-inversus.md, between the comments that say so
"""

from __future__ import annotations

import csv
from pathlib import Path

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "studies" / "situs-inversus.md"
END = "<!-- end -->"
TABLES = {
    "<!-- table: chest_page.py -->": (
        "study_chest.csv",
        "prior sampler network queries usual_side expected judge_2 fiber_loss label_kept probe",
    ),
    "<!-- table: chest_page.py, adults -->": (
        "study_chest_nih.csv",
        "sampler network usual_side expected judge_2 fiber_loss probe",
    ),
}
NETWORKS = {
    "": "none: the prior alone",
    "F": "F, trained with flips",
    "G": "G, its twin without",
    "F - G": "F minus G",
    "S": "S, blind by design",
    "supervised F": "classifier, flips",
    "supervised G": "classifier, no flips",
}
POOLED = ("F", "G", "F - G")


def line(row: dict[str, str], columns: list[str]) -> str:
    """One row of a table of the page."""

    def number(name: str, digits: int = 2) -> str:
        return f"{float(row[name]):.{digits}f}" if row.get(name) else ""

    cells = {
        "prior": row["prior"].removeprefix("chest-"),
        "sampler": row["sampler"],
        "network": NETWORKS.get(row["network"], row["network"]),
        "queries": row["queries"] if row["network"] else "",
        "usual_side": f"{number('usual', 3)} [{number('low', 3)}, {number('high', 3)}]",
        "expected": number("expected"),
        "judge_2": number("usual_2"),
        "fiber_loss": number("loss", 3),
        "label_kept": number("label_kept"),
        "probe": number("probe"),
    }
    return f"| {' | '.join(cells[name] for name in columns)} |"


def shown(row: dict[str, str]) -> bool:
    """Three trainings are shown together; what judges are worth is said in words."""
    if row["network"] in POOLED:
        return row["seed"] == "all"
    return bool(row["usual"])


def table(name: str, columns: list[str]) -> list[str]:
    """The lines of a table."""
    with (RESULTS / name).open(newline="") as file:
        rows = [line(row, columns) for row in csv.DictReader(file) if shown(row)]
    head = f"| {' | '.join(column.replace('_', ' ') for column in columns)} |"
    return [head, "|---" * len(columns) + "|", *rows]


def main() -> None:
    """Rewrite what stands between the comments."""
    page = PAGE.read_text()
    for begin, (name, columns) in TABLES.items():
        before, _, rest = page.partition(begin)
        after = rest.partition(END)[2]
        page = "\n".join([f"{before}{begin}", *table(name, columns.split()), f"{END}{after}"])
    PAGE.write_text(page)


if __name__ == "__main__":
    main()
