"""What the sampler itself says of its draws: how hard it pulled, what it refused."""

from __future__ import annotations

import numpy as np

from fiber_audit.contracts import Axis, Better, Metric, Needs, Statistic
from fiber_audit.measuring import Observations, measured, median, per_query, undefined

EVERYBODYS = "saturation"
"""Reported by the host's kit, whatever the sampler."""


class Diagnostics(Metric):
    """`diagnostics`: every number that the sampler reports of its draws, under its own name.

    Statistics, by the sampler's names (stretch, refused, damping, ess ...): the mean over draws,
    and with _median and _most behind the name their median and their largest; the README of the
    sampler says what they mean. mean is that of the first by name that only this sampler reports
    (its message says which), also per query. n counts draws; uncertainty is over queries, none for
    the largest.
    """

    axis: Axis = "health"
    better: Better = ""
    unit = "as reported"
    needs = Needs(parts=(), extractors=())

    def summarise(self, seen: Observations) -> list[Statistic]:
        """Each diagnostic, and one of them once more as the headline."""
        if not seen.reported:
            return [undefined("mean", "the sampler reports nothing of its draws")]
        names = sorted(seen.reported)
        first = next((name for name in names if name != EVERYBODYS), names[0])
        rows = {name: np.asarray(seen.reported[name], dtype=np.float64) for name in names}
        found = [measured("mean", rows[first], seed=seen.seed, message=f"this is {first}")]
        for name, each in rows.items():
            found += [
                measured(name, each, seed=seen.seed),
                measured(f"{name}_median", each, median, seed=seen.seed),
            ]
            if not np.isnan(each).all():
                most, n = float(np.nanmax(each)), int((~np.isnan(each)).sum())
                found.append(Statistic(most, f"{name}_most", n))
        return found + per_query(seen.ids, rows[first])
