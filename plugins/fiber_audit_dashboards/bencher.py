"""Bencher: one file of Bencher Metric Format, version 0 (https://bencher.dev/bmf.json)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from fiber_audit.contracts import Exporter

from .series import Point, points, strict_json

if TYPE_CHECKING:
    import pandas as pd

LONGEST = 64


@dataclass(frozen=True)
class Bencher(Exporter):
    """A benchmark is an audit, a measure is a metric and its statistic, with its 95 % interval.

    Measures are slugs of at most 64 characters; a longer one is cut and ends in a digest of its
    whole name, so that it stays stable and unique.
    """

    def export(self, records: pd.DataFrame, run: Path, out: Path) -> Sequence[Path]:
        """Write out/bencher.json."""
        found: dict[str, dict[str, dict[str, float]]] = {}
        for point in points(records):
            found.setdefault(point.audit, {})[slug(point)] = _metric(point)
        out.mkdir(parents=True, exist_ok=True)
        path = out / "bencher.json"
        path.write_text(strict_json(found), encoding="utf-8")
        return [path]


def slug(point: Point) -> str:
    """The measure of a point, for instance ``fiber-loss-rms-mean``."""
    name = f"{point.metric}.{point.statistic}"
    text = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if len(text) <= LONGEST:
        return text
    return f"{text[: LONGEST - 9]}-{blake2b(name.encode(), digest_size=4).hexdigest()}"


def _metric(point: Point) -> dict[str, float]:
    metric = {"value": point.value}
    if point.ci_low is not None and point.ci_high is not None:
        metric |= {"lower_value": point.ci_low, "upper_value": point.ci_high}
    return metric
