"""The parent's handle on one worker process: start it, give it a piece, hear it, end it."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import get_context, resource_tracker

from fiber_audit.computing import Refusal, Reply, Task, packed, thread_variables

from .inside import READY, serve

GRACE = 2.0
"""Seconds between asking a process to end and killing it."""

INSTEAD = "use workers = 1, with no timeout"
"""How to compute in this process."""

_SPAWN = get_context("spawn")


class Worker:
    """A process that is starting (not ready), idle (no task) or computing its task."""

    def __init__(self, threads: int, environment: Mapping[str, str]) -> None:
        self.environment = environment
        self.ready = False
        self.task: Task | None = None
        self.deadline = float("inf")  # of the task, by time.monotonic()
        self.connection, self._theirs = _SPAWN.Pipe()
        self._threads, self._work = threads, b""
        by_main_thread = threading.current_thread() is threading.main_thread()
        self.process = _SPAWN.Process(
            target=serve, args=(self._theirs, threads, by_main_thread), name="fiber-audit-worker"
        )

    @property
    def started(self) -> bool:
        """Whether there is, or was, a process."""
        return self.process.pid is not None

    def start(self) -> None:
        """Start the process; hear() will tell when it is ready."""
        with _born_with(self._threads, self.environment):
            self.process.start()
        self._theirs.close()  # so that its death is the end of the pipe

    def give(self, task: Task, work: bytes, timeout: float | None) -> None:
        """Send a piece, and the pickled work unless the process has it; timeout is in seconds."""
        message = pickle.dumps((None if work == self._work else work, packed(task.piece, INSTEAD)))
        self.task, self._work = task, work
        self.deadline = time.monotonic() + (timeout or float("inf"))
        with suppress(OSError):  # it died just now: hear() will tell
            self.connection.send_bytes(message)

    def hear(self) -> Reply | Refusal | None:
        """Its answer to the task, or None while there is none.

        Raises:
            EOFError: the process is dead, or closed its end of the pipe.
        """
        if not self.connection.poll():
            if self.process.is_alive():
                return None
            raise EOFError
        try:
            said = self.connection.recv_bytes()
        except OSError as error:  # it died while it spoke
            raise EOFError from error
        if said == READY:
            self.ready = True
            return None
        answer: Reply | Refusal = pickle.loads(said)
        return answer

    def obituary(self) -> str:
        """How a dead process ended."""
        self.process.join(GRACE)
        code = self.process.exitcode
        if code is None or code >= 0:
            return "was lost" if code is None else f"ended with exit code {code}"
        known = {number.value: number.name for number in signal.Signals}
        return f"was ended by {known.get(-code, f'signal {-code}')}"


def end(workers: Sequence[Worker], at_once: bool = False) -> None:
    """End processes within 2 s: by a signal, but idle ones, if there is time, by a closed pipe."""
    started = [worker for worker in workers if worker.started]
    try:
        for worker in workers:
            worker.connection.close()
        for worker in started:
            if at_once or worker.task is not None or not worker.ready:
                worker.process.terminate()
        deadline = time.monotonic() + GRACE
        for worker in started:
            worker.process.join(max(0.0, deadline - time.monotonic()))
    finally:  # also after a second Ctrl-C
        for worker in started:
            worker.process.kill()
        for worker in started:
            worker.process.join(GRACE)


@contextmanager
def _born_with(threads: int, environment: Mapping[str, str]) -> Iterator[None]:
    """A process that is started now has these threads and variables; Ctrl-C cannot reach it."""
    if sys.platform != "win32":
        resource_tracker.ensure_running()  # starting it would open the mask again
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    wanted = {**thread_variables(threads), **environment}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        if sys.platform != "win32":
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
