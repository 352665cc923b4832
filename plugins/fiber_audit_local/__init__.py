"""Executors of one machine: this process, worker processes of its own, or one for each GPU."""

from __future__ import annotations

from fiber_audit import hookimpl
from fiber_audit.contracts import Offers


@hookimpl
def fiber_audit_executors() -> Offers:
    """Offer `local` and `gpus`."""
    return {
        "local": "fiber_audit_local.local:LocalExecutor",
        "gpus": "fiber_audit_local.gpus:GpusExecutor",
    }
