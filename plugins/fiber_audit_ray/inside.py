"""What runs in an actor: it takes work once, computes pieces of it and answers."""

from __future__ import annotations

import os
import pickle
import platform
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import entry_points, version
from typing import Any

from fiber_audit.computing import Growth, Refusal, Reply, attempt_apart, thread_variables

from .directory import Directory


@dataclass(frozen=True)
class Job:
    """Pickled work, where its files are, and the versions of what computes it."""

    work: bytes
    directory: Directory
    versions: Mapping[str, str]


class Computing:
    """An actor. threads: of torch, OpenMP and BLAS. folder, path: where the parent is and imports.

    Another machine may have neither.
    """

    def __init__(self, threads: int, folder: str, path: Sequence[str]) -> None:
        os.environ.update(thread_variables(threads))  # before torch
        self._threads = threads
        with suppress(OSError):
            os.chdir(folder)
        sys.path += [entry for entry in path if entry not in sys.path]
        self._work: Any = None
        self._directory, self._growth = Directory(), Growth()

    def take(self, job: Job) -> Refusal | None:
        """Compute pieces of this job from now on, if that is possible here."""
        if unlike := _unlike(job.versions):
            return Refusal(unlike)
        if unseen := job.directory.unseen():
            return Refusal(unseen)
        self._work, self._directory = attempt_apart(pickle.loads, job.work), job.directory
        if not isinstance(self._work, Exception):
            return None
        refusal = Refusal.of_work(self._work)
        where = "" if refusal.unsendable else f"executor: a worker on {platform.node()}: "
        return replace(refusal, reason=where + refusal.reason)

    def compute(self, packed_piece: bytes) -> tuple[Reply, tuple[str, ...]]:
        """What becomes of a piece, and the files that were made."""
        if "torch" in sys.modules:  # a later import finds the number in the environment
            sys.modules["torch"].set_num_threads(self._threads)
        result, made = self._directory.compute(self._work, pickle.loads(packed_piece))
        return Reply.of(result, self._growth.after_a_piece()), made


def versions() -> dict[str, str]:
    """Of every distribution with plugins, and of torch: another version may draw otherwise."""
    found = {e.dist.name: e.dist.version for e in entry_points(group="fiber_audit") if e.dist}
    return {**found, "torch": version("torch").partition("+")[0]}  # less its kind of device


def _unlike(wanted: Mapping[str, str]) -> str:
    here = versions()
    for name, number in wanted.items():
        if here.get(name) != number:
            return (
                f"executor: a worker on {platform.node()} has {name} {here.get(name, 'not')}, this "
                f"process {number}; install the same on every node."
            )
    return ""
