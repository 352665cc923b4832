"""Bencher: one file of Bencher Metric Format, version 0 (https://bencher.dev/bmf.json)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fiber_audit.contracts import Exporter
from fiber_audit.records import write_atomically

from .names import distinct
from .series import Reading, readings, strict_json

if TYPE_CHECKING:
    import pandas as pd

LONGEST = 64
LONGEST_BENCHMARK = 1024


@dataclass(frozen=True)
class Bencher(Exporter):
    """A benchmark is an audit, a measure is a metric and its statistic, with its 95 % interval.

    Measures are slugs of at most 64 characters; one that is cut, or that two measures would share,
    ends in a digest of its whole name, so that it stays stable and unique. bencher.names.json says
    what a slug stands for.
    """

    def export(self, records: pd.DataFrame, run: Path, out: Path) -> Sequence[Path]:
        """Write out/bencher.json and out/bencher.names.json."""
        found = readings(records)
        measures = slugs(reading.measure + reading.mark for reading in found)
        audits = distinct({r.audit: r.audit for r in found}, longest=LONGEST_BENCHMARK)
        metrics: dict[str, dict[str, dict[str, float]]] = {}
        for reading in found:
            benchmark = metrics.setdefault(audits[reading.audit], {})
            benchmark[measures[reading.measure + reading.mark]] = _metric(reading)
        named = {slug: measure for measure, slug in measures.items()}
        return [
            write_atomically(out / "bencher.json", strict_json(metrics)),
            write_atomically(out / "bencher.names.json", strict_json(named)),
        ]


def slugs(measures: Iterable[str]) -> dict[str, str]:
    """Measure -> slug, for instance ``fiber_loss_rms.mean`` -> ``fiber-loss-rms-mean``."""
    wanted = {m: re.sub(r"[^a-z0-9]+", "-", m.lower()).strip("-") for m in measures}
    return distinct(wanted, joint="-", longest=LONGEST)


def _metric(reading: Reading) -> dict[str, float]:
    metric = {"value": reading.value}
    if reading.ci_low is not None and reading.ci_high is not None:
        metric |= {"lower_value": reading.ci_low, "upper_value": reading.ci_high}
    return metric
