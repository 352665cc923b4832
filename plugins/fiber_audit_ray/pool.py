"""Actors that share a queue: who gets which piece, and what if an actor or its node dies."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from fiber_audit import FiberAuditError, UsageError

from .directory import Directory
from .inside import Answer, Job, Refusal, versions
from .queue import Queue
from .storage import directory_of
from .worker import Hiring, Worker, end, obituary, packed, unsendable

STILLBORN = 3
"""After so many workers in a row that died before they were ready, the pool stays smaller."""
PATIENCE = 300.0
"""Seconds for which a cluster may grow until one of its nodes is large enough."""

Done = tuple[Any, Any | Exception]
"""A piece, and its result or what became of it instead."""


class WorkerError(FiberAuditError):
    """A worker could not be started, died too often of one piece, or took too long for it."""


class Pool:
    """Up to `size` workers, hired when there is something to do, each with one piece."""

    def __init__(self, size: int, hiring: Hiring, timeout: float | None, retries: int) -> None:
        self.size, self._hiring = size, hiring
        self.timeout, self.retries = timeout, retries
        self.busy = self.ended = False
        self._workers: list[Worker] = []
        self._stillborn = 0
        self._fits, self._since = False, time.monotonic()

    def map(
        self, work: Callable[[Any], Any], pieces: Sequence[Any], storage: str
    ) -> Iterator[Done]:
        """Yield every piece with its result, in the order in which they come.

        Raises:
            UsageError: work or a piece cannot be sent, or workers do not see its files.
            WorkerError: workers cannot be started, or die at once.
        """
        import ray

        directory = directory_of(work, storage)
        directory.open()
        job = ray.put(Job(packed(work), directory, versions()))
        queue = Queue(pieces)
        self.busy, self._since = True, time.monotonic()
        try:
            while True:
                done = [
                    d
                    for worker in tuple(self._workers)
                    for d in self._news(worker, queue, directory)
                ]
                self._deal(job, queue, directory)
                yield from done  # while the workers compute
                if self.ended:
                    raise UsageError("The executor ended before its pieces were computed.")
                if not queue and not self._computing():
                    return
                self._wait()
        except BaseException:  # also Ctrl-C, and nobody wants the rest
            self.end(at_once=True)
            raise
        finally:
            self.busy = False

    def end(self, at_once: bool = False) -> None:
        """End all workers, hung ones too, within a few seconds; idle ones may clean up before."""
        self.ended = True
        workers, self._workers = self._workers, []
        end(workers, at_once)

    def _computing(self) -> int:
        return sum(worker.task is not None for worker in self._workers)

    def _deal(self, job: Any, queue: Queue, directory: Directory) -> None:
        """Hire where there are too few, and give pieces to those who are idle."""
        wanted = min(self.size, len(queue) + self._computing())
        while len(self._workers) < wanted:
            self._workers.append(Worker(self._hiring))
        for worker in self._workers:
            if worker.task is None and worker.job is not job:
                worker.take(job)
            elif queue and worker.ready and worker.task is None:
                task = queue.next()
                directory.send(task.piece)
                worker.give(task, self.timeout)

    def _wait(self) -> None:
        """Sleep until a worker says something, dies, or has no time left."""
        import ray

        nearest = min(worker.deadline for worker in self._workers) - time.monotonic()
        awaited = [worker.awaited for worker in self._workers if worker.awaited is not None]
        ray.wait(awaited, timeout=min(max(nearest, 0.0), 1.0))
        if self._fits or any(worker.born for worker in self._workers):
            return
        self._fits = self._hiring.fits()
        if not self._fits and time.monotonic() - self._since >= PATIENCE:
            raise WorkerError(
                f"Workers cannot be started: no node of the cluster has cpus = "
                f"{self._hiring.cpus:g} and gpus = {self._hiring.gpus:g}; ask for less."
            )

    def _news(self, worker: Worker, queue: Queue, directory: Directory) -> Iterator[Done]:
        """What became of a worker's piece, if something did."""
        from ray.exceptions import RayError

        task = worker.task
        if not worker.answered():
            if task is not None and time.monotonic() >= worker.deadline:
                self._workers.remove(worker)
                end([worker])
                late = f"It took longer than the executor's timeout = {self.timeout:g} seconds"
                yield task.piece, WorkerError(f"{late}; raise it.")
            return
        try:
            said = worker.hear()
        except RayError as error:
            yield from self._lost(worker, queue, error)
            return
        if isinstance(said, Refusal):
            raise unsendable(said.reason) if said.unsendable else UsageError(said.reason)
        self._stillborn = 0
        if isinstance(said, Answer) and task is not None:
            worker.task = None
            directory.receive(said.made)
            yield task.piece, said.result

    def _lost(self, worker: Worker, queue: Queue, error: Exception) -> Iterator[Done]:
        """Put a dead worker's piece back into the queue, unless it has killed too many."""
        self._workers.remove(worker)
        end([worker], at_once=True)
        task, why = worker.task, obituary(error)
        if task is None:
            self._stillborn += not worker.born
            if self._stillborn >= STILLBORN:
                self.size = len(self._workers)  # go on with those that there are
            if not self.size:
                raise WorkerError(
                    f"Workers cannot be started: {why}; fiber-audit[ray] and the plugins must be "
                    f"installed on every node."
                )
            return
        task.deaths += 1
        if task.deaths <= self.retries:
            queue.again(task)
            return
        yield (
            task.piece,
            WorkerError(
                f"Its worker was lost: {why} (attempts: {task.deaths}); it may need more memory, "
                f'or run it with executor.use = "local" and workers = 1 to see where.'
            ),
        )
