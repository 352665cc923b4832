"""Whoever reads a run's files again finds a flipped bit in any of them, or needs none of it."""

import shutil
from collections.abc import Callable

import numpy as np
import pytest

from fiber_audit.records import read

COLUMNS = ["audit", "metric", "statistic", "value", "ci_low", "ci_high", "status", "condition"]
CONDITION = '\n[[conditions]]\nmetric = "toy_loss"\nextractor = "two"\nmax = 0.5\n'
READERS: dict[str, tuple[list[str], Callable]] = {
    "report": (["report", "run"], lambda out: (out / "run/report.html").read_text()),
    "export": (
        ["export", "run", "--to", "junit", "--out", "out"],
        lambda out: [path.read_bytes() for path in sorted((out / "out").rglob("*.xml"))],
    ),
    "compare": (["compare", "run", "whole"], lambda out: None),
    "forecast": (["run", "toy.toml", "--out", "run", "--dry-run"], lambda out: None),
    "merge": (
        ["merge", "run", "--out", "all"],
        lambda out: read(out / "all")[COLUMNS].to_csv(),
    ),
}
"""Commands that read a run, and what they make of it besides what they print."""


@pytest.fixture
def whole(command, toy_suite, tmp_path):
    """A finished run with conditions, pictures and tables."""
    suite = str(toy_suite(CONDITION))
    assert command("run", suite, "--out", "whole").returncode == 0
    return tmp_path / "whole"


@pytest.mark.parametrize("verb", READERS)
@pytest.mark.parametrize(
    "seeds", [range(1), pytest.param(range(1, 9), marks=pytest.mark.slow)], ids=["one", "more"]
)
def test_a_flipped_bit_in_any_file_of_a_run_is_told_or_changes_nothing(
    command, tmp_path, whole, pageless, verb, seeds
):
    line, made = READERS[verb]

    def result(damaged="", seed=0):
        for folder in ("run", "all", "out"):
            shutil.rmtree(tmp_path / folder, ignore_errors=True)
        shutil.copytree(whole, tmp_path / "run")
        if damaged:
            flip(tmp_path / "run" / damaged, seed)
        done = command(*line)
        return done, (done.returncode, done.stdout, made(tmp_path) if not done.returncode else None)

    _, undamaged = result()
    wrong = []
    for name in sorted(str(p.relative_to(whole)) for p in whole.rglob("*") if p.is_file()):
        for seed in seeds:
            done, found = result(name, seed)
            refused = done.returncode in (3, 4) and "Traceback" not in done.stderr
            counted = verb == "forecast" and "not on disk" in done.stdout  # what a run will mend
            if not (refused or counted) and found != undamaged:
                wrong.append((name, seed, done.stderr))
    assert not wrong


def flip(path, seed):
    """One bit of a file, another one for every file and seed."""
    content = bytearray(path.read_bytes())
    rng = np.random.default_rng([seed, len(content)])
    content[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
    path.write_bytes(content)
