"""Files of a run that are cut, flipped, foreign or pickled are computed again, or do no harm."""

import pickle
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fiber_audit.records import read

TIMES = ["run_id", "started_at", "seconds", "git_sha", "git_dirty"]
KINDS = ["units/*.npz", "observed/*.npz", "gallery/*.npz", "identity.json", "environment.json",
         "items.json", "suite.toml"]  # fmt: skip


@pytest.fixture
def again(command, toy_suite, tmp_path):
    """Run a suite, let somebody damage a copy of its directory, and run it again."""
    line = ["run", str(toy_suite()), "--set", "batch_size=6", "--out"]
    assert command(*line, "whole").returncode == 0
    undamaged, run = tmp_path / "whole", tmp_path / "run"
    first = read(undamaged).drop(columns=TIMES)
    if not (undamaged / "items.json").exists():  # a table has none
        (undamaged / "items.json").write_text("{}\n")

    def call(damage):
        shutil.rmtree(run, ignore_errors=True)
        shutil.copytree(undamaged, run)
        damage(run)
        done = command(*line, "run")
        while done.returncode == 4:  # the user is told which file to delete
            path = Path(done.stderr.removeprefix("fiber-audit: ").partition(":")[0])
            assert "damaged" in done.stderr, done.stderr
            assert path.is_file()
            path.unlink()
            done = command(*line, "run")
        assert done.returncode == 0, done.stderr
        pd.testing.assert_frame_equal(first, read(run).drop(columns=TIMES), check_exact=True)

    return call


def flip(run, seed):
    """One bit of one file, by turns of every kind."""
    rng = np.random.default_rng(seed)
    path = rng.choice(sorted(run.glob(KINDS[seed % len(KINDS)])))
    content = bytearray(path.read_bytes())
    content[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
    path.write_bytes(content)


@pytest.mark.parametrize(
    "seeds", [range(7), pytest.param(range(60), marks=pytest.mark.slow)], ids=["some", "all"]
)
def test_a_flipped_bit_is_found_or_does_no_harm(again, seeds):
    wrong = []
    for seed in seeds:
        try:
            again(partial(flip, seed=seed))
        except AssertionError as error:
            wrong.append((seed, KINDS[seed % len(KINDS)], str(error)[:300]))
    assert not wrong, wrong


@pytest.mark.parametrize("part", [0.0, 0.5, 0.99])
def test_files_that_are_cut_are_made_again(again, part):
    def cut(run):
        for kind in KINDS:
            for path in run.glob(kind):
                content = path.read_bytes()
                path.write_bytes(content[: int(part * len(content))])

    again(cut)


def rewritten(path, change):
    """Give a file of arrays other ones, as a whole file with good checksums."""
    with np.load(path, allow_pickle=False) as archive:
        arrays = dict(archive)
    with path.open("wb") as file:
        np.savez(file, **change(arrays))


NAMES = ("of", "query", "draw")
ODD = {
    "nothing": lambda arrays: {},
    "only names": lambda arrays: {k: arrays[k] for k in NAMES if k in arrays},
    "one row": lambda arrays: {k: x if k in NAMES else x[:1] for k, x in arrays.items()},
    "numbers": lambda arrays: {k: np.float64(3) for k in arrays},
    "zeros": lambda arrays: {k: x if k in NAMES else 0 * x for k, x in arrays.items()},
}


@pytest.mark.parametrize("odd", ODD)
def test_a_whole_file_with_other_arrays_is_made_again(again, pageless, odd):
    def change(run):
        for path in [*run.glob("units/*.npz"), *run.glob("observed/*.npz")]:
            rewritten(path, ODD[odd])

    again(change)


def test_a_file_of_another_run_is_not_taken_for_ones_own(
    again, command, pageless, toy_suite, tmp_path
):
    """Not even under the name that this run would give it."""
    other = ["run", str(toy_suite(name="other.toml")), "--out", "other", "--set", "batch_size=6"]
    command(*other, "--set", "samplers.proj.strength=0.5", "--set", "seed=7")

    def swap(run):
        for kind in ("units", "observed"):
            mine, theirs = (sorted((r / kind).glob("*.npz")) for r in (run, tmp_path / "other"))
            for path, foreign in zip(mine, theirs, strict=True):
                shutil.copy(foreign, path)

    again(swap)


class Bomb:
    """Leaves a file where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_pickle_in_a_run_is_never_executed(again, tmp_path):
    bomb = Bomb(tmp_path / "went off")

    def plant(run):
        for path in run.rglob("*.npz"):
            rewritten(path, lambda arrays: {**arrays, "data": np.array([bomb], dtype=object)})
        for path in sorted((run / "units").glob("*.npz"))[:2]:
            path.write_bytes(pickle.dumps(bomb))

    again(plant)

    assert not bomb.path.exists()
    pickle.loads(pickle.dumps(bomb))  # it would have gone off
    assert bomb.path.exists()
