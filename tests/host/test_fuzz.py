"""Mutated suites, records and unit files: no foreign exception, dead end or silent difference."""

import shutil

import numpy as np
import pandas as pd
import pytest
from mutations import binary, text

from fiber_audit.records import read

VOLATILE = ["run_id", "started_at", "seconds", "git_dirty", "git_sha"]
RICH = """
[executor]
workers = 1
[[exclude]]
sampler = "half"
[samplers.half]
use = "toy-projecting"
strength = 0.5
[[conditions]]
metric = "toy_loss"
extractor = "two"
max = 0.1
severity = "warn"
"""


def fine(done, known=(0, 1, 3, 4, 5)):
    assert done.returncode in known, (done.returncode, done.stderr)
    assert "Traceback" not in done.stderr
    assert "internal error" not in done.stderr, done.stderr
    if done.returncode:
        assert done.stderr.strip(), "a failure says why"


@pytest.mark.parametrize(
    "seeds", [range(60), pytest.param(range(60, 400), marks=pytest.mark.slow)], ids=["some", "all"]
)
def test_a_mutated_suite_runs_or_is_refused_in_sentences(command, toy_suite, tmp_path, seeds):
    original = toy_suite(RICH).read_bytes()
    for seed in seeds:
        path = tmp_path / "mutated.toml"
        path.write_bytes(text(original, np.random.default_rng(seed)))
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        done = command("run", str(path), "--out", "run", "--set", "draws=1")
        fine(done)
        if done.returncode == 4:
            assert not (tmp_path / "run").exists(), f"seed {seed}: refused, and yet written"


@pytest.mark.parametrize(
    "seeds", [range(16), pytest.param(range(16, 500), marks=pytest.mark.slow)], ids=["some", "all"]
)
def test_a_mutated_unit_is_computed_again_or_harmless(command, toy_suite, tmp_path, seeds):
    suite = str(toy_suite(RICH))
    command("run", suite, "--out", "whole", "--set", "batch_size=6")
    first = read(tmp_path / "whole").drop(columns=VOLATILE)
    files = sorted((tmp_path / "whole").rglob("*.npz"))
    for seed in seeds:
        rng = np.random.default_rng(seed)
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        shutil.copytree(tmp_path / "whole", tmp_path / "run")
        for chosen in rng.choice(len(files), int(rng.integers(1, 4)), replace=False):
            path = tmp_path / "run" / files[chosen].relative_to(tmp_path / "whole")
            path.write_bytes(binary(path.read_bytes(), rng))
        done = command("run", suite, "--out", "run", "--set", "batch_size=6")
        fine(done, (0,))
        again = read(tmp_path / "run").drop(columns=VOLATILE)
        pd.testing.assert_frame_equal(first, again, rtol=1e-6)


@pytest.mark.parametrize(
    "seeds", [range(20), pytest.param(range(20, 150), marks=pytest.mark.slow)], ids=["some", "all"]
)
def test_mutated_records_are_read_as_they_were_or_refused(command, toy_suite, tmp_path, seeds):
    suite = str(toy_suite(RICH))
    command("run", suite, "--out", "run")
    path = tmp_path / "run" / "records.csv"
    original = path.read_bytes()
    for seed in seeds:
        path.write_bytes(text(original, np.random.default_rng(seed)))
        changed = path.read_bytes() != original
        for line in (["report", "run"], ["compare", "run", "run"],
                     ["export", "run", "--to", "csv-long", "--out", "out"]):  # fmt: skip
            done = command(*line)
            fine(done, (4,) if changed else (0, 1, 3))


@pytest.mark.parametrize(
    "name", ["verdicts.json", "environment.json", "identity.json", "exhibits.json", "suite.toml"]
)
def test_a_mutated_file_of_a_run_is_told_and_a_run_mends_what_it_can(
    command, toy_suite, tmp_path, name
):
    suite = str(toy_suite(RICH))
    command("run", suite, "--out", "run")
    path = tmp_path / "run" / name
    original = path.read_bytes()
    for seed in range(8):
        path.write_bytes(text(original, np.random.default_rng(seed)))
        fine(command("report", "run"))
        fine(command("run", suite, "--out", "run", "--dry-run"))
        path.write_bytes(original)
