import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from fiber_audit.errors import UsageError
from fiber_audit.records import COLUMNS, read_csv
from fiber_audit.runner import Options, run
from fiber_audit.suite import read

TOY = str(Path(__file__).with_name("toy.py"))
VOLATILE = ["run_id", "started_at", "seconds", "batch_size", "git_dirty", "git_sha"]


@pytest.fixture
def go(toy_suite, toy_catalogue, tmp_path):
    """Run the toy suite in this process, with settings, another folder, more lines, a shard."""

    def call(*settings, out="run", more="", shard=(0, 1)):
        suite = read(str(toy_suite(more)), toy_catalogue, settings)
        return run(suite, toy_catalogue, Options(tmp_path / out, shard, extra=(TOY,)))

    return call


def comparable(records):
    return records.drop(columns=VOLATILE)


def pooled(records):
    return records[records["query"].isna()].set_index("audit")


def test_a_run_leaves_the_documented_files_and_columns(go, tmp_path):
    done = go()
    names = {p.name for p in (tmp_path / "run").iterdir()}

    assert names >= {
        "suite.toml", "units", "records.csv", "records.parquet", "report.html", "environment.json",
    }  # fmt: skip
    assert list(read_csv(done.path / "records.csv").columns) == list(COLUMNS)
    pd.testing.assert_frame_equal(read_csv(done.path / "records.csv"), done.records)
    from_parquet = pd.read_parquet(done.path / "records.parquet")
    assert from_parquet["value"].tolist() == done.records["value"].tolist()
    assert json.loads((done.path / "environment.json").read_text())["fiber_audit"]


def test_a_sampler_that_projects_has_no_fiber_loss_and_one_that_does_not_has_some(go):
    assert pooled(go().records)["value"].item() < 1e-6
    assert pooled(go("samplers.proj.strength=0.0", out="b").records)["value"].item() > 0.3


@pytest.mark.parametrize("setting", ["batch_size=1", "batch_size=4", "executor.workers=2"])
def test_results_do_not_depend_on_batch_size_or_workers(go, setting):
    base = go("samplers.proj.strength=0.3", out="a").records
    small = "batch_size=4" if "workers" in setting else setting
    other = go("samplers.proj.strength=0.3", setting, small, out="b").records

    pd.testing.assert_frame_equal(comparable(base), comparable(other), rtol=1e-5)


def test_shards_together_give_the_run_that_one_process_gives(go):
    whole = go("samplers.proj.strength=0.3", out="whole")
    parts = [go("samplers.proj.strength=0.3", out="parts", shard=(i, 3)) for i in range(3)]

    assert [p.incomplete for p in parts] == [10, 5, 0]
    pd.testing.assert_frame_equal(comparable(whole.records), comparable(parts[2].records))


def test_the_same_command_again_draws_nothing_twice(go):
    first = go()
    files = {p: p.stat().st_mtime_ns for p in (first.path / "units").iterdir()}
    second = go()

    assert files == {p: p.stat().st_mtime_ns for p in (second.path / "units").iterdir()}
    pd.testing.assert_frame_equal(first.records, second.records)


def test_more_draws_keep_those_that_exist(go):
    first = go("draws=2")
    before = {p.name for p in (first.path / "units").iterdir()}
    second = go("draws=3")

    assert before < {p.name for p in (second.path / "units").iterdir()}


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        (("samplers.bad.crash=true",), "RuntimeError: the sampler fell over"),
        (("samplers.bad.diverge_at=2",), "1 of 15 draws left the finite numbers"),
    ],
)
def test_one_failing_cell_is_one_error_row_and_the_rest_is_complete(go, settings, part):
    done = go(*settings, more="[samplers.bad]\nuse = 'toy-projecting'\n")
    rows = pooled(done.records)

    assert done.failed == 1
    assert rows.loc["two/gauss/bad", "status"] == "error"
    assert part in rows.loc["two/gauss/bad", "message"]
    assert pd.isna(rows.loc["two/gauss/bad", "value"])
    assert rows.loc["two/gauss/proj", "status"] == "ok"


def test_a_failing_metric_costs_its_own_cells(go):
    done = go("metrics=['toy_loss', {use='toy_loss', fail=true}]")

    assert done.failed == 1
    assert (done.records["status"] == "ok").sum() == 6
    assert "ZeroDivisionError" in done.records["message"].dropna().item()


def test_missing_weights_are_skipped_with_the_way_out(go):
    done = go(more="[extractors.heavy]\nuse = 'toy-needs-weights'\n")
    row = pooled(done.records).loc["heavy/gauss/proj"]

    assert row["status"] == "skipped"
    assert "put it beside you" in row["message"]
    assert done.failed == 0


def test_evaluations_are_means_per_draw(go):
    row = pooled(go().records).iloc[0]

    assert row["prior_forward"] == 10
    assert row["prior_backward"] == 0


def test_what_cannot_be_computed_is_refused_before_anything_is_written(go, tmp_path):
    for settings in (("queries.n=51",), ("device='tpu9'",)):
        with pytest.raises(UsageError):
            go(*settings)
    with pytest.raises(UsageError, match="leaves no audit"):
        go(more="[[exclude]]\nextractor = 'two'\n")

    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("when", [0.5, 2.0])
def test_killed_at_any_moment_and_run_again_gives_the_same_records(go, tmp_path, when):
    whole = go("draws=40", "batch_size=2", out="whole")
    code = (
        "import sys; from fiber_audit.cli import main; import fiber_audit.store as s, time\n"
        "save = s.Store.save\n"
        "def slow(*a): time.sleep(0.03); return save(*a)\n"
        "s.Store.save = slow; main()"
    )
    arguments = ["run", str(tmp_path / "toy.toml"), "--out", "killed", "--plugin", TOY,
                 "--set", "draws=40", "--set", "batch_size=2"]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments], cwd=tmp_path, stderr=subprocess.DEVNULL
    )
    units = tmp_path / "killed" / "units"
    deadline = time.monotonic() + 60
    while not (units.exists() and any(units.iterdir())) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(when)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = sum(1 for _ in units.iterdir())
    again = go("draws=40", "batch_size=2", out="killed")

    assert done > 0
    pd.testing.assert_frame_equal(comparable(whole.records), comparable(again.records))
