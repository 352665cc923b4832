"""Fidelity, diversity and health of draws: metrics that any extractor and prior can have."""

from __future__ import annotations

from fiber_audit import hookimpl
from fiber_audit.contracts import Factory, Metric, NonNegative


@hookimpl
def fiber_audit_metrics() -> dict[str, Factory]:
    """Offer the fiber loss in three units, diversity, and three warnings about single draws."""
    return {
        "fiber_loss_rms": _fiber_loss_rms,
        "fiber_loss_sq": _fiber_loss_sq,
        "fiber_loss_relative": _fiber_loss_relative,
        "diversity": _diversity,
        "saturation": _saturation,
        "high_frequency": _high_frequency,
        "off_manifold": _off_manifold,
    }


def _fiber_loss_rms() -> Metric:
    from .fiber_loss import FiberLossRMS

    return FiberLossRMS()


def _fiber_loss_sq() -> Metric:
    from .fiber_loss import FiberLossSquared

    return FiberLossSquared()


def _fiber_loss_relative() -> Metric:
    from .fiber_loss_relative import FiberLossRelative

    return FiberLossRelative()


def _diversity(*, extractor: str = "") -> Metric:
    from .diversity import Diversity

    return Diversity(extractor)


def _saturation(*, fence: NonNegative = 3.0) -> Metric:
    from .saturation import Saturation

    return Saturation(fence)


def _high_frequency(*, fence: NonNegative = 3.0) -> Metric:
    from .high_frequency import HighFrequency

    return HighFrequency(fence)


def _off_manifold(*, fence: NonNegative = 3.0) -> Metric:
    from .off_manifold import OffManifold

    return OffManifold(fence)
