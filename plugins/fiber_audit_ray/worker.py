"""The parent's handle on one actor: hire it, give it a job and pieces, hear it, end it."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fiber_audit.computing import Refusal, Reply, Task, packed

from .inside import Computing

GRACE = 2.0
"""Seconds between asking an actor to end and killing it."""
INSTEAD = 'use executor.use = "local" with one worker'
"""How to compute in this process."""
Said = tuple[Reply, tuple[str, ...]] | Refusal | None
"""An answer with the files that were made, a job that is refused, or one that is taken."""


@dataclass(frozen=True)
class Hiring:
    """What a worker takes of its node, and its threads."""

    cpus: float
    gpus: float
    threads: int

    def actor(self) -> Any:
        """A new actor; Ray starts it where and when there is room."""
        import ray

        kind: Any = ray.remote(Computing)
        options = {"num_cpus": self.cpus, "num_gpus": self.gpus, "max_restarts": 0}
        return kind.options(**options).remote(self.threads, str(Path.cwd()), sys.path)

    def fits(self) -> bool:
        """Whether some node of the cluster is large enough, were it idle."""
        import ray

        has = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        return any(
            self.cpus <= found.get("CPU", 0) and self.gpus <= found.get("GPU", 0) for found in has
        )


class Worker:
    """An actor that is starting or taking a job (not ready), idle (no task) or computing it."""

    def __init__(self, hiring: Hiring) -> None:
        self.actor = hiring.actor()
        self.born = self.ready = False
        self.job: Any = None
        self.task: Task | None = None
        self.deadline = float("inf")  # of the task, by time.monotonic()
        self.awaited: Any = None
        """The reference of what it says next, or None while it is idle."""

    def take(self, job: Any) -> None:
        """Have it take a job, a reference."""
        self.job, self.ready, self.awaited = job, False, self.actor.take.remote(job)

    def give(self, task: Task, timeout: float | None) -> None:
        """Send a piece; timeout is in seconds."""
        self.awaited = self.actor.compute.remote(packed(task.piece, INSTEAD))
        self.task = task
        self.deadline = time.monotonic() + (timeout or float("inf"))

    def answered(self) -> bool:
        """Whether it said something, or died."""
        import ray

        return self.awaited is not None and bool(ray.wait([self.awaited], timeout=0)[0])

    def hear(self) -> Said:
        """What it said: its answer to the task, or what it makes of a job.

        Raises:
            RayError: it is dead.
        """
        import ray

        awaited, self.awaited = self.awaited, None
        said: Said = ray.get(awaited)
        if self.task is None:
            self.born = self.ready = True
        self.deadline = float("inf")
        return said


def end(workers: Sequence[Worker], at_once: bool = False) -> None:
    """End actors within 2 s: killed, but idle ones, if there is time, may clean up before."""
    import ray

    if not ray.is_initialized():
        return
    idle = [worker for worker in workers if worker.ready and worker.task is None and not at_once]
    try:
        if asked := [worker.actor.__ray_terminate__.remote() for worker in idle]:
            ray.wait(asked, num_returns=len(asked), timeout=GRACE)
    finally:  # also after a second Ctrl-C
        for worker in workers:
            ray.kill(worker.actor)


def obituary(error: Exception) -> str:
    """Why an actor is dead, in Ray's words, less what goes on for a page."""
    told = " ".join(str(error).split())
    found = re.search(r"because (.+?)\.(?: |$)", told) or re.search(r"(.+?)\.(?: |$)", told)
    return (found[1] if found else told or type(error).__name__)[:300]
