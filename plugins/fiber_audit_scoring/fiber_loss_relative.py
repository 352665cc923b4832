"""Fidelity on a scale of its own: 0 is on the fiber, 1 is as far as a random pair of inputs.

    loss      RMS feature distance of a draw to its target
    null      RMS feature distance of two different queries; its mean is the unit here

Feature distances mean nothing across networks until they are divided by such a null (Feather et
al., NeurIPS 2019, judge metamers of networks the same way).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fiber_audit.context import Context
from fiber_audit.contracts import Measurement, Metric
from fiber_audit.sampling import rms
from fiber_audit.uncertainty import measured, undefined

from .per_query import per_query


class FiberLossRelative(Metric):
    """`fiber_loss_relative`: the mean RMS loss over draws in units of the mean null.

    Statistics, pooled; uncertainty by bootstrap over queries; n counts draws, pairs or queries:

        mean, median         of the draws; the mean is the headline
        random_pairs         the unit itself, in features
        ceiling              the queries after a jitter of 1 % and 8 bits: no draw need be closer
        unguided             the prior's own draws: what ignoring the target gives
        reconstruction_gap   the queries through encode and decode, where the prior is lossy: if
                             the target is phi(query), no draw can be expected to be closer
    """

    axis, better, unit = "fidelity", "lower", "relative"

    def measure(self, context: Context) -> list[Measurement]:
        """The statistics above, and the mean of each query."""
        name, q = "fiber_loss_relative", len(context.queries)
        if q < 2:
            return [undefined(self, name, "mean", "one query has no random pairs; use two or more")]
        null = context.null.mean(1).numpy()
        if not null.mean() > 0:
            return [undefined(self, name, "mean", "all queries have the same features: no scale")]
        loss = context.fiber_loss.numpy()
        unguided = rms(context.unguided_features.double() - context.targets[:, None].double())

        def scaled(
            statistic: str,
            values: np.ndarray,
            centre: Callable[[np.ndarray], np.floating] = np.mean,
        ) -> Measurement:
            return measured(
                self,
                name,
                statistic,
                np.column_stack([values.reshape(q, -1), null]),
                lambda rows: float(centre(rows[:, :-1]) / rows[:, -1].mean()),
                seed=context.seed,
                n=values.size,
            )

        found = [
            scaled("mean", loss),
            scaled("median", loss, np.median),
            measured(
                self, name, "random_pairs", null, seed=context.seed, n=q * (q - 1), unit="feature"
            ),
            scaled("ceiling", context.ceiling.numpy()),
            scaled("unguided", unguided.numpy()),
        ]
        if not context.prior.lossless:
            found.append(scaled("reconstruction_gap", context.reconstruction_gap.numpy()))
        relative = loss.mean(1) / null.mean()
        return found + per_query(self, name, relative, context, n=context.per_query)
