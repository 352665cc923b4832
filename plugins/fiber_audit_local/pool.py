"""Worker processes that share a queue: who gets which piece, and what if a worker dies."""

from __future__ import annotations

import atexit
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing.connection import wait
from typing import Any

from fiber_audit import FiberAuditError, UsageError

from .worker import Task, Worker, end, packed, unsendable

STILLBORN = 3
"""After so many workers in a row that died before they were ready, the pool stays smaller."""

Done = tuple[Any, Any | Exception]
"""A piece, and its result or what became of it instead."""


class WorkerError(FiberAuditError):
    """A worker could not be started, died too often of one piece, or took too long for it."""


class Pool:
    """A worker for each place, started when there is something to do, each with one piece.

    places: the environment variables of each worker, besides those of this process.
    """

    def __init__(
        self,
        places: Sequence[Mapping[str, str]],
        threads: int,
        timeout: float | None,
        retries: int,
    ) -> None:
        self.size, self._places = len(places), places
        self.threads, self.timeout, self.retries = threads, timeout, retries
        self.busy = self.ended = False
        self._workers: list[Worker] = []
        self._stillborn = 0
        atexit.register(self.end)  # before multiprocessing waits for its children

    def map(self, work: Callable[[Any], Any], pieces: Sequence[Any]) -> Iterator[Done]:
        """Yield every piece with its result, in the order in which they come.

        Raises:
            UsageError: work or a piece cannot be sent to another process.
            WorkerError: workers cannot be started, or die at once.
        """
        packed_work = packed(work)
        queue = deque(Task(piece) for piece in pieces)
        self.busy = True
        try:
            self._bury()
            while True:
                done = [d for worker in tuple(self._workers) for d in self._news(worker, queue)]
                self._deal(packed_work, queue)
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
        atexit.unregister(self.end)

    def _bury(self) -> None:
        """Forget the workers that died since the last map(): of no piece."""
        dead = [worker for worker in self._workers if not worker.process.is_alive()]
        self._workers = [worker for worker in self._workers if worker not in dead]
        end(dead)

    def _computing(self) -> int:
        return sum(worker.task is not None for worker in self._workers)

    def _deal(self, work: bytes, queue: deque[Task]) -> None:
        """Give pieces to idle workers; start workers where there are too few."""
        wanted = min(self.size, len(queue) + self._computing())
        try:
            while len(self._workers) < wanted:
                new = Worker(self.threads, self._free())
                self._workers.append(new)  # known before it runs: it will end
                self._workers[-1].start()
        except OSError as error:
            self._workers = [worker for worker in self._workers if worker.started]
            self._stay_smaller(f"{error}; use fewer")
        for worker in self._workers:
            if queue and worker.ready and worker.task is None:
                worker.give(queue.popleft(), work, self.timeout)

    def _free(self) -> Mapping[str, str]:
        """A place that no worker has."""
        taken = [id(worker.environment) for worker in self._workers]
        return next(place for place in self._places if id(place) not in taken)

    def _wait(self) -> None:
        """Sleep until a worker says something, dies, or has no time left."""
        nearest = min(worker.deadline for worker in self._workers) - time.monotonic()
        events = [worker.connection for worker in self._workers]
        deaths = [worker.process.sentinel for worker in self._workers]
        wait([*events, *deaths], timeout=min(max(nearest, 0.0), 1.0))

    def _news(self, worker: Worker, queue: deque[Task]) -> Iterator[Done]:
        """What became of a worker's piece, if something did."""
        starting = not worker.ready
        try:
            answer = worker.hear()
        except EOFError:
            yield from self._lost(worker, queue)
            return
        if worker.ready and starting:
            self._stillborn = 0
        task = worker.task
        if answer is not None and task is not None:
            if answer.no_work:
                raise unsendable(answer.otherwise)
            worker.task, worker.deadline = None, float("inf")
            yield task.piece, answer.result
        elif task is not None and time.monotonic() >= worker.deadline:
            self._workers.remove(worker)
            end([worker])
            late = (
                f"It took longer than the executor's timeout = {self.timeout:g} seconds; raise it."
            )
            yield task.piece, WorkerError(late)

    def _lost(self, worker: Worker, queue: deque[Task]) -> Iterator[Done]:
        """Put a dead worker's piece back into the queue, unless it has killed too many."""
        self._workers.remove(worker)
        how = worker.obituary()
        end([worker])
        task = worker.task
        if task is None:
            self._stillborn += not worker.ready
            if self._stillborn >= STILLBORN:
                self._stay_smaller(
                    f"the last one {how}, see what it printed; "
                    f'a script that starts workers needs `if __name__ == "__main__":`'
                )
            return
        task.deaths += 1
        if task.deaths <= self.retries:
            queue.append(task)
            return
        advice = "run it with workers = 1 to see where"
        if "SIGKILL" in how:
            advice = "memory may have run out: use fewer workers"
        yield task.piece, WorkerError(f"Its worker {how} (attempts: {task.deaths}); {advice}.")

    def _stay_smaller(self, reason: str) -> None:
        """Go on with the workers that there are, if there is one."""
        self.size = len(self._workers)
        if not self.size:
            raise WorkerError(f"Workers cannot be started: {reason}.")
