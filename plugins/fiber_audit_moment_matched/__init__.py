"""Moment-matched guidance: Gauss-Newton on the fiber, in the metric of the prior's posterior."""

from __future__ import annotations

from fiber_audit import hookimpl
from fiber_audit.contracts import Count, Factory, Fraction, NonNegative, Positive, Sampler


@hookimpl
def fiber_audit_samplers() -> dict[str, Factory]:
    """Offer `moment-matched`."""
    return {"moment-matched": _moment_matched}


def _moment_matched(
    *,
    steps: Count = 24,
    iterations: Count = 12,
    linearisations: Count = 2,
    polish: Count = 20,
    power: Positive = 1.5,
    order: Count = 2,
    eta: Fraction = 0.0,
    damping: NonNegative = 1e-2,
    tolerance: Positive = 0.003,
    strength: Fraction = 1.0,
) -> Sampler:
    from .moment_matched import MomentMatched

    return MomentMatched(
        steps=steps,
        iterations=iterations,
        linearisations=linearisations,
        polish=polish,
        power=power,
        order=order,
        eta=eta,
        damping=damping,
        tolerance=tolerance,
        strength=strength,
    )
