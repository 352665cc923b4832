"""NDTM with a fiber loss: the paper's training-free sampler."""

from __future__ import annotations

from fiber_audit import hookimpl
from fiber_audit.contracts import Offers


@hookimpl
def fiber_audit_samplers() -> Offers:
    """Offer `ndtm`."""
    return {"ndtm": "fiber_audit_ndtm.ndtm:NDTM"}
