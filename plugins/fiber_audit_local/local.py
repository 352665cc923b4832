"""Small networks on CPUs want one single-threaded process per core; two threads are slower."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

from fiber_audit.computing import Pools, attempt
from fiber_audit.contracts import Count, Executor, NonNegative, NonNegativeInt

from .pool import Processes


class LocalExecutor(Executor):
    """One worker is this process; more are processes of their own, kept until the `with` ends.

    What a piece gives is the same wherever, beside whatever and however often it is computed.

    Args:
        workers: how many pieces are computed at once; 1 is this process, and needs no pickling.
        threads: of torch, OpenMP and BLAS, in each worker.
        timeout: seconds that one piece may take, at a worker's first piece with the loading of
            the networks; 0 or None is no limit. Only another process can be stopped: with a
            timeout even one worker is a process of its own.
        retries: how often a piece whose worker died is tried again.
        growth: GiB that a worker may hold more than after its first piece until another takes its
            place, as where a plugin leaks; 0 or None is no limit. Only Linux tells.
    """

    def __init__(
        self,
        *,
        workers: Count = 1,
        threads: Count = 1,
        timeout: NonNegative | None = None,
        retries: NonNegativeInt = 2,
        growth: NonNegative | None = 2.0,
    ) -> None:
        self.places: list[dict[str, str]] = [{} for _ in range(workers)]
        """The environment variables of each worker."""
        self.threads = threads
        self.timeout, self.retries, self.growth = timeout or None, retries, growth or None
        self._kept = False
        self._pools = Pools(self._pool)

    def map(
        self, work: Callable[[Any], Any], pieces: Sequence[Any]
    ) -> Iterator[tuple[Any, Any | Exception]]:
        """Yield (piece, result or exception) as they come; closing the generator ends the work.

        Raises:
            UsageError: work or a piece cannot be sent to another process.
            WorkerError: workers cannot be started. What goes wrong later is yielded.
        """
        if self.here(len(pieces)):
            yield from self._here(work, pieces)
            return
        pool = self._pools.free()
        try:
            yield from pool.map(work, pieces)
        finally:
            if not self._kept:
                pool.end()

    def here(self, pieces: int) -> bool:
        """Whether this process itself computes so many pieces."""
        return self.timeout is None and (len(self.places) == 1 or pieces == 1)

    def __enter__(self) -> Self:
        self._kept = True
        return self

    def __exit__(self, kind: object = None, *_: object) -> None:
        """End all workers, those of an unfinished map() too; after an exception at once."""
        self._kept = False
        self._pools.end(at_once=kind is not None)

    def _here(self, work: Callable[[Any], Any], pieces: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
        for piece in pieces:
            with _torch_threads(self.threads):
                result = attempt(work, piece)
            yield piece, result

    def _pool(self) -> Processes:
        return Processes(self.places, self.threads, self.timeout, self.retries, self.growth)


@contextmanager
def _torch_threads(threads: int) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
