"""Killed at any moment and run again: the same records, no orphans and no litter."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fiber_audit.files import PREFIX, _machine, sweep
from fiber_audit.records import read

TIMES = ["run_id", "started_at", "seconds", "git_sha", "git_dirty"]
PACE = [
    "queries.use='faulty-points'", "queries.seconds=0.1", "batch_size=3",
    "samplers.proj.use='faulty'", "samplers.proj.seconds=0.05",
    "metrics=[{use='toy_loss'},{use='faulty_loss',look=0.02,summary=0.1}]",
]  # fmt: skip
"""So slow that a signal finds it preparing, drawing, looking, measuring or writing."""


def files(run):
    """What is in a run directory, but the log, which tells what happened."""
    found = {str(path.relative_to(run)) for path in run.rglob("*")} if run.exists() else set()
    return found - {"log.jsonl"}


def arguments(suite, out, *more):
    settings = [word for setting in (*PACE, *more) for word in ("--set", setting)]
    return ["run", suite(), "--out", out, *settings]


@pytest.fixture
def whole(begin, suite, tmp_path):
    """The directory of a run that nobody disturbed."""
    assert begin(*arguments(suite, "whole")).wait() == 0
    return tmp_path / "whole"


@pytest.fixture
def some_moment(until, whole):
    """Wait for the `seed`-th of `count` moments of a run: so many files are there, and a bit."""

    def wait(started, run, seed, count):
        rng = np.random.default_rng(seed)
        wanted = int((seed + rng.random()) / count * len(files(whole)))
        until(lambda: len(files(run)) >= wanted or started.poll() is not None)
        time.sleep(rng.uniform(0, 0.15))
        return wanted

    return wait


def same(one, other):
    assert files(one) == files(other)
    frames = [read(run).drop(columns=TIMES) for run in (one, other)]
    pd.testing.assert_frame_equal(*frames, check_exact=True)


def workers(started):
    """The worker processes of a command."""
    return [id for id in started.others() if b"spawn_main" in _line(id)]


def _line(id):
    try:
        return Path(f"/proc/{id}/cmdline").read_bytes()
    except OSError:  # it is gone
        return b""


@pytest.mark.parametrize(
    "count", [2, pytest.param(20, marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_a_run_that_is_killed_and_run_again_gives_the_same_records(
    begin, suite, tmp_path, whole, some_moment, until, count
):
    killed = 0
    for seed in range(count):
        out = f"killed-{seed}"
        run = begin(*arguments(suite, out))
        some_moment(run, tmp_path / out, seed, count)
        victims = [run.id] if seed % 2 else run.others()
        for victim in victims:
            run.send(signal.SIGKILL, victim)
        killed += run.wait() in (-signal.SIGKILL, 3)
        until(lambda run=run: not run.others(), seconds=5)

        assert begin(*arguments(suite, out)).wait() == 0
        same(whole, tmp_path / out)
    assert killed >= count - 1


def test_what_a_dead_process_left_is_swept_though_nobody_asked_how_it_ended(tmp_path):
    litter = 'tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-{_machine()}-", dir=sys.argv[1])'
    code = f"import os, sys, tempfile; from fiber_audit.files import PREFIX, _machine; {litter}"
    zombie = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    assert len([*tmp_path.iterdir()]) == 1
    sweep(tmp_path)

    assert [*tmp_path.iterdir()] == []
    assert zombie.wait() == 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_workers_end_with_a_killed_parent_and_the_run_goes_on_with_others(
    begin, suite, tmp_path, whole, some_moment, until, seed
):
    run = begin(*arguments(suite, "killed", "executor.workers=2"))
    some_moment(run, tmp_path / "killed", seed, 5)
    run.send(signal.SIGKILL)
    run.wait()
    until(lambda: not run.others(), seconds=5)

    assert begin(*arguments(suite, "killed")).wait() == 0
    same(whole, tmp_path / "killed")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_a_killed_worker_costs_a_run_nothing(
    begin, suite, tmp_path, whole, some_moment, until, seed
):
    run = begin(*arguments(suite, "killed", "executor.workers=2"))
    until(lambda: workers(run) or run.poll() is not None)
    some_moment(run, tmp_path / "killed", seed, 5)
    for id in workers(run)[seed % 2 :][:1]:
        half = f"{PREFIX}{id}-{_machine()}-0"  # as if it was writing
        (tmp_path / "killed" / "units" / half).touch()
        run.send(signal.SIGKILL, id)

    assert run.wait() == 0, run.err
    until(lambda: not run.others(), seconds=5)
    same(whole, tmp_path / "killed")
