"""What a run is to be held against: the suite's conditions, and the baselines that they name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .._suite.condition import LOST, Condition
from .._suite.suite import Suite
from .baseline import name_of, read_baselines

if TYPE_CHECKING:
    import pandas as pd


def asked(
    suite: Suite, baseline: Path | None = None, new_baseline: Path | None = None
) -> tuple[list[Condition], dict[str, pd.DataFrame]]:
    """The suite's conditions that can be judged, and the baselines by the names that they give.

    baseline: a records.csv for `beside`. new_baseline: the file that the run is to become; while
    there is none, conditions that name it say nothing.

    Raises:
        DataError: a baseline is missing or is no table of records.
    """
    kept = [c for c in suite.conditions if not _is_yet_to_be_written(c, suite, new_baseline)]
    return kept, read_baselines(kept, suite.folder, baseline)


def beside(records: pd.DataFrame, baseline: Path | None, tolerance: float) -> list[Condition]:
    """A condition for the headline of every metric that has a direction; none without baseline.

    There is none on lost draws: how many may be lost is not for a baseline to say.
    """
    if baseline is None:
        return []
    directed = records[records["better"].notna()]["metric"].dropna().unique()
    return [
        Condition(metric, baseline=name_of(baseline), tolerance=tolerance)
        for metric in map(str, directed)
        if metric != LOST
    ]


def _is_yet_to_be_written(condition: Condition, suite: Suite, new: Path | None) -> bool:
    if new is None or condition.baseline is None or new.exists():
        return False
    return (suite.folder / condition.baseline).resolve() == new.resolve()
