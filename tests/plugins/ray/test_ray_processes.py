"""A Ray of our own ends with who started it, however that ends, leaves nothing and keeps quiet."""

import os
import signal
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from pathlib import Path

import pytest

pytest.importorskip("ray")

TOY = Path(__file__).with_name("ray_toy.py")
MARK = "RAY_EXECUTOR_TEST"
AGENTS = ("ray::DashboardAgent", "ray::RuntimeEnvAgent")
"""Ray's own, which look for its other processes for a minute before they end."""

pytestmark = [
    pytest.mark.slow,  # every test starts a Ray
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="reads /proc"),
]


class Script:
    """A program in a session of its own; all its descendants carry a mark."""

    def __init__(self, *arguments, **options):
        self.mark = uuid.uuid4().hex
        self.process = subprocess.Popen(
            [sys.executable, *map(str, arguments)],
            env={**os.environ, MARK: self.mark, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            **options,
        )

    def living(self):
        """Its processes: id -> what it is called."""
        found = {}
        for path in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it is gone
                if self.mark.encode() in (path / "environ").read_bytes():
                    found[int(path.name)] = (path / "cmdline").read_bytes().decode().strip("\0")
        return found

    def others(self):
        """Its processes but Ray's agents."""
        return {pid for pid, name in self.living().items() if not name.startswith(AGENTS)}

    def folders(self):
        """Folders of its Ray."""
        return list(Path("/tmp").glob(f"fa-ray-*-{self.process.pid}-*"))


def until(condition, seconds):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.fixture
def script():
    """Start a script; afterwards nothing of it is left, whatever the test found."""
    started = []

    def start(*arguments, **options):
        started.append(Script(*arguments, **options))
        return started[-1]

    yield start
    for each in started:
        for process in each.living():
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        each.process.communicate()


def test_stdout_holds_what_the_script_says_only_whatever_workers_print_or_die_of(script):
    done = script(TOY, "a", "noise", "kill", "os._exit")
    out, err = done.process.communicate()

    said = ["a str", "kill WorkerError", "noise str", "os._exit WorkerError"]
    assert sorted(out.splitlines()[:-1]) == said
    assert out.splitlines()[-1] == "the end"
    assert "Traceback" not in err
    until(lambda: not done.living(), 10)
    assert not done.folders()


def test_workers_die_with_a_script_that_is_killed_and_the_next_one_removes_its_folder(script):
    killed = script(TOY, "a", "frozen", "deaf")
    assert killed.process.stdout.readline() == "a str\n"
    assert killed.folders()
    killed.process.kill()
    killed.process.wait()
    until(lambda: not killed.others(), 10)

    script(TOY, "a").process.communicate()
    assert not killed.folders()


def test_ctrl_c_ends_hung_workers_with_one_traceback_and_leaves_nothing(script):
    hung = script(TOY, "a", "frozen", "deaf")
    assert hung.process.stdout.readline() == "a str\n"
    os.killpg(hung.process.pid, signal.SIGINT)  # as a terminal does: to all of them

    assert hung.process.wait(timeout=30) == -signal.SIGINT
    assert hung.process.stderr.read().count("Traceback") == 1
    until(lambda: not hung.living(), 10)
    assert not hung.folders()


def test_the_command_takes_sigterm_as_ctrl_c_also_after_ray_has_begun(script, tmp_path, toy_suite):
    suite = toy_suite('[samplers.slow]\nuse = "toy-projecting"\n')
    run = tmp_path / "run"
    entry = "from fiber_audit.commands.main import main; main()"
    toy = Path(__file__).parents[2] / "host" / "toy.py"
    small = ("--set", "queries.n=50", "--set", "batch_size=1")
    started = script("-c", entry, "run", suite, "--out", run, "--plugin", toy, *small, "--set",
                     "executor.use=ray")  # fmt: skip
    until(lambda: any((run / "observed").glob("*.npz")), 120)
    started.process.terminate()

    assert started.process.wait(timeout=30) == 2
    assert "run the same command again" in started.process.stderr.read()
    until(lambda: not started.living(), 10)
    assert not started.folders()


def last_words(*options):
    """The last line of the traceback of maps with these options, one after another."""
    code = "from fiber_audit_ray.executor import RayExecutor\n"
    code += "".join(f"list(RayExecutor({each}).map(str, 'ab'))\n" for each in options)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    return done.stderr.splitlines()[-1]


def test_an_address_without_a_cluster_is_one_sentence():
    said = last_words("address='127.0.0.1:1'")

    assert "UsageError: executor.address = '127.0.0.1:1': no Ray cluster answers there (" in said
    assert said.endswith("start one with `ray start --head`, or leave the address out.")


def test_more_gpus_than_this_machine_has_are_refused_at_once():
    assert "UsageError: executor.gpus: the workers ask for 128 GPUs" in last_words("gpus=64")


def test_a_process_has_one_ray_of_its_own_after_another_but_no_cluster_after_those():
    said = last_words("workers=1", "workers=1", "address='127.0.0.1:1'")

    assert said.endswith("whose token Ray keeps; connect from a new process.")
