"""Actors that share a queue: on any node that has room."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from fiber_audit import UsageError
from fiber_audit.computing import Done, Pool, Queue, Refusal, WorkerError, packed, unsendable

from .directory import Directory
from .inside import Job, versions
from .storage import directory_of
from .worker import INSTEAD, Hiring, Worker, end, obituary

PATIENCE = 300.0
"""Seconds for which a cluster may grow until one of its nodes is large enough."""


class Actors(Pool[Worker]):
    """Up to `size` actors."""

    def __init__(
        self,
        size: int,
        hiring: Hiring,
        timeout: float | None,
        retries: int,
        growth: float | None,
    ) -> None:
        super().__init__(size, timeout, retries, growth)
        self._hiring = hiring
        self._job: Any = None
        self._directory = Directory()
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

        self._directory = directory_of(work, storage)
        self._directory.open()
        try:
            self._job = ray.put(Job(packed(work, INSTEAD), self._directory, versions()))
            self._since = time.monotonic()
            yield from self.compute(pieces)
        finally:
            self._directory.close()

    def dismiss(self, workers: Sequence[Worker], at_once: bool) -> None:
        """End actors."""
        end(workers, at_once)

    def deal(self, queue: Queue) -> None:
        """Hire where there are too few, and give pieces to those who are idle."""
        wanted = self.wanted(queue)
        while len(self.workers) < wanted:
            self.workers.append(Worker(self._hiring))
        for worker in self.workers:
            if worker.task is None and worker.job is not self._job:
                worker.take(self._job)
            elif queue and worker.ready and worker.task is None:
                task = queue.next()
                self._directory.send(task.piece)
                worker.give(task, self.timeout)

    def sleep(self, seconds: float) -> None:
        """Until a worker says something, or dies.

        Raises:
            WorkerError: no node is large enough for one.
        """
        import ray

        awaited = [worker.awaited for worker in self.workers if worker.awaited is not None]
        ray.wait(awaited, timeout=seconds)
        if self._fits or any(worker.born for worker in self.workers):
            return
        self._fits = self._hiring.fits()
        if not self._fits and time.monotonic() - self._since >= PATIENCE:
            raise WorkerError(
                f"Workers cannot be started: no node of the cluster has cpus = "
                f"{self._hiring.cpus:g} and gpus = {self._hiring.gpus:g}; ask for less."
            )

    def news(self, worker: Worker, queue: Queue) -> Iterator[Done]:
        """What became of a worker's piece, if something did."""
        from ray.exceptions import RayError

        task = worker.task
        if not worker.answered():
            yield from self.late(worker)
            return
        try:
            said = worker.hear()
        except RayError as error:
            yield from self._dead(worker, queue, error)
            return
        if isinstance(said, Refusal):
            refused = unsendable(said.reason, INSTEAD) if said.unsendable else None
            raise refused or UsageError(said.reason)
        self.stillborn = 0
        if said is not None and task is not None:
            answer, made = said
            worker.task = None
            self.outgrown(worker, answer)
            self._directory.receive(made)
            yield task.piece, answer.result

    def _dead(self, worker: Worker, queue: Queue, error: Exception) -> Iterator[Done]:
        self.workers.remove(worker)
        end([worker], at_once=True)
        why = obituary(error)
        if worker.task is not None:
            advice = (
                'it may need more memory, or run it with executor.use = "local" and workers = 1 '
                "to see where"
            )
            yield from self.lost(worker.task, queue, f"was lost: {why}", advice)
        elif not worker.born:
            self.unborn(f"{why}; fiber-audit[ray] and the plugins must be installed on every node")
