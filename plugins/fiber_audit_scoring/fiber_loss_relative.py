"""Fidelity on a scale of its own: 0 is on the fiber, 1 is as far as a random pair of inputs.

    loss      RMS feature distance of a draw to its target
    null      RMS feature distance of two different queries; its mean is the unit here

Feature distances mean nothing across networks until they are divided by such a null (Feather et
al., NeurIPS 2019, judge metamers of networks the same way).
"""

from __future__ import annotations

from functools import partial

from fiber_audit.contracts import Statistic
from fiber_audit.measuring import (
    Observations,
    measured_pairs,
    measured_ratio,
    median,
    per_query,
    undefined,
)

from .feature_distance import FeatureDistance


class FiberLossRelative(FeatureDistance):
    """`fiber_loss_relative`: the mean RMS loss over draws in units of the mean null.

    Statistics, pooled; n counts draws, pairs or queries. Uncertainty: a jackknife that leaves each
    query out of its losses and of all its pairs, for the unit rests on the same queries.

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
        relative = partial(measured_ratio, below=null, pairs=True, seed=seed)
        found = [
            relative("mean", loss),
            relative("median", loss, compute=median),
            measured_pairs("random_pairs", null, seed=seed, unit="feature"),
            relative("ceiling", seen.of("jittered", "distance")),
            relative("unguided", seen.unguided("distance")),
        ]
        if not seen.lossless:
            found.append(relative("reconstruction_gap", seen.of("reconstructions", "distance")))
        return found + per_query(seen.ids, loss / null.mean())
