"""The `ray` executor on a real Ray of this machine: same answers as `local`, whatever happens."""

import importlib
import os
import sys
import time
from itertools import islice
from pathlib import Path

import pandas as pd
import pytest
from fiber_audit_ray import pool
from fiber_audit_ray.executor import RayExecutor
from fiber_audit_ray.session import Session
from measured import measured

from fiber_audit.computing import WorkerError
from fiber_audit.errors import FiberAuditError, PluginError, UsageError

pytest.importorskip("ray")
pytest.importorskip("fsspec")

FAULTS = {
    "kill": "Its worker was lost: .*process has died",
    "hang": "timeout = 6 seconds",
    "lambda": "cannot be sent between processes",
    "sys.exit": r"sys\.exit\(0\)",
    "unreturnable": "Unreturnable: 1 and 2",
}


@pytest.fixture(scope="module", autouse=True)
def cluster():
    """One Ray for all tests; executors use the one that this process is connected to."""
    with Session("", 2, 0):
        yield


@pytest.fixture(scope="module")
def toy():
    """tests/plugins/local_toy.py, importable here and in the workers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[1])
        yield importlib.import_module("local_toy")


def runs(pid):
    return Path(f"/proc/{pid}").exists() if Path("/proc").exists() else False


class Counting:
    """A sequence that counts how far it was looked at."""

    def __init__(self, n):
        self.n, self.looked = n, 0

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        if i >= self.n:
            raise IndexError
        self.looked = max(self.looked, i + 1)
        return i


def test_every_piece_comes_once_and_workers_stay_and_take_new_work(toy):
    with RayExecutor(workers=2) as executor:
        assert sorted(executor.map(toy.double, range(7))) == [(n, 2 * n) for n in range(7)]
        found = {process for _ in range(3) for _, process in executor.map(toy.process, range(6))}
        assert list(executor.map(toy.double, [])) == []

    assert 1 <= len(found) <= 2
    assert os.getpid() not in found


def test_a_faulty_piece_gives_an_error_in_its_place_and_the_others_their_results(toy, tmp_path):
    work = toy.Obedient(tmp_path / "log")
    found = dict(RayExecutor(workers=2, timeout=6, retries=1).map(work, ["a", *FAULTS, "b", "c"]))
    log = (tmp_path / "log").read_text()

    assert {p: found[p] for p in "abc"} == {p: p for p in "abc"}
    for piece, sentence in FAULTS.items():
        assert isinstance(found[piece], FiberAuditError)
        with pytest.raises((PluginError, WorkerError), match=sentence):
            raise found[piece]
    assert log.count("kill") == 2  # tried again, as often as was said
    assert log.count("hang") == 1
    assert "local_toy.py" in "".join(found["unreturnable"].__notes__)


def test_the_piece_of_a_killed_worker_is_computed_again_by_another(toy, tmp_path):
    found = dict(RayExecutor(workers=2).map(toy.die_once, [tmp_path / "a", tmp_path / "b"]))

    assert sorted(found) == [tmp_path / "a", tmp_path / "b"]
    assert all(isinstance(process, int) for process in found.values())


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="nobody tells of memory")
def test_a_worker_that_keeps_more_and_more_memory_is_replaced_by_another(toy):
    found = list(RayExecutor(workers=1, growth=0.03).map(toy.hoard, [20] * 6))

    assert len(found) == 6
    assert len({process for _, process in found}) == 2


def test_pieces_are_looked_at_one_by_one_and_not_far_beyond_what_was_taken(toy):
    pieces = Counting(100_000)
    results = RayExecutor(workers=2).map(toy.double, pieces)
    taken = len(list(islice(results, 5)))
    results.close()

    assert taken <= pieces.looked <= taken + 2 * 2


def test_closing_the_generator_ends_a_hung_worker_at_once_and_frees_its_place(toy, tmp_path):
    results = RayExecutor(workers=2).map(toy.Obedient(tmp_path / "log"), ["a", "deaf"])
    next(results)
    while "deaf" not in (tmp_path / "log").read_text():
        time.sleep(0.1)
    pids = [line.split()[1] for line in (tmp_path / "log").read_text().splitlines()]
    start = time.monotonic()
    results.close()
    assert time.monotonic() - start < 5

    deadline = time.monotonic() + 30
    while any(map(runs, pids)):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_leaving_the_context_ends_a_map_that_nobody_closed(toy):
    with RayExecutor(workers=1) as executor:
        results = executor.map(toy.obey, ["a", "hang"])
        next(results)

    with pytest.raises(UsageError, match="ended before"):
        list(results)


@pytest.mark.parametrize(
    ("work", "pieces"), [(lambda piece: piece, "ab"), (str, [lambda: None, "b"])]
)
def test_what_lives_in_this_process_is_refused_in_one_sentence(work, pieces):
    with pytest.raises(UsageError, match=r"cannot be sent to workers \(.+\); use .+ one worker\.$"):
        list(RayExecutor(workers=1).map(work, pieces))


def test_a_worker_larger_than_every_node_is_one_sentence_and_no_endless_wait(monkeypatch):
    monkeypatch.setattr(pool, "PATIENCE", 0.0)

    with pytest.raises(WorkerError, match=r"no node of the cluster has cpus = 1 and gpus = 64;"):
        list(RayExecutor(gpus=64).map(str, "ab"))


def test_half_a_gpu_more_than_one_is_refused():
    with pytest.raises(UsageError, match=r"gpus = 1\.5: whole GPUs"):
        RayExecutor(gpus=1.5)


@pytest.mark.parametrize(("library", "storage"), [("ray", ""), ("fsspec", "s3://bucket")])
def test_a_missing_library_is_one_sentence_with_the_command(monkeypatch, library, storage):
    monkeypatch.setitem(sys.modules, library, None)

    with pytest.raises(UsageError, match=rf'{library} is not .*pip install "fiber-audit\[ray\]"'):
        RayExecutor(storage=storage)


def on_ray_and_here(command, toy_suite, tmp_path, *settings):
    """Run a suite both ways; their records are the same."""
    more = '[samplers.half]\nuse = "toy-projecting"\nstrength = 0.5\n'
    line = ["run", str(toy_suite(more)), "--set", "batch_size=6", "--out"]
    there = command(*line, "there", "--set", "executor.use=ray", *settings)
    here = command(*line, "here")

    assert [there.returncode, here.returncode] == [0, 0], there.stderr
    pd.testing.assert_frame_equal(measured(tmp_path / "there"), measured(tmp_path / "here"))


def test_a_run_on_ray_has_the_records_of_local_by_a_shared_folder(command, toy_suite, tmp_path):
    on_ray_and_here(command, toy_suite, tmp_path)


@pytest.mark.slow  # the test below has a storage, too
def test_a_run_on_ray_has_the_records_of_local_by_a_storage(command, toy_suite, tmp_path):
    storage = f"executor.storage=file://{tmp_path / 'storage'}"
    on_ray_and_here(command, toy_suite, tmp_path, "--set", storage, "--workers", "1")

    for kind in ("units", "observed"):
        stored = {path.name for path in (tmp_path / "storage" / "there" / kind).iterdir()}
        assert stored == {path.name for path in (tmp_path / "there" / kind).iterdir()}


def written(folder):
    """Name -> time of change of every file."""
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_a_run_goes_on_where_only_this_process_has_the_draws(command, toy_suite, tmp_path):
    """Another metric looks at draws that no worker's file system and no storage holds."""
    suite = str(toy_suite())
    assert command("run", suite, "--out", "run").returncode == 0
    before = written(tmp_path / "run" / "units")
    done = command("run", suite, "--out", "run", "--set", 'metrics=["toy_loss", "diversity"]',
                   "--set", "executor.use=ray", "--workers", "1",
                   "--set", f"executor.storage=file://{tmp_path / 'storage'}")  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert written(tmp_path / "run" / "units") == before  # read there, not drawn again
    assert {*written(tmp_path / "storage" / "run" / "units")} == {*before}


def test_a_storage_that_workers_do_not_see_is_one_sentence(command, toy_suite):
    done = command("run", str(toy_suite()), "--set", "executor.use=ray",
                   "--set", "executor.storage=memory://here")  # fmt: skip

    assert done.returncode == 4
    assert "a worker on" in done.stderr
    assert "does not see memory://here/" in done.stderr
    assert "Traceback" not in done.stderr
