"""The colours of draws against their known law, as histograms of 100 bins on [0, 1] per channel.

Notation
    p    share of draws with a background in each bin, (channels, 100)
    q    mass of the benchmark's mixture in each bin, (100,), the same for every channel
    n    number of draws

Both distances to the law are biased: even n true samples are not at 0. Their mean distance is the
floor, simulated with the same n; a distance means something only beside its floor.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from fiber_audit.contracts import Axis, Better, Block, Metric, Needs, Statistic
from fiber_audit.measuring import Observations, measured, undefined

from ..colouring import background_of, colour_cdf, sample_colours

BINS = 100
SIMULATIONS = 100
Array = NDArray[np.float64]


def counts_of(colours: ArrayLike) -> Array:
    """Histogram of colours in [0, 1], channel by channel: (..., n, c) -> (..., c, BINS) float64.

    NaN is left out.

    >>> counts_of([[0.005], [0.007], [1.0], [np.nan]]).nonzero()[1]
    array([ 0, 99])
    """
    x = np.asarray(colours, dtype=np.float64)
    by_channel = np.moveaxis(x, -1, -2).reshape(-1, x.shape[-2])
    known = ~np.isnan(by_channel)
    bins = np.floor(by_channel[known] * BINS).astype(np.int64).clip(0, BINS - 1)
    places = np.nonzero(known)[0] * BINS + bins
    counts = np.bincount(places, minlength=len(by_channel) * BINS)
    return counts.reshape(*x.shape[:-2], x.shape[-1], BINS).astype(np.float64)


def law() -> Array:
    """Mass of the mixture in each bin: (BINS,) float64, sums to 1.

    >>> law().shape, round(float(law()[50:60].sum()), 4)
    ((100,), 0.2347)
    """
    edges = torch.linspace(0, 1, BINS + 1, dtype=torch.float64)
    return np.asarray(colour_cdf(edges).diff().clamp(min=0))


class ColourLaw(Metric):
    """Distance of the background colours of all draws, pooled, to their law.

    Statistics: mean (over channels; the headline), floor (what as many true samples give), excess
    (mean - floor), unguided (the prior's own draws). n counts draws. Uncertainty: a
    jackknife over queries; for the floor, over the simulations.
    """

    axis: Axis = "consistency"
    better: Better = "lower"
    needs = Needs(extractors=())

    @abstractmethod
    def distance(self, counts: Array, q: Array) -> float:
        """Counts (channels, BINS) and law (BINS,) -> mean over channels."""

    def observe(self, block: Block) -> Mapping[str, Tensor]:
        """`background`, (n, 3)."""
        return {"background": background_of(block.data)}

    def summarise(self, seen: Observations) -> list[Statistic]:
        """Pooled only: the law is that of many queries, not of one."""
        q = law()
        drawn, free = (_counted(c("background")) for c in (seen.draws, seen.unguided))
        n, unguided_n = (int(counts[:, 0].sum()) for counts in (drawn, free))
        if not n:
            return [undefined("mean", "all draws were lost: nothing is left to measure")]
        generator = seen.generator("colour floor")
        truth = (counts_of(sample_colours(n, generator).numpy()) for _ in range(SIMULATIONS))
        simulated = np.array([self.distance(counts, q) for counts in truth])
        floor = float(simulated.mean())

        mean = self._measured("mean", drawn, n, seen.seed)
        return [
            mean,
            measured("floor", simulated, seed=seen.seed, n=n),
            _above(floor, mean),
            self._measured("unguided", free, unguided_n, seen.seed),
        ]

    def _measured(self, name: str, counts: Array, n: int, seed: int) -> Statistic:
        q = law()
        return measured(
            name,
            counts,
            lambda total: self.distance(total, q),
            seed=seed,
            n=n,
            of_sums=True,
        )


def _above(floor: float, mean: Statistic) -> Statistic:
    """Statistic excess: the mean and its interval, less the floor."""
    ends = (mean.value, mean.ci_low, mean.ci_high)
    value, low, high = (None if end is None else end - floor for end in ends)
    return replace(mean, name="excess", value=value, ci_low=low, ci_high=high)


def _counted(colours: NDArray[np.generic]) -> Array:
    """Histograms (q, 3, BINS) of the queries that have any draw left."""
    counts = counts_of(colours)
    return counts[counts.sum((1, 2)) > 0]
