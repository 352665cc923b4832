"""The `local` executor: pieces of work in this process, or in worker processes of its own."""

from __future__ import annotations

from fiber_audit import hookimpl
from fiber_audit.contracts import Offers


@hookimpl
def fiber_audit_executors() -> Offers:
    """Offer `local`."""
    return {"local": "fiber_audit_local.local:LocalExecutor"}
