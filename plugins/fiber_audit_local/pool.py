"""Processes of this machine that share a queue."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing.connection import wait
from typing import Any

from fiber_audit import UsageError
from fiber_audit.computing import Done, Pool, Queue, Refusal, packed, unsendable

from .worker import INSTEAD, Worker, end


class Processes(Pool[Worker]):
    """A worker for each place.

    places: the environment variables of each worker, besides those of this process.
    """

    def __init__(
        self,
        places: Sequence[Mapping[str, str]],
        threads: int,
        timeout: float | None,
        retries: int,
        growth: float | None,
    ) -> None:
        super().__init__(len(places), timeout, retries, growth)
        self._places, self._threads, self._work = places, threads, b""
        atexit.register(self.end)  # before multiprocessing waits for its children

    def map(self, work: Callable[[Any], Any], pieces: Sequence[Any]) -> Iterator[Done]:
        """Yield every piece with its result, in the order in which they come.

        Raises:
            UsageError: work or a piece cannot be sent to another process.
            WorkerError: workers cannot be started, or die at once.
        """
        self._work = packed(work, INSTEAD)
        self._bury()
        yield from self.compute(pieces)

    def dismiss(self, workers: Sequence[Worker], at_once: bool) -> None:
        """End processes."""
        end(workers, at_once)
        if self.ended:
            atexit.unregister(self.end)

    def deal(self, queue: Queue) -> None:
        """Give pieces to idle workers; start workers where there are too few."""
        wanted = self.wanted(queue)
        try:
            while len(self.workers) < wanted:
                new = Worker(self._threads, self._free())
                self.workers.append(new)  # known before it runs: it will end
                self.workers[-1].start()
        except OSError as error:
            self.workers = [worker for worker in self.workers if worker.started]
            self.stay_smaller(f"{error}; use fewer")
        for worker in self.workers:
            if queue and worker.ready and worker.task is None:
                worker.give(queue.next(), self._work, self.timeout)

    def sleep(self, seconds: float) -> None:
        """Until a worker says something or dies."""
        events = [worker.connection for worker in self.workers]
        deaths = [worker.process.sentinel for worker in self.workers]
        wait([*events, *deaths], timeout=seconds)

    def news(self, worker: Worker, queue: Queue) -> Iterator[Done]:
        """What became of a worker's piece, if something did."""
        starting = not worker.ready
        try:
            said = worker.hear()
        except EOFError:
            yield from self._dead(worker, queue)
            return
        if worker.ready and starting:
            self.stillborn = 0
        task = worker.task
        if isinstance(said, Refusal):
            raise unsendable(said.reason, INSTEAD) if said.unsendable else UsageError(said.reason)
        if said is not None and task is not None:
            worker.task, worker.deadline = None, float("inf")
            self.outgrown(worker, said)
            yield task.piece, said.result
        else:
            yield from self.late(worker)

    def _dead(self, worker: Worker, queue: Queue) -> Iterator[Done]:
        self.workers.remove(worker)
        how = worker.obituary()
        end([worker])
        if worker.task is not None:
            advice = "run it with workers = 1 to see where"
            if "SIGKILL" in how:
                advice = "memory may have run out: use fewer workers"
            yield from self.lost(worker.task, queue, how, advice)
        elif not worker.ready:
            self.unborn(
                f"the last one {how}, see what it printed; "
                f'a script that starts workers needs `if __name__ == "__main__":`'
            )

    def _bury(self) -> None:
        """Forget the workers that died since the last map(): of no piece."""
        dead = [worker for worker in self.workers if not worker.process.is_alive()]
        self.workers = [worker for worker in self.workers if worker not in dead]
        end(dead)

    def _free(self) -> Mapping[str, str]:
        """A place that no worker has."""
        taken = [id(worker.environment) for worker in self.workers]
        return next(place for place in self._places if id(place) not in taken)
