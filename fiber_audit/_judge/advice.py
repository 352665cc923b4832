"""Which sampler is cheapest at a wanted fidelity, and after how many draws training has paid.

    cost of n draws    training + n * per_draw, in seconds
    level              upper end of the interval of a sampler's fiber loss

A sampler reaches a loss where its level is no higher: by the value alone, one that was lucky would.
One is as good as another where its value is no higher than the other's level: the other may be so
far from the fiber, too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .interval import Interval, decide


@dataclass(frozen=True)
class Choice:
    """A sampler for one extractor and prior, with what it cost and reached.

    loss: its interval is infinite where too little was drawn to have one. training: seconds, once;
    0 where nothing is trained. per_draw: seconds of a draw that was not lost. consistency: metric
    -> number.
    """

    sampler: str
    loss: Interval
    training: float
    per_draw: float
    consistency: Mapping[str, float] = field(default_factory=dict)

    @property
    def level(self) -> float:
        """The loss that it surely keeps below."""
        return self.loss.high

    def total(self, draws: int) -> float:
        """Seconds of the training and of so many draws."""
        return self.training + draws * self.per_draw


@dataclass(frozen=True)
class Payback:
    """A trained sampler beside the cheapest training-free one that is as good.

    rival: None where there is none. after: the number of draws from which on the trained one is
    cheaper, or None where it never is.
    """

    sampler: str
    rival: str | None = None
    after: int | None = None


def reaching(choices: Iterable[Choice], loss: float) -> list[Choice]:
    """Those whose level is at most a loss."""
    return [each for each in choices if each.level <= loss]


def cheapest(choices: Iterable[Choice], draws: int) -> Choice | None:
    """The one with the least total; of equals the one nearer to the fiber."""
    return min(choices, key=lambda c: (c.total(draws), c.level), default=None)


def front(choices: Iterable[Choice], draws: int) -> list[Choice]:
    """Those that no other beats in both level and total, by rising total; none without a level."""
    best, found = math.inf, list[Choice]()
    for each in sorted(choices, key=lambda c: (c.total(draws), c.level)):
        if each.level < best:
            best = each.level
            found.append(each)
    return found


def paybacks(choices: Iterable[Choice], loss: float | None = None) -> list[Payback]:
    """Every trained sampler that reaches the loss, or that has a level, beside its rival.

    loss: what is good enough; None asks the rival to be as good as the trained one.
    """
    known = [each for each in choices if math.isfinite(each.level)]
    known = known if loss is None else reaching(known, loss)
    free, found = [each for each in known if not each.training], list[Payback]()
    for trained in (each for each in known if each.training):
        good = (c for c in free if loss is not None or c.loss.value <= trained.level)
        rival = cheapest(good, 1)
        if rival is None:
            found.append(Payback(trained.sampler))
        else:
            after = pays_after(trained, rival.per_draw)
            found.append(Payback(trained.sampler, rival.sampler, after))
    return found


def pays_after(trained: Choice, per_draw: float) -> int | None:
    """The least number of draws that do not cost more than without training; None: never.

    >>> pays_after(Choice("t", Interval(0.1, 0.1, 0.1), training=100, per_draw=1), per_draw=3)
    50
    """
    saved = per_draw - trained.per_draw
    draws = trained.training / saved if saved > 0 else math.inf
    return math.ceil(draws) if math.isfinite(draws) else None


def undecided(choices: Iterable[Choice], loss: float) -> list[tuple[Choice, int]]:
    """Those whose loss is small enough but not surely so, and the n that would decide it."""
    decisions = [(each, decide(each.loss, high=loss)) for each in choices]
    return [
        (each, decision.needed)
        for each, decision in decisions
        if decision.needed and each.loss.value <= loss
    ]
