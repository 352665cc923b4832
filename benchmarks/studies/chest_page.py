"""Put the table of results into the page of the study.

Command   python benchmarks/studies/chest_page.py
Writes    docs/studies/situs-inversus.md, between the two comments that say so
"""

from __future__ import annotations

import csv
from pathlib import Path

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "benchmarks" / "results" / "study_chest.csv"
PAGE = ROOT / "docs" / "studies" / "situs-inversus.md"
BEGIN, END = "<!-- table: chest_page.py -->", "<!-- end -->"
COLUMNS = "prior sampler network queries usual_side expected judge_2 fiber_loss label_kept probe"
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


def line(row: dict[str, str]) -> str:
    """One row of the page's table."""

    def number(name: str, digits: int = 2) -> str:
        return f"{float(row[name]):.{digits}f}" if row.get(name) else ""

    cells = [
        row["prior"].removeprefix("chest-"),
        row["sampler"],
        NETWORKS.get(row["network"], row["network"]),
        row["queries"] if row["network"] else "",
        f"{number('usual')} [{number('low')}, {number('high')}]",
        number("expected"),
        number("usual_2"),
        number("loss", 3),
        number("label_kept"),
        number("probe"),
    ]
    return f"| {' | '.join(cells)} |"


def shown(row: dict[str, str]) -> bool:
    """Three trainings are shown together."""
    return row["network"] not in POOLED or row["seed"] == "all"


def main() -> None:
    """Rewrite what stands between the comments."""
    with TABLE.open(newline="") as file:
        rows = [line(row) for row in csv.DictReader(file) if shown(row)]
    before, _, rest = PAGE.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    names = [name.replace("_", " ") for name in COLUMNS.split()]
    rule = "|---" * len(names) + "|"
    head = f"| {' | '.join(names)} |"
    PAGE.write_text("\n".join([f"{before}{BEGIN}", head, rule, *rows, f"{END}{after}"]))


if __name__ == "__main__":
    main()
