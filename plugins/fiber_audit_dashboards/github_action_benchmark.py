"""github-action-benchmark: two JSON files, because that action has one direction per file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fiber_audit.contracts import Exporter
from fiber_audit.records import write_atomically

from .folders import made
from .series import Reading, readings, strict_json

if TYPE_CHECKING:
    import pandas as pd

FILES = {"lower": "smaller_is_better.json", "higher": "bigger_is_better.json"}


@dataclass(frozen=True)
class GithubActionBenchmark(Exporter):
    """Files for its tools ``customSmallerIsBetter`` and ``customBiggerIsBetter``.

    A file that would be empty is not written: the action stops at an empty list. Its alerts are
    ratios, which zero and negative values break.

    positive_only: leave such values out, so that an alert always means what it says.
    """

    positive_only: bool = True

    def export(self, records: pd.DataFrame, run: Path, out: Path) -> Sequence[Path]:
        """Write out/smaller_is_better.json and out/bigger_is_better.json."""
        found, folder = readings(records), made(out)
        written = []
        for better, name in FILES.items():
            kept = [r for r in found if r.better == better]
            entries = [_entry(r) for r in kept if r.value > 0 or not self.positive_only]
            if entries:
                written.append(write_atomically(folder / name, strict_json(entries)))
            else:
                (folder / name).unlink(missing_ok=True)
        return written


def _entry(reading: Reading) -> dict[str, str | float]:
    entry: dict[str, str | float] = {
        "name": reading.name,
        "unit": reading.unit or "1",
        "value": reading.value,
    }
    if reading.n is not None:
        entry["extra"] = f"n = {reading.n}"
    if reading.stderr is not None:
        entry["range"] = f"± {reading.stderr:.3g}"
    return entry
