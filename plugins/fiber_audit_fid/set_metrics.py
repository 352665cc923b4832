"""Metrics of sets: Fréchet and kernel distances, precision and recall, density and coverage."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fiber_audit.contracts import Axis, Better, Count, Positive, Statistic
from fiber_audit.measuring import Observations

from .choices import Against
from .frechet import frechet_distance
from .kernel import gaussian_kernel_distance, kernel_distance
from .moments import Array
from .neighbours import density_coverage, precision_recall
from .sampling_error import extrapolate, rows_for_limit
from .set_metric import SetMetric
from .slots import Slots


class Frechet(SetMetric):
    """`frechet_distance`: in squared feature units, biased upwards by about 1 / n.

    Statistics: those of every set metric, and limit, the mean at infinite n.
    """

    axis: Axis = "consistency"
    better: Better = "lower"
    name, unit = "frechet_distance", "squared features"
    low = 0.0

    def score(self, draws: Array, real: Array) -> float:
        """FD of one slot."""
        return frechet_distance(draws, real)

    def more(self, seen: Observations, draws: Slots) -> Iterator[Statistic]:
        """The distance at infinite n, where there are queries enough to extrapolate from.

        From the queries that lost no draw, so that every slot of a subset has its size.
        """
        rows = draws.complete if len(draws.kept) else np.arange(0)
        n, d = len(rows), draws.real.shape[1]
        if n < (least := rows_for_limit(d)):
            yield self.undefined(
                "limit",
                f"{n} queries, {d} features: the extrapolation to infinite n needs {least}",
                n,
            )
            return

        def mean_over_slots(some: Array) -> float:
            return draws.mean(self.score, rows[some])

        found = extrapolate(mean_over_slots, n, seen.rng("limit"), points=6, repeats=2)
        error = found.error
        yield Statistic(
            found.limit,
            "limit",
            n,
            seen_by=self.extractor or None,
            stderr=error.stderr if error else None,
            ci_low=error.ci_low if error else None,
            ci_high=error.ci_high if error else None,
            message=f"the bias at this n is about {found.slope / n:.3g}",
        )


class Kernel(SetMetric):
    """`kernel_distance`: the kernel inception distance (KID), unbiased, maybe a little below 0."""

    axis: Axis = "consistency"
    better: Better = "lower"
    name = "kernel_distance"

    def score(self, draws: Array, real: Array) -> float:
        """KID of one slot; row i is the draw of query i, so pairs are left out."""
        return kernel_distance(draws, real, paired=True).mean


class GaussianKernel(SetMetric):
    """`gaussian_kernel_distance`: CMMD's biased Gaussian MMD^2 times 1000."""

    axis: Axis = "consistency"
    better: Better = "lower"
    name = "gaussian_kernel_distance"
    low = 0.0

    def __init__(
        self,
        *,
        extractor: str = "",
        against: Against = "queries",
        sigma: Positive | None = None,
    ) -> None:
        """sigma: bandwidth in feature units; None is the median distance among real rows."""
        super().__init__(extractor=extractor, against=against)
        self.sigma = sigma

    def score(self, draws: Array, real: Array) -> float:
        """MMD^2 of one slot."""
        return gaussian_kernel_distance(draws, real, self.sigma)


class _OfNeighbours(SetMetric):
    """What the four scores of neighbourhoods share; see `neighbours`."""

    better: Better = "higher"
    unit = "share"
    low, high = 0.0, 1.0

    def __init__(self, extractor: str, against: Against, neighbours: int) -> None:
        super().__init__(extractor=extractor, against=against)
        self.neighbours, self.smallest = neighbours, neighbours + 1


class Precision(_OfNeighbours):
    """`precision`: share of draws that lie among real rows."""

    axis: Axis = "consistency"
    name = "precision"

    def __init__(
        self, *, extractor: str = "", against: Against = "queries", neighbours: Count = 3
    ) -> None:
        """neighbours: the ball of a row reaches to its k-th nearest neighbour."""
        super().__init__(extractor, against, neighbours)

    def score(self, draws: Array, real: Array) -> float:
        """Precision of one slot."""
        return precision_recall(draws, real, self.neighbours)[0]


class Recall(_OfNeighbours):
    """`recall`: share of real rows that lie among draws."""

    axis: Axis = "diversity"
    name = "recall"

    def __init__(
        self, *, extractor: str = "", against: Against = "queries", neighbours: Count = 3
    ) -> None:
        """neighbours: the ball of a row reaches to its k-th nearest neighbour."""
        super().__init__(extractor, against, neighbours)

    def score(self, draws: Array, real: Array) -> float:
        """Recall of one slot."""
        return precision_recall(draws, real, self.neighbours)[1]


class Density(_OfNeighbours):
    """`density`: real balls that hold a draw, over k: 1 for the data's law, more where crowded."""

    axis: Axis = "consistency"
    name, unit, high = "density", "", np.inf

    def __init__(
        self, *, extractor: str = "", against: Against = "queries", neighbours: Count = 5
    ) -> None:
        """neighbours: the ball of a row reaches to its k-th nearest neighbour."""
        super().__init__(extractor, against, neighbours)

    def score(self, draws: Array, real: Array) -> float:
        """Density of one slot."""
        return density_coverage(draws, real, self.neighbours)[0]


class Coverage(_OfNeighbours):
    """`coverage`: share of real balls that hold a draw."""

    axis: Axis = "diversity"
    name = "coverage"

    def __init__(
        self, *, extractor: str = "", against: Against = "queries", neighbours: Count = 5
    ) -> None:
        """neighbours: the ball of a row reaches to its k-th nearest neighbour."""
        super().__init__(extractor, against, neighbours)

    def score(self, draws: Array, real: Array) -> float:
        """Coverage of one slot."""
        return density_coverage(draws, real, self.neighbours)[1]
