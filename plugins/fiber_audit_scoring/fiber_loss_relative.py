"""Fidelity on a scale of its own: 0 is on the fiber, 1 is as far as a random pair of inputs.

    loss      RMS feature distance of a draw to its target
    null      RMS feature distance of two different queries; its mean is the unit here

Feature distances mean nothing across networks until they are divided by such a null (Feather et
al., NeurIPS 2019, judge metamers of networks the same way).
"""

from __future__ import annotations

import numpy as np

from fiber_audit.contracts import Statistic
from fiber_audit.measuring import (
    Observations,
    measured,
    measured_ratio,
    median,
    per_query,
    undefined,
)

from .feature_distance import FeatureDistance


class FiberLossRelative(FeatureDistance):
    """`fiber_loss_relative`: the mean RMS loss over draws in units of the mean null.

    Statistics, pooled; uncertainty by bootstrap over queries; n counts draws, pairs or queries:

        mean, median         of the draws; the mean is the headline
        random_pairs         the unit itself, in features
        ceiling              the queries after a jitter of 1 % and 8 bits: no draw need be closer
        unguided             the prior's own draws: what ignoring the target gives
        reconstruction_gap   the queries through encode and decode, where the prior is lossy: if
                             the target is phi(query), no draw can be expected to be closer

    The unit is that of all queries, also of those whose draws were lost.
    """

    unit = "relative"

    def summarise(self, seen: Observations) -> list[Statistic]:
        """The statistics above, and the mean of each query."""
        null, seed = seen.null, seen.seed
        if not null.size:
            return [undefined("mean", "one query has no random pairs; use two or more")]
        if not null.mean() > 0:
            return [undefined("mean", "all queries have the same features: no scale")]
        loss = seen.draws("distance")
        with_null = np.column_stack([loss, null.mean(axis=1)])
        found = [
            measured_ratio("mean", loss, null, seed=seed),
            measured(
                "median",
                with_null,
                lambda rows: median(rows[:, :-1]) / float(rows[:, -1].mean()),
                seed=seed,
                n=int((~np.isnan(loss)).sum()),
            ),
            measured("random_pairs", null, seed=seed, unit="feature"),
            measured_ratio("ceiling", seen.of("jittered", "distance"), null, seed=seed),
            measured_ratio("unguided", seen.unguided("distance"), null, seed=seed),
        ]
        if not seen.lossless:
            gap = seen.of("reconstructions", "distance")
            found.append(measured_ratio("reconstruction_gap", gap, null, seed=seed))
        return found + per_query(seen.ids, loss / null.mean())
