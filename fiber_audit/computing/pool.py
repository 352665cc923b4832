"""Workers that share a queue: who gets which piece, and what if a worker dies."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar

from ..errors import FiberAuditError, UsageError
from .growth import GIB
from .queue import Queue, Task
from .replies import Reply

STILLBORN = 3
"""After so many workers in a row that died before they were ready, the pool stays smaller."""

Done = tuple[Any, Any | Exception]
"""A piece, and its result or what became of it instead."""


class WorkerError(FiberAuditError):
    """A worker could not be started, died too often of one piece, or took too long for it."""


class Hand(Protocol):
    """What a pool knows of a worker: its piece, and until when it may take, by time.monotonic()."""

    task: Task | None
    deadline: float


W = TypeVar("W", bound=Hand)


class Pool(ABC, Generic[W]):
    """Up to `size` workers, started when there is something to do, each with one piece.

    timeout: seconds that one piece may take, None is no limit. retries: how often a piece whose
    worker died is tried again. growth: GiB that a worker may hold more than after its first piece,
    None is no limit.
    """

    def __init__(
        self, size: int, timeout: float | None, retries: int, growth: float | None = None
    ) -> None:
        self.size, self.timeout, self.retries, self.growth = size, timeout, retries, growth
        self.busy = self.ended = False
        self.workers: list[W] = []
        self.stillborn = 0
        """Workers in a row that died before they were ready."""

    @abstractmethod
    def deal(self, queue: Queue) -> None:
        """Start workers where there are too few (`wanted`); give pieces to those who are idle."""

    @abstractmethod
    def sleep(self, seconds: float) -> None:
        """Until a worker says something or dies, but no longer than that."""

    @abstractmethod
    def news(self, worker: W, queue: Queue) -> Iterator[Done]:
        """What became of a worker's piece, if something did."""

    @abstractmethod
    def dismiss(self, workers: Sequence[W], at_once: bool) -> None:
        """End workers, hung ones too, within a few seconds; idle ones may clean up before."""

    def compute(self, pieces: Sequence[Any]) -> Iterator[Done]:
        """Yield every piece with its result, in the order in which they come.

        Raises:
            WorkerError: workers cannot be started, or die at once.
        """
        queue = Queue(pieces)
        self.busy = True
        try:
            while True:
                done = [d for worker in tuple(self.workers) for d in self.news(worker, queue)]
                self.deal(queue)
                yield from done  # while the workers compute
                if self.ended:
                    raise UsageError("The executor ended before its pieces were computed.")
                if not queue and not self._computing():
                    return
                nearest = min(worker.deadline for worker in self.workers) - time.monotonic()
                self.sleep(min(max(nearest, 0.0), 1.0))
        except BaseException:  # also Ctrl-C, and nobody wants the rest
            self.end(at_once=True)
            raise
        finally:
            self.busy = False

    def end(self, at_once: bool = False) -> None:
        """End all workers."""
        self.ended = True
        workers, self.workers = self.workers, []
        self.dismiss(workers, at_once)

    def wanted(self, queue: Queue) -> int:
        """How many workers have, or could have, a piece."""
        return min(self.size, len(queue) + self._computing())

    def late(self, worker: W) -> Iterator[Done]:
        """End a worker whose piece has taken too long."""
        if worker.task is None or time.monotonic() < worker.deadline:
            return
        self.workers.remove(worker)
        self.dismiss([worker], False)
        late = f"It took longer than the executor's timeout = {self.timeout:g} seconds; raise it."
        yield worker.task.piece, WorkerError(late)

    def outgrown(self, worker: W, reply: Reply) -> None:
        """End a worker that has answered, if it holds too much memory; another takes its place."""
        if self.growth is not None and reply.grown > self.growth * GIB:
            self.workers.remove(worker)
            self.dismiss([worker], False)

    def lost(self, task: Task, queue: Queue, how: str, advice: str) -> Iterator[Done]:
        """Put a dead worker's piece back into the queue, unless it has killed too many."""
        task.deaths += 1
        if task.deaths <= self.retries:
            queue.again(task)
            return
        yield task.piece, WorkerError(f"Its worker {how} (attempts: {task.deaths}); {advice}.")

    def unborn(self, reason: str) -> None:
        """A worker died before it was ready.

        Raises:
            WorkerError: no other is left, after some in a row.
        """
        self.stillborn += 1
        if self.stillborn >= STILLBORN:
            self.stay_smaller(reason)

    def stay_smaller(self, reason: str) -> None:
        """Go on with the workers that there are.

        Raises:
            WorkerError: there is none.
        """
        self.size = len(self.workers)
        if not self.size:
            raise WorkerError(f"Workers cannot be started: {reason}.")

    def _computing(self) -> int:
        return sum(worker.task is not None for worker in self.workers)


P = TypeVar("P", bound=Pool[Any])


class Pools(Generic[P]):
    """The pools of an executor: each map() that runs has one of its own."""

    def __init__(self, make: Callable[[], P]) -> None:
        self._make = make
        self._pools: list[P] = []

    def free(self) -> P:
        """A pool that no other map() is using."""
        self._pools = [pool for pool in self._pools if not pool.ended]
        for pool in self._pools:
            if not pool.busy:
                return pool
        self._pools.append(self._make())
        return self._pools[-1]

    def end(self, at_once: bool) -> None:
        """End all workers of all pools."""
        for pool in self._pools:
            pool.end(at_once)
