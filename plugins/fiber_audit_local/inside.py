"""What runs inside a worker process: it reads pieces from a pipe, computes them and answers."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from fiber_audit import PluginError

READY = b"ready"
"""What a worker says first. Then it gives one answer to every piece."""


@dataclass(frozen=True)
class Answer:
    """A pickled result, or a pickled exception with its trace."""

    packed: bytes
    otherwise: str
    """What to say where it cannot be pickled, or not be unpickled."""
    trace: str = ""
    no_work: bool = False
    """True where `work` itself could not be unpickled: no piece will ever be computed."""

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


def attempt(work: Callable[[Any], Any], piece: Any) -> Any | Exception:
    """work(piece), or the exception that it raised, of whatever kind; Ctrl-C goes through.

    >>> attempt(int, "8"), attempt(int, "eight")
    (8, ValueError("invalid literal for int() with base 10: 'eight'"))
    """
    try:
        return work(piece)
    except Exception as error:  # plugins may raise anything; one piece pays for it
        return error
    except SystemExit as error:
        return PluginError(f"A plugin called sys.exit({error.code!r}); it should raise an error.")
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return _no_exception(error)


def _no_exception(error: BaseException) -> PluginError:
    return PluginError(f"A plugin raised {type(error).__name__}; it should raise an Exception.")


def serve(connection: Connection, threads: int, by_main_thread: bool) -> None:
    """Answer messages until the pipe closes or the parent dies.

    A message is pickled: (pickled work, or None for the one before; pickled piece).
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent answers Ctrl-C
    _end_with_the_parent(by_main_thread)
    _print_on_stderr()
    work: Any = None
    with suppress(EOFError, OSError):
        connection.send_bytes(READY)
        while True:
            packed_work, piece = pickle.loads(connection.recv_bytes())
            if packed_work is not None:
                work = attempt(pickle.loads, packed_work)
            if "torch" in sys.modules:  # a later import finds the number in the environment
                sys.modules["torch"].set_num_threads(threads)
            connection.send_bytes(pickle.dumps(_answer(work, piece)))


def _answer(work: Any, packed_piece: bytes) -> Answer:
    if isinstance(work, Exception):
        return Answer(b"", f"{type(work).__name__}: {work}", no_work=True)
    try:
        result = attempt(lambda packed: work(pickle.loads(packed)), packed_piece)
    except KeyboardInterrupt as error:  # not the user's: a worker does not hear Ctrl-C
        result = _no_exception(error)
    otherwise, trace = "The result of a piece cannot be sent between processes.", ""
    if isinstance(result, Exception):
        otherwise = f"{type(result).__name__}: {result}"
        trace = "".join(traceback.format_exception(result))
    try:
        return Answer(pickle.dumps(result), otherwise, trace)
    except Exception:
        return Answer(b"", otherwise, trace)


def _end_with_the_parent(by_main_thread: bool) -> None:
    """Die when the parent does, however it dies and whatever is computed here at that time."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    if sys.platform == "linux" and by_main_thread:
        # The kernel kills even code that never lets go of the interpreter. It does so when the
        # *thread* ends that started this process; only a main thread lives as long as the parent.
        PR_SET_PDEATHSIG = 1
        with suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent.pid:  # dead before that
            os._exit(1)

    def watch() -> None:
        parent.join()  # reads a pipe that closes with the parent: on any system, at any time
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _print_on_stderr() -> None:
    """What plugins print, from Python or C, is no part of the command's output."""
    with suppress(OSError):  # there is no stderr
        os.dup2(2, 1)
    sys.stdout = sys.stderr
