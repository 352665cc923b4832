"""Trackio: one Trackio run per suite, one step per audit run."""

from __future__ import annotations

import sys
from collections.abc import Sequence
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
    order are drawn in theirs. project: its name; empty is ``fiber-audit``.
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
        with redirect_stdout(sys.stderr):  # stdout is ours, for data
            trackio.init(
                project=self.project,
                name=about.suite,
                resume="allow",
                embed=False,
                auto_log_gpu=False,
                auto_log_cpu=False,
            )
            trackio.log(values, step=int(about.moment.timestamp()))
            trackio.finish()
        return [Path(trackio.TRACKIO_DIR) / f"{self.project}.db"]
