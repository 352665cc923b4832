"""Moment-matched guidance: Gauss-Newton on the fiber, in the metric of the prior's posterior."""

from __future__ import annotations

from fiber_audit import hookimpl
from fiber_audit.contracts import Offers


@hookimpl
def fiber_audit_samplers() -> Offers:
    """Offer `moment-matched` and `twisted`."""
    package = "fiber_audit_moment_matched"
    return {
        "moment-matched": f"{package}.moment_matched:MomentMatched",
        "twisted": f"{package}.twisted:Twisted",
    }
