"""What all metrics share that compare the set of draws with a set of real inputs in features.

Statistics: mean (over slots, see `slots`), and beside it

    unguided   the same for the prior's own draws
    floor      the same for fresh samples of the data set: what a perfect sampler gets at this n

n counts the queries whose draws are compared. Standard errors and intervals: jackknife over
queries, see `sampling_error`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from fiber_audit import DataError, UsageError
from fiber_audit.contracts import Metric, Needs, Statistic
from fiber_audit.measuring import Estimate, Observations, Scale, moved_by, told, undefined
from fiber_audit.sampling import derive_seed

from .choices import Against
from .moments import Array, matrix
from .sampling_error import GROUPS, deletions
from .slots import Slots, are_there


class SetMetric(Metric):
    """A distance or score of a set of draws (n, d) beside a set of real features (n, d)."""

    name: str
    """Part of the seeds of its jackknives."""
    smallest: int = 2
    """The least number of rows that the score is defined for."""
    low: float = -np.inf
    high: float = np.inf

    def __init__(self, *, extractor: str = "", against: Against = "queries") -> None:
        """extractor: a name of the suite or the catalogue; "" is the audited one.

        against: the queries themselves, or fresh samples of the data set.
        """
        self.extractor, self.against = extractor, against
        eye = (extractor,)
        self.needs = Needs(
            parts=(),
            extractors=(),
            whole={"draws": eye, "unguided": eye, "queries": eye, "fresh": eye},
        )

    @abstractmethod
    def score(self, draws: Array, real: Array) -> float:
        """The score of one slot."""

    def summarise(self, seen: Observations) -> Iterator[Statistic]:
        """Mean over slots, with unguided draws and the floor beside it."""
        queries = matrix(seen.features("queries", self.extractor), "features of the queries")
        if len(queries) < self.smallest:
            raise UsageError(f"{len(queries)} queries: give at least {self.smallest}.")
        fresh = None
        if seen.shows("fresh"):
            fresh = matrix(seen.features("fresh", self.extractor), "features of fresh samples")
        if self.against == "data" and fresh is None:
            raise DataError(
                "against = 'data': the data set knows no fresh samples; compare with the queries."
            )
        real = queries if self.against == "queries" or fresh is None else fresh
        draws = Slots(seen.features("draws", self.extractor), real, ~seen.lost, self.smallest)
        free = seen.features("unguided", self.extractor)
        yield self._statistic(seen, "mean", draws, seen.told_lost)
        yield self._statistic(seen, "unguided", Slots(free, real, are_there(free), self.smallest))
        if fresh is not None:
            other = fresh if self.against == "queries" else queries
            everywhere = np.ones((len(other), 1), dtype=bool)
            floor = Slots(other[:, None], real, everywhere, self.smallest)
            yield self._statistic(seen, "floor", floor)
        yield from self.more(seen, draws)

    def more(self, seen: Observations, draws: Slots) -> Iterator[Statistic]:
        """Further statistics of the draws."""
        yield from ()

    def undefined(self, name: str, message: str, n: int = 0) -> Statistic:
        """A statistic of this metric without a value, and why."""
        return undefined(name, message, n, seen_by=self.extractor or None)

    def _statistic(
        self, seen: Observations, name: str, slots: Slots, message: str = ""
    ) -> Statistic:
        if not len(slots.kept):
            return self.undefined(name, f"every slot has less than {self.smallest} draws left")
        n = len(slots.real)
        value = slots.mean(self.score, np.arange(n))
        found = Estimate(value, None, None, None, slots.n)
        if slots.fewest - -(-n // min(n, GROUPS)) >= self.smallest:  # a group is left out at a time
            # the same groups for every audit of a run, so that their differences are paired
            rng = np.random.default_rng(derive_seed(seen.seed, self.name, name))
            without = [slots.mean(self.score, rows) for rows in deletions(n, rng)]
            scale: Scale = "share" if (self.low, self.high) == (0, 1) else "linear"
            found = moved_by(value, np.array(without) - value, slots.n, scale)
        if found.ci_low is not None and found.ci_high is not None:
            ends = max(found.ci_low, self.low), min(found.ci_high, self.high)
            found = replace(found, ci_low=ends[0], ci_high=ends[1])
        return told(name, found, seen_by=self.extractor or None, message=message)
