"""Mutated suites, records and unit files: no foreign exception, dead end or silent difference."""

import shutil
from contextlib import suppress

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutations import binary, text

from fiber_audit._suite.read import parse
from fiber_audit._suite.read import read as read_suite
from fiber_audit.errors import UsageError
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
    "seeds", [range(10), pytest.param(range(10, 400), marks=pytest.mark.slow)], ids=["some", "all"]
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
    "seeds", [range(4), pytest.param(range(4, 500), marks=pytest.mark.slow)], ids=["some", "all"]
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
    "seeds", [range(8), pytest.param(range(8, 150), marks=pytest.mark.slow)], ids=["some", "all"]
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


NAMES = ["verdicts.json", "environment.json", "identity.json", "exhibits.json", "suite.toml"]


@pytest.mark.parametrize(
    "seeds", [range(2), pytest.param(range(2, 8), marks=pytest.mark.slow)], ids=["some", "all"]
)
def test_a_mutated_file_of_a_run_is_told_and_a_run_mends_what_it_can(
    command, toy_suite, tmp_path, seeds
):
    suite = str(toy_suite(RICH))
    command("run", suite, "--out", "run")
    for name in NAMES:
        path = tmp_path / "run" / name
        original = path.read_bytes()
        for seed in seeds:
            path.write_bytes(text(original, np.random.default_rng(seed)))
            fine(command("report", "run"))
            fine(command("run", suite, "--out", "run", "--dry-run"))
            path.write_bytes(original)


VERBS = [
    ["report", "run"],
    ["compare", "run", "run"],
    ["compare", "run/records.csv", "whole"],
    ["export", "run", "--to", "junit", "--out", "out"],
    ["export", "run", "--to", "mlflow", "--out", "out"],
    ["export", "run", "--to", "csv-wide", "--out", "out"],
    ["merge", "run", "whole", "--out", "all"],
    ["run", "toy.toml", "--out", "run", "--set", "batch_size=6"],
    ["run", "toy.toml", "--out", "run", "--dry-run"],
    ["run", "toy.toml", "--out", "other", "--baseline", "run/records.csv"],
    ["check", "suite", "run/suite.toml"],
]
"""What reads a run directory, or a file of one."""


@pytest.mark.parametrize(
    "seeds", [range(11), pytest.param(range(11, 165), marks=pytest.mark.slow)], ids=["some", "all"]
)
def test_no_file_of_a_run_makes_a_command_raise(command, toy_suite, tmp_path, seeds):
    command("run", str(toy_suite(RICH)), "--out", "whole", "--set", "batch_size=6")
    whole, run = tmp_path / "whole", tmp_path / "run"
    command("run", "toy.toml", "--out", "other", "--set", "batch_size=6")
    files = sorted(path.relative_to(whole) for path in whole.rglob("*") if path.is_file())
    wrong = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        for folder in (run, tmp_path / "all"):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(whole, run)
        name = files[int(rng.integers(len(files)))]
        edit = binary if name.suffix in (".npz", ".parquet") or rng.random() < 0.3 else text
        (run / name).write_bytes(edit((run / name).read_bytes(), rng))
        done = command(*VERBS[seed % len(VERBS)])
        try:
            fine(done, range(6))
        except AssertionError as error:
            wrong.append(f"seed {seed}: {name}: {VERBS[seed % len(VERBS)]}: {error}")
    assert not wrong, "\n".join(wrong)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.dates()
    | st.sampled_from(["toy_loss", "two/gauss/proj", "color-mnist", "\udc80", "0" * 5000]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
TABLE = {
    "name": "toy", "draws": 3, "metrics": ["toy_loss"], "seed": 0,
    "queries": {"use": "toy-points", "n": 5},
    "extractors": {"two": {"use": "toy-first-two"}},
    "priors": {"gauss": {"use": "toy-gaussian"}},
    "samplers": {"proj": {"use": "toy-projecting", "strength": 1.0}},
    "conditions": [{"metric": "toy_loss", "max": 1.0, "severity": "warn"}],
    "exclude": [], "executor": {"workers": 1}, "attributes": {}, "target": "query", "keep": "none",
    "device": "cpu", "batch_size": 64, "unguided_steps": 5, "training": {"use": "toy-points"},
}  # fmt: skip


@given(keys=st.lists(st.sampled_from([*TABLE]), min_size=1, max_size=2), data=st.data())
@settings(max_examples=150, deadline=None, derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
def test_any_table_is_a_suite_or_is_refused_in_sentences(toy_catalogue, keys, data):
    table = dict(TABLE)
    for key in keys:
        inner = table[key]
        if isinstance(inner, dict) and inner and data.draw(st.booleans()):
            name = data.draw(st.sampled_from([*inner]) | st.text())
            table[key] = {**inner, name: data.draw(values)}
        else:
            table[key] = data.draw(values)
    with suppress(UsageError):
        parse(table, toy_catalogue)


PATHS = [*TABLE, "queries.n", "samplers.proj.strength", "samplers.proj", "conditions.0.max", "a.b"]


@given(
    st.sampled_from(PATHS) | st.text(max_size=30),
    st.text(max_size=30) | st.sampled_from(["1", "'a'", "[1]", "{}"]),
)
@settings(max_examples=150, deadline=None, derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
def test_any_override_is_taken_or_refused_in_sentences(toy_suite, toy_catalogue, path, value):
    with suppress(UsageError):
        read_suite(str(toy_suite()), toy_catalogue, [f"{path}={value}"])
