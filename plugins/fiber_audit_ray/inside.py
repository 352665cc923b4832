"""What runs in an actor: it takes work once, computes pieces of it and answers."""

from __future__ import annotations

import os
import pickle
import platform
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import entry_points, version
from typing import Any

from fiber_audit import PluginError

from .attempt import attempt
from .directory import Directory

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_EXACTLY = {"MKL_DYNAMIC": "FALSE"}  # or else MKL, and torch with it, stops at the number of cores


@dataclass(frozen=True)
class Job:
    """Pickled work, where its files are, and the versions of what computes it."""

    work: bytes
    directory: Directory
    versions: Mapping[str, str]


@dataclass(frozen=True)
class Refusal:
    """Why a worker does not take a job, a sentence. unsendable: it cannot be unpickled."""

    reason: str
    unsendable: bool = False


@dataclass(frozen=True)
class Answer:
    """A pickled result, or a pickled exception with its trace, and the files that were made."""

    packed: bytes
    otherwise: str
    """What to say where it cannot be pickled, or not be unpickled."""
    trace: str = ""
    made: tuple[str, ...] = ()

    @property
    def result(self) -> Any | Exception:
        """What work gave or raised."""
        try:
            result = pickle.loads(self.packed)
        except Exception:  # classes may raise anything here, or be known to the worker only
            result = PluginError(self.otherwise)
        if self.trace and not isinstance(result, Exception):  # a strange __reduce__
            result = PluginError(self.otherwise)
        if self.trace:
            result.add_note(self.trace)
        return result


class Computing:
    """An actor. threads: of torch, OpenMP and BLAS. folder, path: where the parent is and imports.

    Another machine may have neither.
    """

    def __init__(self, threads: int, folder: str, path: Sequence[str]) -> None:
        os.environ.update({**dict.fromkeys(_THREADS, str(threads)), **_EXACTLY})  # before torch
        self._threads = threads
        with suppress(OSError):
            os.chdir(folder)
        sys.path += [entry for entry in path if entry not in sys.path]
        self._work: Any = None
        self._directory = Directory()

    def take(self, job: Job) -> Refusal | None:
        """Compute pieces of this job from now on, if that is possible here."""
        if unlike := _unlike(job.versions):
            return Refusal(unlike)
        if unseen := job.directory.unseen():
            return Refusal(unseen)
        self._work, self._directory = attempt(pickle.loads, job.work), job.directory
        if isinstance(self._work, Exception):
            return Refusal(f"{type(self._work).__name__}: {self._work}", unsendable=True)
        return None

    def compute(self, packed_piece: bytes) -> Answer:
        """What becomes of a piece."""
        if "torch" in sys.modules:  # a later import finds the number in the environment
            sys.modules["torch"].set_num_threads(self._threads)
        result, made = self._directory.compute(self._work, pickle.loads(packed_piece))
        otherwise, trace = "The result of a piece cannot be sent between processes.", ""
        if isinstance(result, Exception):
            otherwise = f"{type(result).__name__}: {result}"
            trace = "".join(traceback.format_exception(result))
        try:
            return Answer(pickle.dumps(result), otherwise, trace, made)
        except Exception:
            return Answer(b"", otherwise, trace, made)


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
