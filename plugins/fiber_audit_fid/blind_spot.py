"""How much of a distance does a network hide from itself?

Draws guided by network A lie on A's fibers, so A itself sees them close to the queries. Other
networks may not. A metric built on A is then fooled, in a direction that A cannot see.

The ratio r of `witness` makes networks comparable, whose features have different units and sizes.
The score of A

    s_A = 1 - r_A / mean of r_B over the other networks B

is the share of the distance seen by the others that A's own distance hides: 0 where A sees as much
as the others do, 1 where it sees nothing, negative where it sees more. It is a lower bound of that
share at infinitely many queries: at n of them every distance holds noise, which no fiber hides, so
that the score is too small, the more so the fewer queries (truth .875, 16 features: mean .13 / .24
/ .38 at n = 32 / 64 / 128). Unguided draws score 0 exactly. Its interval comes from a jackknife of
log(r_A / mean r_B) over queries: all distances of one jackknife sample rest on the same queries, so
what they share cancels. (A bootstrap repeats rows, and a Fréchet distance takes repeated rows for a
collapse.)

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
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from fiber_audit import UsageError
from fiber_audit.measuring import Estimate

from .sampling_error import spread
from .witness import Share

Finding = Literal["hides", "hides nothing", "inconclusive"]


@dataclass(frozen=True)
class Hidden:
    """The score, and the confidence that it is above 0 (a share; None below eight queries).

    own, others: what the network itself sees of the unguided distance, and the others' mean.
    """

    score: Estimate
    confidence: float | None
    own: float
    others: float

    @property
    def finding(self) -> Finding:
        """Whether the 95 % interval leaves 0 out, and on which side."""
        low, high = self.score.ci_low, self.score.ci_high
        if low is None or high is None or low <= 0 < high:
            return "inconclusive"
        return "hides" if low > 0 else "hides nothing"

    def sentence(self, name: str) -> str:
        """The finding in words."""
        seen = f"{name} sees {self.own:.1%} of the unguided distance, the others {self.others:.1%}"
        if self.finding == "hides" and self.confidence is not None:
            sure = f"{min(self.confidence, 0.999):.1%} sure"
            more = "more than " if self.confidence > 0.999 else ""
            return f"{seen}: it hides {self.score.value:.0%} ({more}{sure})"
        if self.finding == "hides nothing":
            return f"{seen}: it hides nothing"
        return f"{seen}: inconclusive, add queries"


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


def blind_spot(own: Share, others: Sequence[Share]) -> Hidden:
    """The score of one network beside others: shares of one seed, on the same queries and draws."""
    if not others:
        raise UsageError("a blind spot needs another network to look with: name one.")
    beside = float(np.mean([other.r for other in others]))
    score = 1 - own.r / beside
    logs = np.log(own.deleted / np.mean([other.deleted for other in others], axis=0))
    error = spread(math.log(own.r / beside), logs)
    noises = [other.noise for other in others if other.noise is not None]
    if error is None or own.noise is None:
        return Hidden(Estimate(score, None, None, None, own.n), None, own.r, beside)
    least, most = seen_if_nothing_is_hidden(own.r, own.noise, float(np.mean(noises)))
    interval = (
        1 - math.exp(error.ci_high) * most / own.r,
        1 - math.exp(error.ci_low) * least / own.r,
    )
    estimate = Estimate(score, (1 - score) * error.stderr, *interval, own.n)
    t = math.log(beside / most) / error.stderr if error.stderr else math.copysign(math.inf, score)
    confidence = float(stats.t.cdf(t, len(logs) - 1)) if score else 0.5
    return Hidden(estimate, confidence, own.r, beside)
