import json
from pathlib import Path

import pandas as pd
import pytest

from fiber_audit._run import Options, run
from fiber_audit._suite.read import read
from fiber_audit.errors import UsageError
from fiber_audit.records import COLUMNS
from fiber_audit.records import read as read_records

TOY = str(Path(__file__).with_name("toy.py"))
VOLATILE = ["run_id", "started_at", "seconds", "batch_size", "git_dirty", "git_sha"]


@pytest.fixture
def go(toy_suite, toy_catalogue, tmp_path, pageless):
    """Run the toy suite in this process, with settings, another folder, more lines, a shard."""

    def call(*settings, out="run", more="", shard=(0, 1)):
        suite = read(str(toy_suite(more)), toy_catalogue, settings)
        return run(suite, toy_catalogue, Options(tmp_path / out, shard))

    return call


def comparable(records):
    return records.drop(columns=VOLATILE)


def pooled(records):
    """The pooled rows of the toy's metric, without differences of audits."""
    rows = records[records["query"].isna() & (records["metric"] != "draws_lost")]
    rows = rows[~rows["statistic"].str.contains(" minus ", regex=False).fillna(False)]
    return rows.set_index("audit")


def test_a_run_leaves_the_documented_files_and_columns(toy_suite, toy_catalogue, tmp_path):
    suite = read(str(toy_suite()), toy_catalogue)
    done = run(suite, toy_catalogue, Options(tmp_path / "run"))
    names = {p.name for p in (tmp_path / "run").iterdir()}

    assert names >= {
        "suite.toml", "units", "observed", "gallery", "records.csv", "records.json",
        "records.parquet", "report.html", "environment.json", "identity.json",
    }  # fmt: skip
    assert list(read_records(done.path).columns) == list(COLUMNS)
    pd.testing.assert_frame_equal(read_records(done.path), done.records)
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

    assert [p.incomplete for p in parts] == [9, 3, 0]
    pd.testing.assert_frame_equal(comparable(whole.records), comparable(parts[2].records))


def test_the_same_command_again_draws_nothing_twice(go):
    first = go()
    files = {p: p.stat().st_mtime_ns for p in (first.path / "units").iterdir()}
    second = go()

    assert files == {p: p.stat().st_mtime_ns for p in (second.path / "units").iterdir()}
    pd.testing.assert_frame_equal(first.records, second.records)


def test_more_draws_keep_those_that_exist(go):
    first = go("draws=2")
    before = {p.name: p.read_bytes() for p in (first.path / "units").iterdir()}
    second = go("draws=3")
    after = {p.name: p.read_bytes() for p in (second.path / "units").iterdir()}

    assert before.items() < after.items()
    pd.testing.assert_frame_equal(comparable(second.records), comparable(go(out="new").records))


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        (("samplers.bad.crash=true",), "RuntimeError: the sampler fell over"),
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
    assert (done.records["status"] == "ok").sum() == 7
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


def test_one_lost_draw_costs_one_draw_and_the_table_says_so(go):
    done = go("samplers.proj.diverge_at=2")
    lost = done.records[done.records["metric"] == "draws_lost"].iloc[0]
    row = pooled(done.records).loc["two/gauss/proj"]

    assert (lost["value"], lost["n"]) == (1, 15)
    assert row["status"] == "ok"
    assert "14 of 15 draws" in row["message"]
    assert done.failed == 0
    assert [(v.condition.metric, v.status) for v in done.verdicts] == [("draws_lost", "fail")]


def test_a_condition_decides_how_many_draws_may_be_lost(go):
    allowed = "[[conditions]]\nmetric = 'draws_lost'\nmax = 1\n"
    done = go("samplers.proj.diverge_at=2", more=allowed)

    assert [v.status for v in done.verdicts] == ["pass"]


def test_an_audit_that_lost_every_draw_is_an_error(go):
    done = go("samplers.proj.diverge_at=0", "draws=1", "batch_size=1")

    assert done.failed == 1
    assert "5 of 5 draws left the finite numbers" in pooled(done.records)["message"].item()


def test_an_extractor_may_be_called_unguided(go):
    done = go(more="[extractors.unguided]\nuse = 'toy-first-two'\n")
    values = pooled(done.records)["value"]

    assert values["unguided/gauss/proj"] == values["two/gauss/proj"] < 1e-6


def test_what_cannot_be_computed_is_refused_before_anything_is_written(go, tmp_path):
    for settings in (("queries.n=51",), ("device='tpu9'",)):
        with pytest.raises(UsageError):
            go(*settings)
    with pytest.raises(UsageError, match="leaves no audit"):
        go(more="[[exclude]]\nextractor = 'two'\n")

    assert not (tmp_path / "run").exists()


def test_a_damaged_unit_and_what_was_seen_of_it_are_computed_again_and_it_is_said(go):
    first = go()
    for kind in ("units", "observed"):
        for path in (first.path / kind).glob("two_gauss_proj-*.npz"):
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 1
            path.write_bytes(data)
    second = go()

    pd.testing.assert_frame_equal(comparable(first.records), comparable(second.records))
    assert "is damaged and is computed again" in (first.path / "log.jsonl").read_text()


@pytest.mark.parametrize("kind", ["units", "observed", "gallery"])
def test_deleting_a_part_of_a_run_loses_nothing(go, kind):
    first = go()
    pictures = {p.name: p.read_bytes() for p in (first.path / "gallery").iterdir()}
    for path in (first.path / kind).iterdir():
        path.unlink()
    second = go()

    pd.testing.assert_frame_equal(first.records, second.records)
    assert {p.name: p.read_bytes() for p in (first.path / "gallery").iterdir()} == pictures


@pytest.mark.parametrize("keep", ["float32", "none"])
def test_how_draws_are_kept_changes_no_number_of_a_table(go, keep):
    base, other = go(out="a"), go(f"keep='{keep}'", out="b")

    pd.testing.assert_frame_equal(
        comparable(base.records).drop(columns="config_hash"),
        comparable(other.records).drop(columns="config_hash"),
    )
    assert any((other.path / "units").iterdir()) == (keep != "none")


def test_a_table_cannot_be_kept_in_8_bits(go):
    with pytest.raises(UsageError, match="keep = 'uint8'"):
        go("keep='uint8'")


def test_a_directory_belongs_to_one_suite(go, tmp_path):
    go()
    before = (tmp_path / "run" / "records.csv").read_bytes()
    with pytest.raises(UsageError, match="holds a run of the suite 'toy', not of 'other'"):
        go("name='other'")

    assert (tmp_path / "run" / "records.csv").read_bytes() == before


def test_another_configuration_in_the_same_directory_is_another_run(go):
    first, again = go(), go()
    changed = go("samplers.proj.strength=0.5")

    assert first.records["run_id"].unique() == again.records["run_id"].unique()
    assert first.records["run_id"].unique() != changed.records["run_id"].unique()


@pytest.mark.parametrize("scale", ["nan", "inf"])
def test_queries_that_are_not_finite_are_refused_before_anything_is_written(go, tmp_path, scale):
    with pytest.raises(UsageError, match="point-0"):
        go(f"queries.scale={scale}")

    assert not (tmp_path / "run").exists()


def test_the_null_of_every_pair_is_not_held_for_many_queries(go):
    """See benchmarks/host_overhead.py for the memory; here: it is bounded, and says its n."""
    records = go("queries.n=50", "draws=1", "metrics=['fiber_loss_relative']").records
    pairs = records[records["statistic"] == "random_pairs"]

    assert pairs["n"].item() == 50 * 49


BAD = """
import torch
from torch import nn
from fiber_audit import hookimpl
from fiber_audit.contracts import Extractor
from fiber_audit.sampling import Trail, finish, unguided
from fiber_audit.contracts import Draws, Sampler

class Bad(Extractor):
    feature_size = 2
    def __init__(self, *, how: str):
        self.how, self.network = how, nn.BatchNorm1d(4).eval()
        self.weights_sha256 = "0" * 64
        if how == "train mode":
            self.network.train()
    def features(self, x):
        y = self.network(x)[:, :2]
        if self.how == "size":
            return y[:, :1]
        if self.how == "half the rows":
            return y[: (len(y) + 1) // 2]
        if self.how == "float64":
            return y.double()
        if self.how == "float16":
            return y.half()
        if self.how == "coupled":
            return y - y.mean(0)
        if self.how == "random":
            return y + torch.randn_like(y)
        if self.how == "global seed":
            torch.manual_seed(0)
        return y

class TooFew(Sampler):
    def sample(self, problem, noise):
        drawn = finish(problem, unguided(problem.prior, noise, 2))
        return Draws(drawn.data[1:], drawn.states[1:], drawn.finite[1:], drawn.path[1:])

@hookimpl
def fiber_audit_extractors(): return {"bad": Bad}
@hookimpl
def fiber_audit_samplers(): return {"too-few": TooFew}
"""
WAYS = [
    "size",
    "half the rows",
    "float64",
    "float16",
    "coupled",
    "train mode",
    "random",
    "global seed",
]


@pytest.fixture
def bad_catalogue(tmp_path):
    from fiber_audit._suite.catalogue import Catalogue

    path = tmp_path / "bad_world.py"
    path.write_text(BAD)
    return Catalogue.load(extra=[TOY, str(path)])


@pytest.mark.parametrize("how", WAYS)
def test_an_extractor_that_breaks_its_contract_is_an_error_in_its_cells_before_it_draws(
    bad_catalogue, toy_suite, tmp_path, pageless, how
):
    more = f"[extractors.bad]\nhow = '{how}'\n"
    done = run(read(str(toy_suite(more)), bad_catalogue), bad_catalogue, Options(tmp_path / "run"))
    rows = pooled(done.records)

    assert done.failed == 1
    assert rows.loc["bad/gauss/proj", "status"] == "error"
    assert rows.loc["bad/gauss/proj", "message"].startswith("extractor 'bad': ")
    assert rows.loc["two/gauss/proj", "status"] == "ok"
    assert not list((tmp_path / "run" / "units").glob("bad_*"))


def test_a_sampler_that_loses_a_row_is_told_and_leaves_nothing_that_a_mended_one_trips_over(
    bad_catalogue, toy_suite, tmp_path, pageless
):
    more = "[samplers.few]\nuse = 'too-few'\n"
    suite = read(str(toy_suite(more)), bad_catalogue)
    done = run(suite, bad_catalogue, Options(tmp_path / "run"))

    assert "sampler 'few'" in pooled(done.records).loc["two/gauss/few", "message"]
    assert not list((tmp_path / "run" / "units").glob("two_gauss_few-*"))
    mended = read(str(toy_suite(more.replace("too-few", "toy-projecting"))), bad_catalogue)
    assert run(mended, bad_catalogue, Options(tmp_path / "run")).failed == 0


def test_more_steps_than_the_prior_has_are_refused_before_anything_is_written(go, tmp_path):
    with pytest.raises(UsageError, match="unguided_steps = 2000, with prior 'gauss'"):
        go("unguided_steps=2000")
    with pytest.raises(UsageError, match=r"samplers\.m\.steps = 1001, with prior 'gauss'"):
        go(more="[samplers.m]\nuse = 'moment-matched'\nsteps = 1001\n")

    assert not (tmp_path / "run").exists()


def test_a_contradiction_within_a_component_names_the_component(go):
    with pytest.raises(UsageError, match=r"samplers\.n: guidance"):
        go(more="[samplers.n]\nuse = 'ndtm'\nguidance = [[1.0, 1.0, 0.5, 0.0]]\n")


def test_an_unknown_extractor_of_a_metric_is_told_before_anything_is_drawn(go, tmp_path):
    with pytest.raises(UsageError, match=r"metrics\[0\]: extractor 'color-mnist-shap'"):
        go("metrics=[{use='diversity', extractor='color-mnist-shap'}]")

    assert not (tmp_path / "run").exists()


def test_a_prior_of_other_inputs_than_the_queries_is_refused_before_anything_is_written(
    go, tmp_path
):
    with pytest.raises(UsageError, match=r"priors\.p: it draws inputs of shape \(3, 28, 28\), but"):
        go(more="[priors.p]\nuse = 'color-mnist-latent'\n")

    assert not (tmp_path / "run").exists()


def test_hashes_of_a_configuration_are_those_of_the_first_version_so_that_baselines_live_on():
    """Of shape/latent/ndtm of a shipped suite, as version 1 of the schema wrote them."""
    from fiber_audit._draw.prepare import prepare
    from fiber_audit._draw.store import Store
    from fiber_audit._score.rows import _config, _weights
    from fiber_audit._suite.catalogue import Catalogue

    catalogue = Catalogue.load()
    changed = ["queries.n=2", "metrics=['fiber_loss_rms']", "conditions=[]"]
    suite = read("color-mnist-paper", catalogue, changed)
    prepared = prepare(suite, catalogue, Store(Path("no such run")))
    audit = prepared.audits[0]

    assert _config(prepared, audit) == "54c4f9c909dbed50"
    assert (
        _weights(prepared, audit)
        == "5871658e02af91a0f99c21d6f78ef76eceec1155908b5f32733385ce39011784"
    )
