"""What runs inside a worker process: it reads pieces from a pipe, computes them and answers."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import pickle
import signal
import sys
import threading
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from fiber_audit.computing import Growth, Refusal, Reply, attempt, attempt_apart

READY = b"ready"
"""What a worker says first. Then it gives one answer to every piece."""


def serve(connection: Connection, threads: int, by_main_thread: bool) -> None:
    """Reply messages until the pipe closes or the parent dies.

    A message is pickled: (pickled work, or None for the one before; pickled piece).
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent answers Ctrl-C
    _end_with_the_parent(by_main_thread)
    _print_on_stderr()
    work: Any = None
    growth = Growth()
    with suppress(EOFError, OSError):
        connection.send_bytes(READY)
        while True:
            packed_work, piece = pickle.loads(connection.recv_bytes())
            if packed_work is not None:
                work = attempt(pickle.loads, packed_work)
            if "torch" in sys.modules:  # a later import finds the number in the environment
                sys.modules["torch"].set_num_threads(threads)
            connection.send_bytes(pickle.dumps(_answer(work, piece, growth)))


def _answer(work: Any, packed_piece: bytes, growth: Growth) -> Reply | Refusal:
    if isinstance(work, Exception):
        return Refusal.of_work(work)
    result = attempt_apart(lambda packed: work(pickle.loads(packed)), packed_piece)
    return Reply.of(result, growth.after_a_piece())


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
