"""Metrics that compare the set of draws with a set of real inputs, in an extractor's features.

One draw slot holds one draw per query: as many draws as queries, whatever k. Every slot is
compared on its own and the mean over slots is reported, so that n is the number of queries
everywhere, as in arXiv 2603.21782, section 4.1. Beside the mean stand

    unguided   the same for the prior's own draws
    floor      the same for fresh samples of the data set: what a perfect sampler gets at this n
    limit      the mean at infinite n (Fréchet distance only)

Standard errors and intervals: jackknife over queries, see `sampling_error`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from fiber_audit.context import Context
from fiber_audit.contracts import Axis, Better, Measurement, Metric
from fiber_audit.errors import DataError, UsageError

from .choices import Against
from .frechet import frechet_distance
from .kernel import gaussian_kernel_distance, kernel_distance
from .moments import Array, matrix
from .neighbours import density_coverage, precision_recall
from .sampling_error import SamplingError, Statistic, extrapolate, jackknife, rows_for_limit


class SetMetric(Metric):
    """A distance or score of a set of draws (n, d) beside a set of real features (n, d)."""

    name: str
    smallest: int = 2
    """The least number of rows that the score is defined for."""
    low: float = -np.inf
    high: float = np.inf

    def __init__(self, extractor: str = "", against: Against = "queries") -> None:
        """extractor: a name of the suite or the catalogue; "" is the audited one.

        against: the queries themselves, or fresh samples of the data set.
        """
        self.extractor, self.against = extractor, against

    @property
    def label(self) -> str:
        """The metric of the rows: "frechet_distance", or "frechet_distance:NAME" by another eye."""
        return f"{self.name}:{self.extractor}" if self.extractor else self.name

    @abstractmethod
    def score(self, draws: Array, real: Array) -> float:
        """The score of one slot."""

    def measure(self, context: Context) -> Sequence[Measurement]:
        """Mean over slots, with unguided draws and the floor beside it."""
        seen = context.seen_by(self.extractor)
        queries = matrix(seen.queries)
        if len(queries) < self.smallest:
            raise UsageError(
                f"{self.name}: {len(queries)} queries; it needs at least {self.smallest}."
            )
        fresh = self._fresh(context)
        if self.against == "data" and fresh is None:
            raise DataError(
                f"{self.name}: against = 'data', but the data set knows no fresh samples; "
                "compare with the queries."
            )
        real = queries if self.against == "queries" or fresh is None else fresh
        draws, unguided = slots(seen.draws), slots(seen.unguided)
        found = [
            self._measurement(context, "mean", draws, real),
            self._measurement(context, "unguided", unguided, real),
        ]
        if fresh is not None:
            other = fresh if self.against == "queries" else queries
            found.append(self._measurement(context, "floor", other[:, None], real))
        return [*found, *self.more(context, draws, real)]

    def more(self, context: Context, draws: Array, real: Array) -> Sequence[Measurement]:
        """Further statistics of draws (q, k, d) beside real (q, d)."""
        return ()

    def _measurement(
        self, context: Context, statistic: str, draws: Array, real: Array
    ) -> Measurement:
        n = len(real)
        mean_over_slots = self._mean_over_slots(draws, real)
        value = mean_over_slots(np.arange(n))
        error = None
        if n - -(-n // min(n, 20)) >= self.smallest:  # the jackknife deletes a group at a time
            error = jackknife(mean_over_slots, n, rng(context, f"{self.name} {statistic}"))
        return Measurement(
            metric=self.label,
            statistic=statistic,
            value=value,
            n=n,
            unit=self.unit,
            axis=self.axis,
            better=self.better,
            stderr=error.stderr if error else None,
            ci_low=max(error.ci_low, self.low) if error else None,
            ci_high=min(error.ci_high, self.high) if error else None,
            message=f"in features of {self.extractor or context.extractor_name}",
        )

    def _mean_over_slots(self, draws: Array, real: Array) -> Statistic:
        def statistic(rows: Array) -> float:
            slots = range(draws.shape[1])
            return float(np.mean([self.score(draws[rows, j], real[rows]) for j in slots]))

        return statistic

    def _fresh(self, context: Context) -> Array | None:
        generator = context.generator("fresh samples of the data set")
        data = context.dataset.reference(len(context.queries), generator)
        name = self.extractor or context.extractor_name
        return None if data is None else matrix(context.features_by(name, data))


def slots(features: Tensor) -> Array:
    """Features of draws (q, k, d), in float64 and finite."""
    return matrix(features.flatten(0, 1)).reshape(features.shape)


def rng(context: Context, purpose: str) -> np.random.Generator:
    """A numpy generator of this audit, the same at every call with the same purpose."""
    return np.random.default_rng(context.generator(purpose).initial_seed())


class FrechetDistance(SetMetric):
    """Fréchet distance, in squared feature units, biased upwards by about 1 / n."""

    name, unit = "frechet_distance", "squared features"
    axis: Axis = "consistency"
    better: Better = "lower"
    low = 0.0

    def score(self, draws: Array, real: Array) -> float:
        """FD of one slot."""
        return frechet_distance(draws, real)

    def more(self, context: Context, draws: Array, real: Array) -> Sequence[Measurement]:
        """The distance at infinite n, where there are queries enough to extrapolate from."""
        n, d = real.shape
        if n < (least := rows_for_limit(d)):
            message = f"{n} queries, {d} features: the extrapolation to infinite n needs {least}"
            return [self._limit(n, None, None, message)]
        mean_over_slots = self._mean_over_slots(draws, real)
        found = extrapolate(mean_over_slots, n, rng(context, "limit"), points=6, repeats=2)
        message = f"the bias at this n is about {found.slope / n:.3g}"
        return [self._limit(n, found.limit, found.error, message)]

    def _limit(
        self, n: int, value: float | None, error: SamplingError | None, message: str
    ) -> Measurement:
        return Measurement(
            self.label,
            "limit",
            value,
            n,
            self.unit,
            self.axis,
            self.better,
            error.stderr if error else None,
            error.ci_low if error else None,
            error.ci_high if error else None,
            message=message,
        )


class KernelDistance(SetMetric):
    """Kernel inception distance (KID): unbiased, so it may be a little below 0."""

    name = "kernel_distance"
    axis: Axis = "consistency"
    better: Better = "lower"

    def score(self, draws: Array, real: Array) -> float:
        """KID of one slot; row i is the draw of query i, so pairs are left out."""
        return kernel_distance(draws, real, paired=True).mean


class GaussianKernelDistance(SetMetric):
    """CMMD's biased Gaussian MMD^2 times 1000."""

    name = "gaussian_kernel_distance"
    axis: Axis = "consistency"
    better: Better = "lower"
    low = 0.0

    def __init__(
        self, extractor: str = "", against: Against = "queries", sigma: float | None = None
    ) -> None:
        """sigma: bandwidth in feature units; None is the median distance among real rows."""
        super().__init__(extractor, against)
        self.sigma = sigma

    def score(self, draws: Array, real: Array) -> float:
        """MMD^2 of one slot."""
        return gaussian_kernel_distance(draws, real, self.sigma)


class NeighbourScore(SetMetric):
    """What the four scores of neighbourhoods share; see `neighbours`."""

    better: Better = "higher"
    low, high = 0.0, 1.0

    def __init__(
        self, extractor: str = "", against: Against = "queries", neighbours: int = 3
    ) -> None:
        """neighbours: the ball of a row reaches to its k-th nearest neighbour."""
        super().__init__(extractor, against)
        self.neighbours, self.smallest = neighbours, neighbours + 1


class Precision(NeighbourScore):
    """Share of draws that lie among real rows."""

    name, unit = "precision", "share"
    axis: Axis = "consistency"

    def score(self, draws: Array, real: Array) -> float:
        """Precision of one slot."""
        return precision_recall(draws, real, self.neighbours)[0]


class Recall(NeighbourScore):
    """Share of real rows that lie among draws."""

    name, unit = "recall", "share"
    axis: Axis = "diversity"

    def score(self, draws: Array, real: Array) -> float:
        """Recall of one slot."""
        return precision_recall(draws, real, self.neighbours)[1]


class Density(NeighbourScore):
    """How many real balls hold a draw, over k: 1 for the data's own law, more where draws crowd."""

    name, unit, high = "density", "", np.inf
    axis: Axis = "consistency"

    def score(self, draws: Array, real: Array) -> float:
        """Density of one slot."""
        return density_coverage(draws, real, self.neighbours)[0]


class Coverage(NeighbourScore):
    """Share of real balls that hold a draw."""

    name, unit = "coverage", "share"
    axis: Axis = "diversity"

    def score(self, draws: Array, real: Array) -> float:
        """Coverage of one slot."""
        return density_coverage(draws, real, self.neighbours)[1]
