"""Health: did guidance override the prior? The prior denoises what it believes in better.

    loss(x) = mean over noise levels of  |eps - E[eps | alpha x_0 + sigma eps]|^2 / d,   x_0 =
    encode(x)

It is the loss that the prior was trained by: 0 where every input is known beforehand, 1 where the
prior knows nothing of it, and beyond where it is misled. A bound of -log p is a weighted sum of it
over levels (Kingma et al., "Variational diffusion models", NeurIPS 2021), so that draws with a
larger loss than real inputs have are in places where the prior puts little mass.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fiber_audit.contracts import (
    Axis,
    Better,
    Block,
    Metric,
    Needs,
    NonNegative,
    Positive,
    Prior,
    Statistic,
)
from fiber_audit.measuring import Observations, measured, measured_ratio, per_query, undefined
from fiber_audit.sampling import at, over

from .by_content import noise_for
from .far_out import far_out

TIMES = 1000
"""Of the grid that noise levels are looked up on."""
MARGIN = 0.05
"""A difference in the loss too small to matter, as a share of what queries have."""


def time_of(prior: Prior, level: float) -> Tensor:
    """The time at which the noise is `level` times the signal, sigma / alpha, as near as can be."""
    times = torch.linspace(0, 1, TIMES + 1, dtype=torch.float64)[1:]
    ratios = prior.schedule.sigma(times) / prior.schedule.alpha(times).clamp(min=1e-9)
    return times[(ratios.log() - np.log(level)).abs().argmin()]


def denoising_losses(prior: Prior, data: Tensor, levels: tuple[float, ...]) -> Tensor:
    """The loss of the module at each level: (n, ...) data -> (n, levels) float64.

    The noise of a row comes from its content. Rows of a conditional prior are its own rows.
    """
    state = prior.encode(data)
    noise, losses = noise_for(data, "plausibility"), []
    for level in levels:
        t = time_of(prior, level)
        alpha, sigma = (
            over(f(at(t, state)), state) for f in (prior.schedule.alpha, prior.schedule.sigma)
        )
        eps = noise.normal(prior.state_shape).to(state)
        off = prior.predict(alpha * state + sigma * eps, at(t, state)).eps - eps
        losses.append(off.double().square().flatten(1).mean(1))
    return torch.stack(losses, dim=1)


class Plausibility(Metric):
    """`plausibility`: the prior's denoising loss of draws in units of that of queries.

    Statistics: mean (ratio of the means, 1 is as real, also per query), draws, queries and unguided
    (the losses themselves, in units of the noise), and level_0.5 and so on, the ratio at each noise
    level. n counts draws or inputs; uncertainty is over queries, which are left out of both. A draw
    beyond the far fence of the queries (see `far_out`) is suspected: no query is so implausible.

    Args:
        levels: Noise levels to denoise from, noise over signal: sigma / alpha.
        fence: See `far_out`.
    """

    axis: Axis = "health"
    better: Better = "lower"
    unit = "queries = 1"
    needs = Needs(parts=("draws", "unguided", "queries"), extractors=())

    def __init__(
        self, levels: tuple[Positive, ...] = (0.25, 0.5, 1.0, 2.0), fence: NonNegative = 3.0
    ) -> None:
        self.levels, self.fence = levels, fence

    def observe(self, block: Block) -> Mapping[str, Tensor]:
        """`losses`, (n, levels)."""
        rows = torch.arange(len(block.data)).split(block.batch_size)
        return {
            "losses": torch.cat(
                [
                    denoising_losses(block.prior.select(some), block.data[some], self.levels)
                    for some in rows
                ]
            )
        }

    def summarise(self, seen: Observations) -> list[Statistic]:
        """Pooled and per query."""
        draws, unguided, queries = self._losses(seen)
        if not queries.mean() > 0:
            return [undefined("mean", "the prior denoises queries without any loss: no scale")]
        seed = seen.seed
        found = [
            measured_ratio("mean", draws, queries, seed=seed, message=self._said(seen)),
            measured("draws", draws, seed=seed, unit="noise", scale="positive"),
            measured("queries", queries, seed=seed, unit="noise", scale="positive"),
            measured("unguided", unguided, seed=seed, unit="noise", scale="positive"),
        ]
        for i, level in enumerate(self.levels):
            above, below = (of("losses")[..., i] for of in (seen.draws, seen.queries))
            found.append(measured_ratio(f"level_{level:g}", above, below, seed=seed))
        return found + per_query(seen.ids, draws / queries.mean())

    def suspicious(self, seen: Observations) -> NDArray[np.bool_]:
        """(q, k) bool: far less plausible to the prior than queries are."""
        draws, _, queries = self._losses(seen)
        return far_out(draws, queries, MARGIN * float(queries.mean()), self.fence)

    def _losses(self, seen: Observations) -> tuple[NDArray[np.float64], ...]:
        """Of the draws, the unguided draws and the queries, mean over levels."""
        every = (of("losses") for of in (seen.draws, seen.unguided, seen.queries))
        return tuple(np.asarray(losses, dtype=np.float64).mean(axis=-1) for losses in every)

    def _said(self, seen: Observations) -> str:
        flags = self.suspicious(seen)
        count = int(flags.sum())
        if not count:
            return seen.told_lost
        return (
            f"{count} of {flags.size} draws are less plausible to the prior than any query should "
            f"be: guidance overrode it"
        )
