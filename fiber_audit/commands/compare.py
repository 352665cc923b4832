"""`fiber-audit compare`: did anything get worse?"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .._judge.interval import exit_code
from .._report.plain import plain
from .run import FailOn
from .shared import Json, say


class Allow(StrEnum):
    """What may differ between two runs that are compared."""

    N = "n"
    WEIGHTS = "weights"
    CONFIG = "config"


def compare(
    base: Annotated[Path, typer.Argument(help="run directory or records.csv")],
    new: Annotated[Path, typer.Argument(help="run directory or records.csv")],
    tolerance: Annotated[float, typer.Option(min=0, help="relative change for the worse")] = 0.05,
    allow: Annotated[list[Allow], typer.Option(help="what may differ between them")] = [],
    fail_on: Annotated[list[FailOn], typer.Option(help="results that make the exit code 1")] = [
        FailOn.FAIL
    ],
    html: Annotated[
        Path | None, typer.Option(help="also write a page with the draws of both runs")
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare two runs headline by headline, paired where their queries match."""
    from .._judge.baseline import read_baseline
    from .._judge.compare import compare as compare_records
    from .._judge.compare import table

    before, after = read_baseline(base), read_baseline(new)
    found = compare_records(before, after, tolerance, [choice.value for choice in allow])
    if as_json:
        typer.echo(table(found).to_json(orient="records", double_precision=15))
    else:
        for comparison in found:
            typer.echo(f"{comparison.status:>12}  {plain(comparison.message)}")
    if html is not None:
        from .._report import write_comparison

        say(f"the page: {write_comparison(base, new, found, html)}")
    worse = [c.audit for c in found if c.status == "fail"]
    if worse:
        say(f"worse than {base}: {', '.join(dict.fromkeys(worse))}.")
    raise typer.Exit(exit_code(found, [choice.value for choice in fail_on]))
