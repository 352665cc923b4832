"""A plugin that does everything a plugin should not, where and when an option says."""

import ctypes
import gc
import importlib.util
import io
import locale
import os
import signal
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from fiber_audit import hookimpl
from fiber_audit.contracts import Learned, Statistic

_PATH = Path(__file__).parent.parent / "host" / "toy.py"
_SPEC = importlib.util.spec_from_file_location("faulty_toy", _PATH)
toy = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(toy)


class Stop(BaseException):
    """No Exception, as in libraries that cancel tasks or end tests."""


def _raise(error):
    raise error


def _grow():
    _grow.kept.append(np.ones(2_000_000))


_grow.kept = []


def _deadlock(library):
    """Wait in C for a lock that nobody will give back; no signal ends that."""
    lock = ctypes.create_string_buffer(64)
    Path("hangs").touch()
    library.pthread_mutex_lock(lock)
    library.pthread_mutex_lock(lock)


SETS = {
    "dtype": lambda: torch.set_default_dtype(torch.float64),
    "device": lambda: torch.set_default_device("meta"),
    "seed": lambda: (torch.manual_seed(0), np.random.seed(0)),  # noqa: NPY002
    "grad": lambda: torch.set_grad_enabled(False),
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16).__enter__(),
    "deterministic": lambda: torch.use_deterministic_algorithms(True),
    "threads": lambda: torch.set_num_threads(2),
    "seterr": lambda: np.seterr(all="raise"),
    "warnings": lambda: warnings.simplefilter("error"),
    "locale": lambda: locale.setlocale(locale.LC_ALL, "C"),
    "folder": lambda: os.chdir("/"),
    "variables": lambda: os.environ.update(FIBER_AUDIT_SET="draws=1", HOME="/nowhere"),
    "signals": lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    "stdout": lambda: setattr(sys, "stdout", io.StringIO()),
    "gc": gc.disable,
    "recursion limit": lambda: sys.setrecursionlimit(10_000),
}
"""Things to do that change the whole process."""
DEEDS = {
    "": lambda: None,
    # what it raises
    "error": lambda: 1 / 0,
    "exit": lambda: sys.exit(0),
    "stop": lambda: _raise(Stop("enough")),
    "interrupt": lambda: _raise(KeyboardInterrupt),
    "recursion": lambda: _raise(RecursionError("too deep")),
    "memory": lambda: _raise(MemoryError()),
    "iteration": lambda: _raise(StopIteration()),
    "generator": lambda: _raise(GeneratorExit()),
    "odd words": lambda: _raise(ValueError("\x1b[31m\ud800\0\n[red]'<b>")),
    **SETS,
    "everything": lambda: [deed() for deed in SETS.values()],
    # what it prints and keeps
    "print": lambda: (print("from Python"), os.write(1, b"from C\n")),  # noqa: T201
    "grow": _grow,
    # how it hangs
    "sleep": lambda: (Path("hangs").touch(), time.sleep(600)),
    "deadlock": lambda: _deadlock(ctypes.CDLL(None)),
    "deadlock, never letting go": lambda: _deadlock(ctypes.PyDLL(None)),
    # how it ends the process
    "crash": lambda: ctypes.string_at(0),
    "end": lambda: os._exit(0),
}


def spoilt(x, how):
    """What should be (n, d) float32, but is not."""
    match how:
        case "nan":
            return torch.full_like(x, torch.nan)
        case "one nan":
            return torch.where(torch.arange(len(x))[:, None] == 0, torch.nan, x)
        case "rows":
            return x[:-1]
        case "shape":
            return x[:, :-1]
        case "flat":
            return x.flatten()
        case "float64":
            return x.double()
        case "integers":
            return x.long()
        case "strings":
            return np.array(["a"] * len(x))
        case "none":
            return None
        case "objects":
            return np.array([object()] * len(x))
        case "meta":
            return x.to("meta")
    return x


class Points(toy.Points):
    """Takes its time, or does something, before anything is drawn."""

    def __init__(self, *, n: int = 5, seconds: float = 0.0, deed: str = ""):
        super().__init__(n=n)
        time.sleep(seconds)
        DEEDS[deed]()


class Faulty(toy.Projecting):
    """A sampler that takes its time over every batch, and does something in one of its methods."""

    def __init__(
        self,
        *,
        seconds: float = 0.0,
        deed: str = "",
        at: str = "sample",
        how: str = "",
        room: int = 1000,
    ):
        super().__init__()
        self.room = room
        self.seconds, self.deed, self.at, self.how = seconds, DEEDS[deed], at, how
        self._do("init")

    def _do(self, where):
        if self.at == where:
            self.deed()

    def prepare(self, extractor, prior):
        self._do("prepare")
        return Learned()

    def sample(self, problem, noise):
        time.sleep(self.seconds)
        if len(problem.targets) > self.room:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
        draws = super().sample(problem, noise)
        self._do("sample")
        if self.how == "nothing":
            return None
        return replace(draws, data=spoilt(draws.data, self.how))


class FaultyExtractor(toy.FirstTwo):
    """An extractor that does something whenever it looks."""

    def __init__(self, *, deed: str = "", how: str = ""):
        super().__init__()
        self.deed, self.how = DEEDS[deed], how

    def features(self, x):
        self.deed()
        return spoilt(super().features(x), self.how)


class FaultyLoss(toy.MeanLoss):
    """A metric that takes its time, and does something in one of its methods."""

    def __init__(
        self,
        *,
        look: float = 0.0,
        summary: float = 0.0,
        deed: str = "",
        at: str = "observe",
        how: str = "",
    ):
        super().__init__()
        self.look, self.summary = look, summary
        self.deed, self.at, self.how = DEEDS[deed], at, how

    def _do(self, where):
        if self.at == where:
            self.deed()

    def observe(self, block):
        time.sleep(self.look)
        self._do("observe")
        seen = super().observe(block)
        return {"loss": spoilt(seen["loss"][:, None], self.how)} if self.how else seen

    def summarise(self, seen):
        time.sleep(self.summary)
        self._do("summarise")
        return [Statistic(1.0)] if self.how else super().summarise(seen)

    def suspicious(self, seen):
        self._do("suspicious")

    def exhibits(self, records):
        self._do("exhibits")
        return ()


@hookimpl
def fiber_audit_datasets():
    return {"faulty-points": Points}


@hookimpl
def fiber_audit_extractors():
    return {"faulty-first-two": FaultyExtractor}


@hookimpl
def fiber_audit_samplers():
    return {"faulty": Faulty}


@hookimpl
def fiber_audit_metrics():
    return {"faulty_loss": FaultyLoss}
