"""Advice for one extractor and prior: as a table and sentences for a person, as JSON for others."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from .._judge.advice import Choice, Payback, cheapest, front, paybacks, reaching, undecided


@dataclass(frozen=True)
class Pair:
    """An extractor and a prior with the samplers that were measured, and what is wanted of them.

    metric: what a loss is. draws: how many are wanted. loss: what is good enough; None: the front.
    """

    extractor: str
    prior: str
    choices: Sequence[Choice]
    metric: str
    draws: int
    loss: float | None = None

    @cached_property
    def marked(self) -> list[str]:
        """The cheapest sampler that reaches the loss, or those of the front."""
        if self.loss is None:
            return [each.sampler for each in front(self.choices, self.draws)]
        best = cheapest(reaching(self.choices, self.loss), self.draws)
        return [] if best is None else [best.sampler]

    def to_dict(self) -> Mapping[str, Any]:
        """All of it, as JSON holds it: a number that is not known is null."""
        return {
            "extractor": self.extractor,
            "prior": self.prior,
            "cheapest": self.marked[0] if self.marked and self.loss is not None else None,
            "front": self.marked if self.loss is None else None,
            "samplers": [
                {
                    "sampler": each.sampler,
                    "loss": each.loss.value,
                    "low": _finite(each.loss.low),
                    "high": _finite(each.loss.high),
                    "consistency": dict(each.consistency),
                    "training_seconds": each.training,
                    "seconds_per_draw": each.per_draw,
                    "total_seconds": each.total(self.draws),
                }
                for each in self.choices
            ],
            "paybacks": [asdict(each) for each in paybacks(self.choices, self.loss)],
        }

    def lines(self) -> Iterator[str]:
        """The table, cheapest first, and what it says."""
        yield f"{self.extractor}/{self.prior}: {self.draws:,} draws"
        names = list(dict.fromkeys(name for each in self.choices for name in each.consistency))
        heads = ["", "sampler", self.metric, *names, "training", "per draw", "total"]
        rows = [
            [
                "*" if each.sampler in self.marked else "",
                each.sampler,
                _interval(each),
                *(_number(each.consistency.get(name)) for name in names),
                _seconds(each.training) if each.training else "none",
                _seconds(each.per_draw),
                _seconds(each.total(self.draws)),
            ]
            for each in sorted(self.choices, key=lambda c: c.total(self.draws))
        ]
        widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
        for row in (heads, *rows):
            cells = (
                cell.ljust(width) if i < 3 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            yield "  ".join(cells).rstrip()
        yield from self.sentences()

    def sentences(self) -> Iterator[str]:
        """Which is cheapest, why none is, and what training pays."""
        if not self.choices:
            yield "no sampler has numbers here."
            return
        if self.loss is None:
            yield (
                f"* is the front: no other has a lower upper end of the interval of {self.metric} "
                f"for less in total."
            )
        else:
            yield from self._reached(self.loss)
        for each in self.choices:
            if not math.isfinite(each.level):
                yield f"{each.sampler} has no interval: what it reaches is not known."
        for payback in paybacks(self.choices, self.loss):
            yield self._paid(payback)

    def _reached(self, loss: float) -> Iterator[str]:
        wanted = f"{self.metric} is at most {loss:g} at the upper end of its interval"
        if self.marked:
            yield f"* is the cheapest whose {wanted}."
        else:
            near = min(self.choices, key=lambda c: (c.level, c.loss.value))
            yield f"there is no sampler whose {wanted}; {near.sampler} is nearest."
        for each, needed in undecided(self.choices, loss):
            yield f"{each.sampler} may reach it: n = {needed} queries would decide that."

    def _paid(self, payback: Payback) -> str:
        trained, rival = payback.sampler, payback.rival
        good = "as good" if self.loss is None else "good enough"
        if rival is None:
            return f"{trained}: no training-free sampler is {good}."
        beside = f"beside {rival}, the cheapest training-free one that is {good}"
        if payback.after is None:
            return f"{trained} never pays {beside}: a draw of it takes no less."
        return f"{trained} pays from {payback.after:,} draws on {beside}."


def _interval(choice: Choice) -> str:
    seen = choice.loss
    ends = f" ({seen.low:.3g} … {seen.high:.3g})" if math.isfinite(seen.high) else " (no interval)"
    return f"{seen.value:.3g}{ends}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _seconds(seconds: float) -> str:
    """Three digits, or whole seconds.

    >>> _seconds(0.012345), _seconds(12345.6)
    ('0.0123 s', '12,346 s')
    """
    return f"{seconds:,.0f} s" if seconds >= 100 else f"{seconds:.3g} s"
