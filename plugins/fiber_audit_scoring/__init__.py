"""Fidelity, diversity and health of draws: metrics that any extractor and prior can have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fiber_audit import hookimpl

if TYPE_CHECKING:
    from fiber_audit.contracts import Offers


@hookimpl
def fiber_audit_metrics() -> Offers:
    """Offer the fiber loss in three units, diversity, and three warnings about single draws."""
    return {
        "fiber_loss_rms": "fiber_audit_scoring.fiber_loss:FiberLossRMS",
        "fiber_loss_sq": "fiber_audit_scoring.fiber_loss:FiberLossSquared",
        "fiber_loss_relative": "fiber_audit_scoring.fiber_loss_relative:FiberLossRelative",
        "diversity": "fiber_audit_scoring.diversity:Diversity",
        "saturation": "fiber_audit_scoring.saturation:Saturation",
        "high_frequency": "fiber_audit_scoring.high_frequency:HighFrequency",
        "off_manifold": "fiber_audit_scoring.off_manifold:OffManifold",
    }
