"""Work for the `local` executor that needs no torch; as a script, a parent with two workers.

python local_toy.py WAY PIECE...   computes obey(piece); prints "computing", then the results
"""

import atexit
import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time
from pathlib import Path


class Unreturnable(Exception):
    """Pickles, but cannot be made again from what was pickled."""

    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


class Unpicklable(Exception):
    def __reduce__(self):
        raise TypeError


class Homebody:
    def __reduce__(self):
        from fiber_audit.errors import UsageError

        raise UsageError("stays here")


def double(number):
    return 2 * number


def process(_):
    return os.getpid()


def hoard(megabytes):
    """Keep so much memory for ever, as what leaks does; return the process's id."""
    hoard.kept.append(b"x" * (megabytes << 20))
    return os.getpid()


hoard.kept = []


def tidy_up_later(path):
    """Make a file that this process removes when it ends."""
    Path(path).touch()
    atexit.register(Path(path).unlink)


def environment(name):
    return os.environ[name]


def die_once(path):
    """Kill this process at the first call, return its id at the second."""
    if not Path(path).exists():
        Path(path).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


class Obedient:
    """Does what a piece says; leaves a line in the file for every unpickling and every piece."""

    def __init__(self, file):
        self.file = file

    def __setstate__(self, state):
        self.__dict__.update(state)
        self("unpickled")

    def __call__(self, piece):
        with Path(self.file).open("a") as file:
            file.write(f"{piece} {os.getpid()}\n")
        return obey(piece)


def obey(piece):
    """Do what the piece says, and return it."""
    match piece:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "segfault":
            ctypes.string_at(0)
        case "os._exit":
            sys.stdout.write("last words\n")
            os._exit(7)
        case "sys.exit":
            sys.exit(0)
        case "unreturnable":
            raise Unreturnable(1, 2)
        case "unpicklable":
            raise Unpicklable("here only")
        case "lambda":
            return lambda: None
        case "wait":
            time.sleep(1)
        case "hang":
            time.sleep(600)
        case "deaf":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(600)
        case "frozen":  # in C, and never lets go of the interpreter
            ctypes.PyDLL(None).sleep(600)
        case "noise":
            sys.stdout.write("from Python\n")
            sys.stdout.flush()
            os.write(1, b"from C\n")
            os.system("echo from a child")
    return piece


def compute(pieces):
    """Compute the pieces in two workers."""
    with executor() as workers:
        say("computing")
        for piece, result in workers.map(obey, pieces):
            say(f"{piece} {result}")


def leave(pieces):
    """Begin, and come to the end of the script without ending the work."""
    executor.kept = executor().__enter__().map(obey, pieces)
    say(next(executor.kept))


def thread(pieces):
    """Begin in a thread that ends before the workers do; say how many workers that leaves."""
    results = executor().__enter__().map(obey, pieces)
    starter = threading.Thread(target=next, args=(results,))
    starter.start()
    starter.join()
    time.sleep(0.2)
    say(f"{len(multiprocessing.active_children())} workers")
    for result in results:
        say(result)


def executor():
    from fiber_audit_local.local import LocalExecutor

    return LocalExecutor(workers=2)


def say(words):
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    globals()[sys.argv[1]](sys.argv[2:])
elif __name__ == "__mp_main__":  # a worker is being started
    time.sleep(float(os.environ.get("SLOW_START", 0)))
