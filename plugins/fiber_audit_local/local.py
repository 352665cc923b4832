"""Small networks on CPUs want one single-threaded process per core; two threads are slower."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

import torch

from fiber_audit.contracts import Executor


class LocalExecutor(Executor):
    """workers = 1 computes in this process; more start that many processes (spawned, not forked).

    Every worker computes with `threads` threads, so the bits do not depend on their number.
    """

    def __init__(self, workers: int = 1, threads: int = 1) -> None:
        self.workers, self.threads = workers, threads

    def map(self, work: Callable[[Any], Any], blocks: Sequence[Any]) -> Iterator[Any]:
        """Yield results as they come; an interruption stops the workers."""
        if min(self.workers, len(blocks)) <= 1:
            before = torch.get_num_threads()
            torch.set_num_threads(self.threads)
            try:
                yield from map(work, blocks)
            finally:
                torch.set_num_threads(before)
            return
        pool = ProcessPoolExecutor(
            self.workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_quiet_worker,
            initargs=(self.threads,),
        )
        try:
            for future in as_completed([pool.submit(work, block) for block in blocks]):
                yield future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _quiet_worker(threads: int) -> None:
    """The parent answers Ctrl-C; a worker finishes its block."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(threads)
