"""The `local` executor's processes end with their parent, however it ends, and keep quiet."""

import os
import signal
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from pathlib import Path

import pytest

TOY = Path(__file__).with_name("local_toy.py")
MARK = "LOCAL_EXECUTOR_TEST"

needs_proc = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="reads /proc")


class Parent:
    """local_toy.py in a session of its own; all its descendants carry a mark."""

    def __init__(self, *arguments, program=TOY, **environment):
        self.mark = uuid.uuid4().hex
        self.process = subprocess.Popen(
            [sys.executable, str(program), *arguments],
            env={**os.environ, "PYTHONUNBUFFERED": "", MARK: self.mark, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def says(self, line):
        """Whether this is the next line of its output."""
        return self.process.stdout.readline() == f"{line}\n"

    def living(self):
        """The ids of the processes with our mark."""
        return [
            path.parent.name for path in Path("/proc").glob("[0-9]*/environ") if self._ours(path)
        ]

    def _ours(self, path):
        try:
            return self.mark.encode() in path.read_bytes()
        except OSError:  # it is gone
            return False


def _until(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def parent():
    """Start a parent; afterwards nothing of it is left, whatever the test found."""
    started = []

    def start(*arguments, **environment):
        started.append(Parent(*arguments, **environment))
        return started[-1]

    yield start
    for each in started:
        for process in each.living():
            os.kill(int(process), signal.SIGKILL)
        each.process.communicate()


@needs_proc
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_workers_and_their_tracker_end_with_their_parent(parent, end):
    script = parent("compute", "a", "frozen", "deaf")
    assert script.says("computing")
    assert script.says("a a")
    _until(lambda: len(script.living()) == 4, seconds=60)
    script.process.send_signal(end)

    _until(lambda: not script.living())
    assert script.process.wait() == -end


@needs_proc
def test_workers_that_are_only_starting_end_with_their_parent_too(parent):
    script = parent("compute", "a", "b", "c", SLOW_START="1")
    assert script.says("computing")
    _until(lambda: len(script.living()) == 4, seconds=60)
    script.process.kill()

    _until(lambda: not script.living())


@needs_proc
def test_workers_outlive_the_thread_that_started_them_but_not_the_process(parent):
    script = parent("thread", "a", "hang", "deaf")
    assert script.says("2 workers")
    script.process.kill()

    _until(lambda: not script.living())


@needs_proc
def test_a_script_that_ends_without_closing_anything_ends(parent):
    script = parent("leave", "a", "hang", "deaf")
    assert script.says("('a', 'a')")

    _until(lambda: not script.living())
    assert script.process.wait() == 0


@needs_proc
def test_ctrl_c_ends_hung_workers_at_once_with_one_traceback(parent):
    script = parent("compute", "a", "frozen", "deaf")
    assert script.says("computing")
    assert script.says("a a")
    os.killpg(script.process.pid, signal.SIGINT)  # as a terminal does: to all of them

    _until(lambda: not script.living())
    assert script.process.wait() == -signal.SIGINT
    assert script.process.stderr.read().count("Traceback") == 1


@needs_proc
def test_workers_leave_ctrl_c_to_their_parent_also_while_they_start(parent):
    script = parent("compute", "a", "wait", "b", SLOW_START="1")
    assert script.says("computing")
    _until(lambda: len(script.living()) == 4, seconds=60)
    time.sleep(0.5)  # until Python is there to be interrupted
    while script.process.poll() is None:
        for process in set(script.living()) - {str(script.process.pid)}:
            with suppress(ProcessLookupError):
                os.kill(int(process), signal.SIGINT)
        time.sleep(0.05)
    out, err = script.process.communicate()

    assert sorted(out.splitlines()) == ["a a", "b b", "wait wait"]
    assert err == ""


def test_what_work_prints_goes_to_stderr_also_the_last_words_of_a_worker(parent):
    out, err = parent("compute", "noise", "os._exit", "a").process.communicate()

    assert {"a a", "computing", "noise noise"} < set(out.splitlines())
    assert not {"last words", "from C", "from Python", "from a child"} & set(out.splitlines())
    assert {"last words", "from C", "from Python", "from a child"} == set(err.splitlines())


def test_a_script_without_a_guard_is_told_so_and_ends(parent, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from fiber_audit_local.local import LocalExecutor\n"
        "list(LocalExecutor(workers=2).map(str, range(100)))\n"
    )
    error = parent(program=script).process.communicate()[1].splitlines()[-1]

    assert "Workers cannot be started: the last one ended with exit code 1" in error
    assert 'if __name__ == "__main__":' in error
