"""gamma(t), the strength of the guidance over time, from anchors joined by cosines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from fiber_audit import UsageError
from fiber_audit.contracts import held

HALF = 0.5
"""A plain number guides below this time only, as in the paper's Color MNIST runs (t < 500)."""

Anchor = tuple[float, float, float, float]


@dataclass(frozen=True)
class Strength:
    """Anchors (a, b, t_high, t_low): gamma goes from a at t_high to b at t_low; 1 = noise.

    The first anchor that holds t applies, both ends included, as in the authors' code.
    """

    anchors: tuple[Anchor, ...]

    @classmethod
    def of(cls, guidance: float | Sequence[Sequence[float]]) -> Strength:
        """A number (constant below t = 0.5), or anchors that cover [0, 1] without a gap.

        Raises:
            UsageError: a strength is negative or not finite, an anchor is malformed, or the
                anchors leave a gap.
        """
        if isinstance(guidance, int | float):
            g = float(guidance)
            if not 0 <= g < math.inf:
                raise UsageError(f"guidance = {g}: write a finite number >= 0, or anchors.")
            return cls(((0.0, 0.0, 1.0, HALF), (g, g, HALF, 0.0)))
        held("guidance", guidance, Sequence[object])
        anchors = tuple(_anchor(i, row) for i, row in enumerate(guidance))
        edge = 1.0
        for _, _, high, low in sorted(anchors, key=lambda a: -a[2]):
            if high < edge:
                raise UsageError(f"guidance: no anchor holds t from {high} to {edge}; add one.")
            edge = min(edge, low)
        if edge > 0:
            raise UsageError(f"guidance: no anchor holds t from 0 to {edge}; add one.")
        return cls(anchors)

    def __call__(self, t: float) -> float:
        """gamma(t) = b + (a - b) / 2 (1 + cos(pi (t_high - t) / (t_high - t_low))).

        >>> Strength.of([[0.0, 4.0, 1.0, 0.0]])(0.5)
        2.0
        """
        for a, b, high, low in self.anchors:
            if low <= t <= high:
                share = (high - t) / (high - low)
                return b + 0.5 * (a - b) * (1 + math.cos(math.pi * share))
        raise ValueError(f"t = {t}: times are in [0, 1]")


def _anchor(i: int, row: Sequence[float]) -> Anchor:
    try:
        a, b, high, low = (float(number) for number in row)
    except (TypeError, ValueError):
        fine = False
    else:
        fine = 0 <= a < math.inf and 0 <= b < math.inf and 0 <= low < high <= 1
    if not fine:
        raise UsageError(
            f"guidance[{i}] = {row!r}: write [from, to, t_high, t_low] with finite from, to >= 0 "
            f"and 1 >= t_high > t_low >= 0."
        )
    return a, b, high, low
