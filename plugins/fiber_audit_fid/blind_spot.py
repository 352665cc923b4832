"""How much of a distance does a network hide from itself?

Draws guided by network A lie on A's fibers, so A itself sees them close to the queries. Other
networks may not. A metric built on A is then fooled, in a direction that A cannot see.

Notation, for a measuring network B
    D_B   Fréchet distance of the draws to the queries in features of B, mean over draw slots
    U_B   the same of the prior's own draws, which nothing guided
    r_B   D_B / U_B: what B still sees of the prior's distance; 1 is all of it

The ratio makes networks comparable, whose features have different units and sizes. The score of A

    s_A = 1 - r_A / mean of r_B over the other networks B

is the share of the distance seen by the others that A's own distance hides: 0 where A sees as much
as the others do, 1 where it sees nothing, negative where it sees more. Unguided draws score 0
exactly. Its interval comes from a jackknife of log(r_A / mean r_B) over queries: all distances of
one jackknife sample rest on the same queries, so what they share cancels. (A bootstrap repeats
rows, and a Fréchet distance takes repeated rows for a collapse.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from scipy import stats

from fiber_audit.errors import UsageError

from .frechet import frechet_distance
from .moments import Array
from .sampling_error import jackknife

GROUPS = 20
TINY = 1e-12
"""Least r: where a network sees nothing at all, logarithms stay finite."""

Verdict = Literal["hides", "hides nothing", "inconclusive"]


@dataclass(frozen=True, eq=False)
class View:
    """One network's features: queries (q, d), draws (q, k, d), unguided draws (q, k, d).

    Distances are kept: jackknives with generators of one seed ask for the same rows again.
    """

    name: str
    queries: Array
    draws: Array
    unguided: Array
    _known: dict[bytes, tuple[float, float]] = field(default_factory=dict, repr=False)

    def distances(self, rows: Array) -> tuple[float, float]:
        """(D, U) on some queries, given by their numbers."""
        key = rows.tobytes()
        if key not in self._known:
            self._known[key] = self._distances(rows)
        return self._known[key]

    def _distances(self, rows: Array) -> tuple[float, float]:
        wanted = self.queries[rows]

        def mean(sets: Array) -> float:
            slots = range(sets.shape[1])
            return float(np.mean([frechet_distance(sets[rows, j], wanted) for j in slots]))

        return mean(self.draws), mean(self.unguided)

    def ratio(self, rows: Array) -> float:
        """R = D / U on some queries."""
        d, u = self.distances(rows)
        if u == 0:
            raise UsageError(
                f"{self.name} sees no difference between the prior's own draws and the queries: "
                "leave it out of measured_by."
            )
        return max(d / u, TINY)


@dataclass(frozen=True)
class Estimated:
    """A number with its standard error and 95 % interval; None below four queries."""

    value: float
    stderr: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None


@dataclass(frozen=True)
class BlindSpot:
    """The score, and the confidence that it is above 0 (a share; None below four queries)."""

    score: Estimated
    confidence: float | None
    own: float
    others: float

    @property
    def verdict(self) -> Verdict:
        """Whether the 95 % interval leaves 0 out, and on which side."""
        low, high = self.score.ci_low, self.score.ci_high
        if low is None or high is None or low <= 0 < high:
            return "inconclusive"
        return "hides" if low > 0 else "hides nothing"

    def sentence(self, name: str) -> str:
        """The finding in words."""
        seen = f"{name} sees {self.own:.1%} of the unguided distance, the others {self.others:.1%}"
        if self.verdict == "hides" and self.confidence is not None:
            sure = f"{min(self.confidence, 0.999):.1%} sure"
            more = "more than " if self.confidence > 0.999 else ""
            return f"{seen}: it hides {self.score.value:.0%} ({more}{sure})"
        if self.verdict == "hides nothing":
            return f"{seen}: it hides nothing"
        return f"{seen}: inconclusive, add queries"


def relative_distance(view: View, rng: np.random.Generator) -> Estimated:
    """The r of one network, with an interval on the log scale."""

    def log_ratio(rows: Array) -> float:
        return math.log(view.ratio(rows))

    n = len(view.queries)
    value = view.ratio(np.arange(n))
    error = jackknife(log_ratio, n, rng, GROUPS)
    if error is None:
        return Estimated(value)
    return Estimated(value, value * error.stderr, math.exp(error.ci_low), math.exp(error.ci_high))


def blind_spot(own: View, others: Sequence[View], rng: np.random.Generator) -> BlindSpot:
    """The score of one network beside others, all on the same queries and draws."""
    if not others:
        raise UsageError("a blind spot needs another network to look with: name one.")

    def log_hidden(rows: Array) -> float:
        return math.log(own.ratio(rows) / np.mean([other.ratio(rows) for other in others]))

    n = len(own.queries)
    rows = np.arange(n)
    seen, beside = own.ratio(rows), float(np.mean([other.ratio(rows) for other in others]))
    score = 1 - seen / beside
    error = jackknife(log_hidden, n, rng, GROUPS)
    if error is None:
        return BlindSpot(Estimated(score), None, seen, beside)
    interval = 1 - math.exp(error.ci_high), 1 - math.exp(error.ci_low)
    estimated = Estimated(score, (1 - score) * error.stderr, *interval)
    t = -math.log(seen / beside) / error.stderr if error.stderr else math.copysign(math.inf, score)
    confidence = float(stats.t.cdf(t, min(GROUPS, n) - 1)) if score else 0.5
    return BlindSpot(estimated, confidence, seen, beside)
