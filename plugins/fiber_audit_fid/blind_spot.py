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

Noise. A Fréchet distance of n rows holds a bias, about c / n, the more the more features there
are; of U_B it is the share nu_B. If A hid nothing, one share rho of the prior's true
distance and one share beta of the noise would be seen by all,

    r_B = rho (1 - nu_B) + beta nu_B,    0 <= rho <= max(1, r_A),    0 <= beta <= 1

and r_A leaves a range of (rho, beta), hence of r_B. The interval is widened by that range, so a
network with more features cannot be taken for one that sees more.
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
SPLITS = 16
"""Random splits of the queries that the noise of a distance is averaged over."""
FEWEST = 8
"""Queries below which nothing is known of the noise, and there is no interval."""
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

    def noise(self, rng: np.random.Generator) -> float:
        """Nu, the share of U that two sets of one law would have at this n: 0 to 1.

        It is known at n / 4 and n / 2, from disjoint subsets of the queries, and carried on to n
        by the same factor: 1 / 2 for many rows, less of a fall where features outnumber rows.
        """
        halves, quarters = ([self._apart(rng, m) for _ in range(SPLITS)] for m in (2, 4))
        u = self.distances(np.arange(len(self.queries)))[1]
        return min(float(np.mean(halves)) ** 2 / max(float(np.mean(quarters)), TINY) / u, 1.0)

    def _apart(self, rng: np.random.Generator, count: int) -> float:
        """Mean distance of the queries' disjoint subsets, two by two."""
        n = len(self.queries) // count
        shuffled = rng.permutation(len(self.queries))
        parts = [self.queries[shuffled[i * n : (i + 1) * n]] for i in range(count)]
        pairs = zip(parts[::2], parts[1::2], strict=True)
        return float(np.mean([frechet_distance(a, b) for a, b in pairs]))


@dataclass(frozen=True)
class Estimated:
    """A number with its standard error and 95 % interval.

    Without these below four queries, a score below eight.
    """

    value: float
    stderr: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None


@dataclass(frozen=True)
class BlindSpot:
    """The score, and the confidence that it is above 0 (a share; None below eight queries)."""

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


def seen_if_nothing_is_hidden(r: float, nu: float, nu_others: float) -> tuple[float, float]:
    """The least and the most that others may see, by the module's last equation; r lies between.

    r, nu: what the network itself sees, and the noise in its U; nu_others: that in theirs.

    >>> seen_if_nothing_is_hidden(0.25, 0.5, 0.5)  # as noisy: the same
    (0.25, 0.25)
    >>> least, most = seen_if_nothing_is_hidden(0.25, 0.0, 0.6)  # a quarter, with or without noise
    >>> round(least, 3), round(most, 3)
    (0.1, 0.7)
    """
    highest = max(1.0, r)
    least_beta = max(0.0, r - highest * (1 - nu)) / nu if nu else 0.0
    most_beta = min(1.0, r / nu) if nu else 1.0

    def seen(beta: float) -> float:
        rho = (r - beta * nu) / (1 - nu) if nu < 1 else highest
        return rho * (1 - nu_others) + beta * nu_others

    ends = r, seen(least_beta), seen(most_beta)
    return min(ends), max(ends)


def blind_spot(own: View, others: Sequence[View], rng: np.random.Generator) -> BlindSpot:
    """The score of one network beside others, all on the same queries and draws."""
    if not others:
        raise UsageError("a blind spot needs another network to look with: name one.")

    def log_hidden(rows: Array) -> float:
        return math.log(own.ratio(rows) / np.mean([other.ratio(rows) for other in others]))

    n = len(own.queries)
    rows, seed = np.arange(n), int(rng.integers(2**63))  # all jackknives delete the same rows
    seen, beside = own.ratio(rows), float(np.mean([other.ratio(rows) for other in others]))
    score = 1 - seen / beside
    error = jackknife(log_hidden, n, np.random.default_rng(seed), GROUPS)
    if error is None or n < FEWEST:
        return BlindSpot(Estimated(score), None, seen, beside)
    nu, *nus = (view.noise(np.random.default_rng(seed)) for view in (own, *others))
    least, most = seen_if_nothing_is_hidden(seen, nu, float(np.mean(nus)))
    interval = 1 - math.exp(error.ci_high) * most / seen, 1 - math.exp(error.ci_low) * least / seen
    estimated = Estimated(score, (1 - score) * error.stderr, *interval)
    t = math.log(beside / most) / error.stderr if error.stderr else math.copysign(math.inf, score)
    confidence = float(stats.t.cdf(t, min(GROUPS, n) - 1)) if score else 0.5
    return BlindSpot(estimated, confidence, seen, beside)
