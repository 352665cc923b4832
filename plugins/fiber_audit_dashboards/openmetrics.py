"""OpenMetrics: a text file for Prometheus, through node_exporter's textfile collector."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fiber_audit.contracts import Exporter
from fiber_audit.records import printable, write_atomically

from .run_facts import facts
from .series import Reading, readings

if TYPE_CHECKING:
    import pandas as pd

GAUGES = {
    "value": "A measurement of an audit; its unit and better direction are labels.",
    "stderr": "Standard error of the measurement.",
    "ci_low": "Lower end of its 95 % interval.",
    "ci_high": "Upper end of its 95 % interval.",
    "n": "What the measurement rests on, queries or draws.",
}


@dataclass(frozen=True)
class OpenMetrics(Exporter):
    """Gauges labelled by suite, audit, metric, statistic and view; an absent value has no sample.

    The file carries no timestamps, which the textfile collector refuses: the start of the run is
    a gauge of its own.
    """

    def export(self, records: pd.DataFrame, run: Path, out: Path) -> Sequence[Path]:
        """Write out/fiber_audit.prom, atomically."""
        about = facts(records)
        start = int(about.moment.timestamp())
        lines = [
            *_gauges(about.suite, readings(records)),
            "# HELP fiber_audit_run_start_seconds When the run started, since 1970.",
            "# TYPE fiber_audit_run_start_seconds gauge",
            f"fiber_audit_run_start_seconds{{{_labels(suite=about.suite)}}} {start}",
            "# EOF",
        ]
        return [write_atomically(out / "fiber_audit.prom", "\n".join(lines) + "\n")]


def _gauges(suite: str, found: Sequence[Reading]) -> Iterator[str]:
    for field, help_ in GAUGES.items():
        name = f"fiber_audit_{field}"
        yield f"# HELP {name} {help_}"
        yield f"# TYPE {name} gauge"
        for reading in found:
            value = getattr(reading, field)
            if value is not None:
                labels = _labels(
                    suite=suite,
                    audit=reading.audit,
                    metric=reading.metric,
                    statistic=reading.statistic,
                    seen_by=reading.seen_by,
                    unit=reading.unit,
                    better=reading.better,
                )
                yield f"{name}{{{labels}}} {value!r}"


def _labels(**labels: str) -> str:
    return ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items() if text)


def _escaped(text: str) -> str:
    return printable(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
