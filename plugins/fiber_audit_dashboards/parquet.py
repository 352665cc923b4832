"""Parquet: one typed file per run; a folder of them is the history."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fiber_audit.contracts import Exporter

from .series import facts

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Parquet(Exporter):
    """For DuckDB, Spark, pandas: read ``out/*.parquet`` as one table.

    `started_at` is a timestamp in UTC; the other columns have the types of the records.
    """

    def export(self, records: pd.DataFrame, run: Path, out: Path) -> Sequence[Path]:
        """Write out/RUN-START.parquet."""
        import pandas as pd

        about = facts(records)
        table = records.assign(started_at=pd.to_datetime(records["started_at"], utc=True))
        start = re.sub(r"\W", "", about.started_at)
        path = out / f"{about.run_id}-{start}.parquet"
        out.mkdir(parents=True, exist_ok=True)
        table.to_parquet(path, index=False)
        return [path]
