"""github-action-benchmark: two JSON files, because that action has one direction per file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fiber_audit.contracts import Exporter

from .series import Point, points, strict_json

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
        out.mkdir(parents=True, exist_ok=True)
        written = []
        for better, name in FILES.items():
            kept = [p for p in points(records) if p.better == better]
            entries = [_entry(p) for p in kept if p.value > 0 or not self.positive_only]
            (out / name).unlink(missing_ok=True)
            if entries:
                (out / name).write_text(strict_json(entries), encoding="utf-8")
                written.append(out / name)
        return written


def _entry(point: Point) -> dict[str, str | float]:
    entry: dict[str, str | float] = {
        "name": point.name,
        "unit": point.unit or "1",
        "value": point.value,
        "extra": f"n = {point.n}",
    }
    if point.stderr is not None:
        entry["range"] = f"± {point.stderr:.3g}"
    return entry
