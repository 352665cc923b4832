"""Fidelity, diversity and health of draws: metrics that any extractor and prior can have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fiber_audit import hookimpl

if TYPE_CHECKING:
    from fiber_audit.contracts import Offers


@hookimpl
def fiber_audit_metrics() -> Offers:
    """Offer the fiber loss, the rank of the query, diversity, and warnings about single draws."""
    return {
        "fiber_loss_rms": "fiber_audit_scoring.fiber_loss:FiberLossRMS",
        "fiber_loss_sq": "fiber_audit_scoring.fiber_loss:FiberLossSquared",
        "fiber_loss_relative": "fiber_audit_scoring.fiber_loss_relative:FiberLossRelative",
        "query_rank": "fiber_audit_scoring.query_rank:QueryRank",
        "diversity": "fiber_audit_scoring.diversity:Diversity",
        "saturation": "fiber_audit_scoring.saturation:Saturation",
        "high_frequency": "fiber_audit_scoring.high_frequency:HighFrequency",
        "off_manifold": "fiber_audit_scoring.off_manifold:OffManifold",
        "plausibility": "fiber_audit_scoring.plausibility:Plausibility",
        "brittle": "fiber_audit_scoring.brittle:Brittle",
        "diagnostics": "fiber_audit_scoring.diagnostics:Diagnostics",
    }
