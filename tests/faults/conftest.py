"""A toy world that is slow or faulty, and commands in processes of their own that can be killed."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from toy_suite import TOY_SUITE

HERE = Path(__file__).parent
TOY, FAULTY = HERE.parent / "host" / "toy.py", HERE / "faulty.py"
PLUGINS = ("--plugin", str(TOY), "--plugin", str(FAULTY))


class Started:
    """A running `fiber-audit` in a session of its own."""

    def __init__(self, zygote, folder, arguments, ignored, err):
        self._zygote, self._err = zygote, folder / err
        self._err.write_text("")
        order = {"folder": str(folder), "arguments": arguments, "ignored": ignored, "err": err}
        self.id = zygote(order)
        self.code = None

    def send(self, number, id=None):
        """Send it, or a process of it, a signal."""
        with suppress(ProcessLookupError):
            os.kill(id or self.id, number)

    def wait(self):
        """Its exit code, once it has ended."""
        if self.code is None:
            self.code = self._zygote({"wait": self.id})
        return self.code

    def poll(self):
        """Its exit code, or None while it runs."""
        if self.code is None:
            self.code = self._zygote({"poll": self.id})
        return self.code

    @property
    def err(self):
        """What it wrote to stderr."""
        return self._err.read_text()

    def others(self):
        """The processes that it started and that live, by the session that they share with it."""
        every = (int(path.name) for path in Path("/proc").glob("[0-9]*"))
        return [id for id in every if id != self.id and self._ours(id)]

    def _ours(self, id):
        try:
            state, _, _, session = (
                Path(f"/proc/{id}/stat").read_text().rpartition(")")[2].split()[:4]
            )
        except OSError:  # it is gone
            return False
        return int(session) == self.id and state != "Z"

    def end(self):
        """Kill whatever is left."""
        for id in (*self.others(), *([self.id] if self.code is None else [])):
            with suppress(ProcessLookupError):
                os.kill(id, signal.SIGKILL)
        self.wait()


@pytest.fixture(scope="session")
def zygote():
    """Start a command, or wait for one: see zygote.py."""
    process = subprocess.Popen(
        [sys.executable, str(HERE / "zygote.py")],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def ask(order):
        process.stdin.write(f"{json.dumps(order)}\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    process.stdin.write(f"{json.dumps([TOY_SUITE, PLUGINS])}\n")
    yield ask
    process.communicate(timeout=60)


@pytest.fixture
def begin(zygote, tmp_path):
    """Start `fiber-audit ARGUMENTS` in tmp_path with the plugins toy.py and faulty.py."""
    if not Path("/proc/self/stat").exists():
        pytest.skip("reads /proc")
    started = []

    def start(*arguments, ignored=(), err="err"):
        started.append(Started(zygote, tmp_path, [*arguments, *PLUGINS], [*ignored], err))
        return started[-1]

    yield start
    for each in started:
        each.end()


@pytest.fixture
def here(command):
    """Run `fiber-audit ARGUMENTS` with both plugins in tmp_path, in this process."""
    return lambda *arguments: command(*arguments, "--plugin", str(FAULTY))


@pytest.fixture
def until():
    """Wait until something holds, but no longer than some seconds."""

    def wait(condition, seconds=60.0):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "it took too long"
            time.sleep(0.01)

    return wait


@pytest.fixture
def suite(tmp_path):
    """Write a suite of the toy world with other lines, and return its path."""

    def write(more="", name="suite.toml"):
        path = tmp_path / name
        path.write_text(TOY_SUITE + more)
        return str(path)

    return write
