"""A command runs in a child of the process that was started, which hears signals for it.

Compiled code that hangs hears none and compiled code that crashes says nothing; the parent stops
the one, and tells of the other. Whatever happens, there is a sentence and one of our exit codes.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

from .shared import Exit, say

GRACE = 10.0
"""Seconds in which a command that is to stop may clean up."""
AGAIN = "run the same command again to compute what is missing"
_STOPS = ("SIGINT", "SIGTERM", "SIGHUP")


def supervised(command: Callable[[], int], quick: bool = False) -> int:
    """The exit code of a command. A quick one, or where no process can fork, is called here."""
    stops = [getattr(signal, name) for name in _STOPS if hasattr(signal, name)]
    heard = [n for n in stops if signal.getsignal(n) is not signal.SIG_IGN]  # not under nohup
    if quick or not hasattr(os, "fork"):
        _listen(heard)
        return command()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, stops)  # until somebody listens
    result, told = os.pipe()
    parent, child = os.getpid(), os.fork()
    if child:
        os.close(told)
        return _watched(child, result, heard, mask)
    _end_with(parent)
    _listen(heard)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    code = command()
    os.write(told, bytes([code]))  # it counts, whatever libraries do while Python ends
    return code


def _listen(stops: list[signal.Signals]) -> None:
    """Make the first signal a Ctrl-C; a terminal, and who stops a whole group, send several."""
    stopped = False

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal stopped
        if not stopped:
            stopped = True
            raise KeyboardInterrupt

    for each in stops:
        signal.signal(each, interrupt)


def _watched(
    child: int, result: int, stops: list[signal.Signals], mask: set[signal.Signals | int]
) -> int:
    """Wait for the child; pass signals on, and kill it if it does not stop."""
    stopped = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopped
        if not stopped:
            signal.setitimer(signal.ITIMER_REAL, GRACE)
        stopped = True
        _send(child, signal.SIGTERM if signal.SIGTERM in stops else number)

    signal.signal(signal.SIGALRM, lambda number, frame: _send(child, signal.SIGKILL))
    for each in stops:
        signal.signal(each, stop)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    signal.setitimer(signal.ITIMER_REAL, 0)
    if told := os.read(result, 1):
        return told[0]
    if stopped:
        say(f"interrupted while a plugin hung; {AGAIN}.")
        return Exit.INTERRUPTED
    how = f"by {signal.Signals(-code).name}" if code < 0 else f"by a plugin or library, with {code}"
    hint = " (memory may have run out)" if code == -signal.SIGKILL else ""
    say(f"ended {how}{hint}; what is finished is kept, {AGAIN}.")
    return Exit.INTERNAL


def _send(child: int, number: int) -> None:
    with suppress(ProcessLookupError):  # it has just ended
        os.kill(child, number)


def _end_with(parent: int) -> None:
    """Die when the parent does, however it dies."""
    if sys.platform == "linux":
        PR_SET_PDEATHSIG = 1
        with suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # dead before that
            os._exit(Exit.INTERRUPTED)
