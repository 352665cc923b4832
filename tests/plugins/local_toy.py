"""Work for the `local` executor that needs no torch; as a script, a parent with workers.

python local_toy.py threads|main WORK PIECE...   prints "computing" and then its results
"""

import ctypes
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


def double(number):
    return 2 * number


def process(_):
    return os.getpid()


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
    """Do what the piece says."""
    match piece:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "segfault":
            ctypes.string_at(0)
        case "os._exit":
            os._exit(7)
        case "sys.exit":
            sys.exit(0)
        case "unreturnable":
            raise Unreturnable(1, 2)
        case "unpicklable":
            raise Unpicklable("here only")
        case "lambda":
            return lambda: None
        case "hang":
            time.sleep(600)
        case "deaf":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(600)
        case "frozen":  # never lets go of the interpreter
            ctypes.PyDLL(None).sleep(600)
        case "print":
            print("printed")
            os.system("echo echoed")
        case "wait":
            time.sleep(1)
    return piece


def main(where, work, *pieces):
    from fiber_audit_local.local import LocalExecutor

    def compute():
        with LocalExecutor(workers=2) as executor:
            print("computing", flush=True)
            for piece, result in executor.map(globals()[work], pieces):
                print(piece, result, flush=True)

    if where == "thread":
        thread = threading.Thread(target=compute)
        thread.start()
        thread.join()
    else:
        compute()


if __name__ == "__main__":
    main(*sys.argv[1:])
elif os.environ.get("SLOW_IMPORT") and __name__ == "__mp_main__":
    time.sleep(1)
