"""Trackio: one Trackio run per suite, one step per audit run."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from fiber_audit import UsageError
from fiber_audit.contracts import Exporter

from .run_facts import facts
from .series import readings

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Trackio(Exporter):
    """Logs into the local Trackio database (TRACKIO_DIR); it uploads nothing.

    The step is the start of the audit run in seconds since 1970, so that runs exported in any
    order are drawn in theirs. A run that is there already is not logged twice.

    project: its name.
    """

    elsewhere: ClassVar[bool] = True
    project: str = "fiber-audit"

    def export(self, records: pd.DataFrame, run: Path, out: Path) -> Sequence[Path]:
        """Log every series under its whole name; returns the database."""
        try:
            import trackio
        except ImportError as error:
            raise UsageError(f"--to trackio: {error}; try: pip install trackio") from error
        about = facts(records)
        values = {reading.name: reading.value for reading in readings(records)}
        step = int(about.moment.timestamp())
        database = Path(trackio.TRACKIO_DIR) / f"{self.project}.db"
        if _is_there(self.project, about.suite, step, values):
            return [database]
        with redirect_stdout(sys.stderr):  # stdout is ours, for data
            trackio.init(
                project=self.project,
                name=about.suite,
                resume="allow",
                embed=False,
                auto_log_gpu=False,
                auto_log_cpu=False,
            )
            trackio.log(values, step=step)
            trackio.finish()
        return [database]


def _is_there(project: str, name: str, step: int, values: Mapping[str, float]) -> bool:
    """True where the run has been exported before; Trackio itself would add it again."""
    try:
        from trackio.sqlite_storage import SQLiteStorage

        logs = SQLiteStorage.get_logs(project, name)
    except (ImportError, AttributeError, TypeError):  # a version that keeps its logs elsewhere
        return False
    return any(e.get("step") == step and values.items() <= e.items() for e in logs)
