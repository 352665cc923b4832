"""Put the tables of results into the page of the study.

Command   python benchmarks/studies/texture_shape_page.py
Writes    docs/studies/texture-and-shape.md, between the comments that say so
"""

from __future__ import annotations

import csv
from pathlib import Path

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "studies" / "texture-and-shape.md"
END = "<!-- end -->"
NETWORKS = {
    "originals": "(the queries themselves)",
    "unguided": "(the prior alone)",
    "both-blurred": "both, blurred",
    "lite0": "EfficientNet-Lite0",
}
Row = dict[str, str]


def number(row: Row, name: str, digits: int = 2) -> str:
    """A cell, or nothing."""
    return f"{float(row[name]):.{digits}f}" if row.get(name) else ""


def interval(row: Row, name: str) -> str:
    """A value and its interval."""
    if not row.get(name):
        return ""
    ends = [number(row, f"{name}_{end}") for end in ("low", "high")]
    return f"{number(row, name)} [{ends[0]}, {ends[1]}]" if all(ends) else number(row, name)


def findings(row: Row) -> list[str]:
    """Cells of one network."""
    return [
        NETWORKS.get(row["network"], row["network"])
        + (", fresh queries" if row["queries"] == "1" else ""),
        row["features"].lstrip("_"),
        interval(row, "shape"),
        interval(row, "texture"),
        number(row, "acc_shape"),
        number(row, "acc_texture"),
        interval(row, "shape_share"),
        interval(row, "texture_share"),
        number(row, "loss", 3),
        " / ".join(part for name in ("shape", "texture") if (part := number(row, f"probe_{name}"))),
    ]


def quality(row: Row) -> list[str]:
    """Cells of one network that sees draws of the prior."""
    kept = ("distance", "real", "gaussian")
    ratios = [number(row, name) for name in ("ratio", "least", "most")]
    return [row["network"], *(number(row, name, 3) for name in kept), *ratios]


TABLES = {
    "study_texture_shape": (
        "network | features | shape varies | texture varies | has the query's shape | texture | "
        "shape of either | texture of either | fiber loss | probe: shape / texture",
        findings,
    ),
    "study_texture_shape_prior": (
        "seen by | draws | other real | Gaussian | ratio | least | most",
        quality,
    ),
}


def main() -> None:
    """Rewrite what stands between the comments."""
    text = PAGE.read_text()
    for name, (head, cells) in TABLES.items():
        begin = f"<!-- table: {name}.csv -->"
        with (RESULTS / f"{name}.csv").open(newline="") as file:
            rows = [f"| {' | '.join(cells(row))} |" for row in csv.DictReader(file)]
        before, _, rest = text.partition(begin)
        after = rest.partition(END)[2]
        rule = "|---" * (head.count("|") + 1) + "|"
        text = "\n".join([f"{before}{begin}", f"| {head} |", rule, *rows, f"{END}{after}"])
    PAGE.write_text(text)


if __name__ == "__main__":
    main()
