"""The `local` executor: blocks in this process, or in worker processes of one thread each."""

from __future__ import annotations

from fiber_audit import hookimpl
from fiber_audit.contracts import Count, Executor, Factory


@hookimpl
def fiber_audit_executors() -> dict[str, Factory]:
    """Offer `local`."""
    return {"local": _local}


def _local(*, workers: Count = 1, threads: Count = 1) -> Executor:
    from .local import LocalExecutor

    return LocalExecutor(workers, threads)
