"""`fiber-audit compare`: did anything get worse?"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

import click

from .._judge.interval import FailOn, exit_code
from .._report.plain import plain
from .parameters import Finite, argument, with_json
from .shared import say

Allow = Literal["n", "weights", "config"]
"""What may differ between two runs that are compared."""


@click.command()
@argument("base", type=Path, help="run directory or records.csv")
@argument("new", type=Path, help="run directory or records.csv")
@click.option("--tolerance", type=Finite(0), default=0.05, help="relative change for the worse")
@click.option(
    "--allow",
    type=click.Choice(get_args(Allow)),
    multiple=True,
    help="what may differ between them",
)
@click.option(
    "--fail-on",
    type=click.Choice(get_args(FailOn)),
    multiple=True,
    default=["fail"],
    help="results that make the exit code 1",
)
@click.option("--html", type=Path, help="also write a page with the draws of both runs")
@with_json
def compare(
    base: Path,
    new: Path,
    tolerance: float,
    allow: tuple[Allow, ...],
    fail_on: tuple[FailOn, ...],
    html: Path | None,
    as_json: bool,
) -> int:
    """Compare two runs headline by headline, paired where their queries match."""
    from .._judge.baseline import read_baseline
    from .._judge.compare import compare as compare_records
    from .._judge.compare import table

    before, after = read_baseline(base), read_baseline(new)
    found = compare_records(before, after, tolerance, allow)
    if as_json:
        click.echo(table(found).to_json(orient="records", double_precision=15))
    else:
        for comparison in found:
            click.echo(f"{comparison.status:>12}  {plain(comparison.message)}")
    if html is not None:
        from .._report import write_comparison

        say(f"the page: {write_comparison(base, new, found, html)}")
    worse = [c.audit for c in found if c.status == "fail"]
    if worse:
        say(f"worse than {base}: {', '.join(dict.fromkeys(worse))}.")
    return exit_code(found, fail_on)
