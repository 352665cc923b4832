"""Workers are actors of Ray: each loads the networks once and computes one piece after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any, Self

from fiber_audit import UsageError
from fiber_audit.computing import Pools
from fiber_audit.contracts import Count, Executor, NonNegative, NonNegativeInt

from .pool import Actors
from .session import Session, installed
from .worker import Hiring


class RayExecutor(Executor):
    """Actors of a Ray cluster; without an address, of a Ray that is started here and ended again.

    What a piece gives is the same wherever, beside whatever and however often it is computed.

    Args:
        workers: how many pieces are computed at once. Those that the cluster has no room for yet
            join when it has.
        cpus: CPUs that a worker takes of its node, as Ray counts them.
        gpus: GPUs of each worker, which sees no others; a half is a GPU for two.
        threads: of torch, OpenMP and BLAS, in each worker.
        address: of the cluster, as ``ray.init`` takes it: "auto", "ray://head:10001". "" is a Ray
            of our own.
        storage: where workers and this process exchange files, a URL of fsspec. "" where all nodes
            see the run directory.
        timeout: seconds that one piece may take, at a worker's first piece with the loading of
            the networks; 0 or None is no limit.
        retries: how often a piece whose worker died is tried again.
        growth: GiB that a worker may hold more than after its first piece until another takes its
            place, as where a plugin leaks; 0 or None is no limit.
    """

    def __init__(
        self,
        *,
        workers: Count = 2,
        cpus: NonNegative = 1.0,
        gpus: NonNegative = 0.0,
        threads: Count = 1,
        address: str = "",
        storage: str = "",
        timeout: NonNegative | None = None,
        retries: NonNegativeInt = 2,
        growth: NonNegative | None = 2.0,
    ) -> None:
        installed(storage)
        if gpus > 1 and gpus != int(gpus):
            raise UsageError(f"executor.gpus = {gpus:g}: whole GPUs, or a part of one, e.g. 0.5.")
        self.workers, self.storage = workers, storage
        self.timeout, self.retries, self.growth = timeout or None, retries, growth or None
        self._hiring = Hiring(cpus, gpus, threads)
        self._session = Session(address, workers * cpus, workers * gpus)
        self._kept = ExitStack()
        self._entered = False
        self._pools = Pools(self._pool)

    def map(
        self, work: Callable[[Any], Any], pieces: Sequence[Any]
    ) -> Iterator[tuple[Any, Any | Exception]]:
        """Yield (piece, result or exception) as they come; closing the generator ends the work.

        Raises:
            UsageError: work or a piece cannot be sent to another process, there is no such cluster,
                or its nodes do not see the run directory.
            WorkerError: workers cannot be started. What goes wrong later is yielded.
        """
        if not pieces:
            return
        if self._entered:
            self._kept.enter_context(self._session)
            yield from self._pools.free().map(work, pieces, self.storage)
            return
        with self._session:
            pool = self._pools.free()
            try:
                yield from pool.map(work, pieces, self.storage)
            finally:
                pool.end()

    def __enter__(self) -> Self:
        self._entered = True
        return self

    def __exit__(self, kind: object = None, *_: object) -> None:
        """End all workers, those of an unfinished map() too; after an exception at once."""
        self._entered = False
        with self._kept:
            self._pools.end(at_once=kind is not None)

    def _pool(self) -> Actors:
        return Actors(self.workers, self._hiring, self.timeout, self.retries, self.growth)
