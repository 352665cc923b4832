"""Moment-matched guidance: Gauss-Newton on the fiber, in the metric of the prior's posterior."""

from __future__ import annotations

from fiber_audit import hookimpl
from fiber_audit.contracts import Offers


@hookimpl
def fiber_audit_samplers() -> Offers:
    """Offer `moment-matched`."""
    return {"moment-matched": "fiber_audit_moment_matched.moment_matched:MomentMatched"}
