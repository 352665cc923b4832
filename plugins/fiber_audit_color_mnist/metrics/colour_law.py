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

import numpy as np
import torch
from torch import Tensor

from fiber_audit.context import Context
from fiber_audit.contracts import Axis, Better, Measurement, Metric
from fiber_audit.uncertainty import measured

from ..colouring import background_of, colour_cdf, sample_colours

BINS = 100
SIMULATIONS = 100


def counts_of(colours: Tensor) -> np.ndarray:
    """Histogram of colours in [0, 1], channel by channel: (..., n, c) -> (..., c, BINS) float64.

    >>> counts_of(torch.tensor([[0.005], [0.007], [1.0]])).nonzero()[1]
    array([ 0, 99])
    """
    bins = (colours.double() * BINS).floor().long().clamp(0, BINS - 1)
    by_channel = bins.transpose(-1, -2)
    empty = torch.zeros(*by_channel.shape[:-1], BINS, dtype=torch.float64)
    ones = torch.ones_like(by_channel, dtype=torch.float64)
    return np.asarray(empty.scatter_add(-1, by_channel, ones))


def law() -> np.ndarray:
    """Mass of the mixture in each bin: (BINS,) float64, sums to 1.

    >>> law().shape, round(float(law()[50:60].sum()), 4)
    ((100,), 0.2347)
    """
    edges = torch.linspace(0, 1, BINS + 1, dtype=torch.float64)
    return np.asarray(colour_cdf(edges).diff().clamp(min=0))


class ColourLaw(Metric):
    """Distance of the background colours of all draws, pooled, to their law.

    Statistics: mean (over channels; the headline), floor (what as many true samples give), excess
    (mean - floor), unguided (the prior's own draws). n counts draws. Uncertainty: whole queries
    are resampled, with centred intervals; for the floor, the simulations are.
    """

    axis: Axis = "consistency"
    better: Better = "lower"
    name: str

    @abstractmethod
    def distance(self, counts: np.ndarray, q: np.ndarray) -> float:
        """Counts (channels, BINS) and law (BINS,) -> mean over channels."""

    def measure(self, context: Context) -> list[Measurement]:
        """Pooled only: the law is that of many queries, not of one."""
        q, seed, n = law(), context.seed, len(context.draws.data)
        drawn = counts_of(context.grouped(background_of(context.draws.data)))
        free = counts_of(context.grouped(background_of(context.unguided)))
        generator = context.generator("colour floor")
        truth = (counts_of(sample_colours(n, generator)) for _ in range(SIMULATIONS))
        simulated = np.array([self.distance(counts, q) for counts in truth])
        floor = float(simulated.mean())

        def far(rows: np.ndarray) -> float:
            return self.distance(rows.sum(0), q)

        return [
            measured(self, self.name, "mean", drawn, far, seed=seed, n=n, centred=True),
            measured(self, self.name, "floor", simulated, seed=seed, n=n),
            measured(
                self,
                self.name,
                "excess",
                drawn,
                lambda rows: far(rows) - floor,
                seed=seed,
                n=n,
                centred=True,
            ),
            measured(self, self.name, "unguided", free, far, seed=seed, n=n, centred=True),
        ]
