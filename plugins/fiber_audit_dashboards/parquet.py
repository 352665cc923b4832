"""Parquet: one typed file per run; a folder of them is the history."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fiber_audit.contracts import Exporter
from fiber_audit.records import write_atomically

from .run_facts import facts

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Parquet(Exporter):
    """For DuckDB, Spark, pandas: read ``out/*.parquet`` as one table.

    `started_at` is a timestamp in UTC; the other columns have the types of the records.
    """

    def export(self, records: pd.DataFrame, run: Path, out: Path) -> Sequence[Path]:
        """Write out/SUITE-START-IDENTITY.parquet."""
        import pandas as pd

        about = facts(records)
        start = pd.Timestamp(about.moment)
        table = records.assign(started_at=pd.array([start] * len(records)))
        suite = re.sub(r"\W+", "-", about.suite, flags=re.ASCII)[:64]
        path = out / f"{suite}-{start:%Y%m%dT%H%M%SZ}-{about.identity}.parquet"
        return [write_atomically(path, table.to_parquet(index=False))]
