"""Moment-matched guidance: Gauss-Newton on the fiber, in the metric of the prior's posterior."""

from __future__ import annotations

from typing import Literal

from fiber_audit import hookimpl
from fiber_audit.contracts import (
    Count,
    Factory,
    Fraction,
    NonNegativeInt,
    Positive,
    Sampler,
)


@hookimpl
def fiber_audit_samplers() -> dict[str, Factory]:
    """Offer `moment-matched`."""
    return {"moment-matched": _moment_matched}


def _moment_matched(
    *,
    strength: Fraction = 1.0,
    steps: Count = 20,
    power: Positive = 2.0,
    order: Literal[1, 2] = 2,
    eta: Fraction = 0.0,
    directions: Count = 8,
    linearisations: Count = 2,
    polish: NonNegativeInt = 8,
    tolerance: Positive = 0.03,
    damping: Positive = 0.01,
    guided_below: Positive | None = None,
) -> Sampler:
    from .moment_matched import MomentMatched

    return MomentMatched(
        strength=strength,
        steps=steps,
        power=power,
        order=order,
        eta=eta,
        directions=directions,
        linearisations=linearisations,
        polish=polish,
        tolerance=tolerance,
        damping=damping,
        guided_below=guided_below,
    )
