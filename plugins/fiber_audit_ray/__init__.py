"""Executor of a Ray cluster, or of a Ray of its own on this machine."""

from __future__ import annotations

from fiber_audit import hookimpl
from fiber_audit.contracts import Offers


@hookimpl
def fiber_audit_executors() -> Offers:
    """Offer `ray`."""
    return {"ray": "fiber_audit_ray.executor:RayExecutor"}
