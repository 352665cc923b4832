"""github-action-benchmark, Bencher, asv, Prometheus, MLflow, Trackio: what their clients read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from fiber_audit_dashboards import (
    Asv,
    Bencher,
    GithubActionBenchmark,
    MLflow,
    OpenMetrics,
    Trackio,
)
from fiber_audit_dashboards.bencher import slug
from fiber_audit_dashboards.series import Point, points

from fiber_audit.errors import DataError

NUMBER = {"type": "number"}
TEXT = {"type": "string", "minLength": 1}

# What the action's own reader accepts; it also coerces null and "" to 0, which this does not.
GITHUB_ACTION_BENCHMARK = {
    "type": "array",
    "minItems": 1,
    "items": {
        "type": "object",
        "required": ["name", "unit", "value"],
        "properties": {"name": TEXT, "unit": TEXT, "value": NUMBER, "range": TEXT, "extra": TEXT},
        "additionalProperties": False,
    },
}
# bencher.dev/bmf.json with the lengths of its documentation.
BENCHER = {
    "type": "object",
    "propertyNames": {"maxLength": 1024},
    "additionalProperties": {
        "type": "object",
        "propertyNames": {"maxLength": 64, "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$"},
        "additionalProperties": {
            "type": "object",
            "required": ["value"],
            "properties": {"value": NUMBER, "lower_value": NUMBER, "upper_value": NUMBER},
            "additionalProperties": False,
        },
    },
}


def refuse(constant):
    raise AssertionError(f"{constant} is not JSON")


def strict(path):
    return json.loads(path.read_text(), parse_constant=refuse)


def named(records):
    return {point.name: point.value for point in points(records)}


def test_github_action_benchmark_gets_one_valid_file_per_direction(finished, tmp_path):
    jsonschema = pytest.importorskip("jsonschema")

    smaller, bigger = (
        strict(path)
        for path in GithubActionBenchmark(positive_only=False).export(
            finished.records, finished.path, tmp_path
        )
    )

    for entries in (smaller, bigger):
        jsonschema.validate(entries, GITHUB_ACTION_BENCHMARK)
    assert {entry["name"]: entry["value"] for entry in smaller + bigger} == named(finished.records)
    assert all("diversity" in entry["name"] for entry in bigger)


def test_github_action_benchmark_gets_no_value_whose_ratio_would_lie(finished, tmp_path):
    paths = GithubActionBenchmark().export(finished.records, finished.path, tmp_path)

    assert all(entry["value"] > 0 for path in paths for entry in strict(path))


def test_github_action_benchmark_gets_no_empty_file(finished, tmp_path):
    only = finished.records[finished.records["metric"] == "diversity"]

    paths = GithubActionBenchmark().export(only, finished.path, tmp_path)

    assert [path.name for path in paths] == ["bigger_is_better.json"]


def test_bencher_reads_every_value_with_its_interval(finished, tmp_path):
    jsonschema = pytest.importorskip("jsonschema")

    (path,) = Bencher().export(finished.records, finished.path, tmp_path)

    found = strict(path)
    jsonschema.validate(found, BENCHER)
    for point in points(finished.records):
        metric = found[point.audit][slug(point)]
        assert metric["value"] == point.value
        assert metric.get("lower_value") == point.ci_low


def test_a_bencher_measure_that_is_too_long_stays_unique_and_stable():
    def point(metric):
        return Point("a/b/c", metric, "mean", 1.0, None, None, None, 1, "", "lower")

    slugs = [slug(point("m" * 80 + end)) for end in ("a", "b", "a")]

    assert all(len(text) <= 64 for text in slugs)
    assert slugs[0] == slugs[2] != slugs[1]


def test_names_are_the_same_in_every_run_of_a_suite(make_run, tmp_path):
    names = []
    for run in (make_run(), make_run(3.0, "2026-11-26T01:02:03Z", "f" * 40)):
        GithubActionBenchmark().export(run.records, run.path, tmp_path / "out")
        Bencher().export(run.records, run.path, tmp_path / "out")
        bmf = strict(tmp_path / "out" / "bencher.json")
        entries = strict(tmp_path / "out" / "smaller_is_better.json")
        names.append(([e["name"] for e in entries], {k: [*v] for k, v in bmf.items()}))

    assert names[0] == names[1]


def git(repo, *words):
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    done = subprocess.run(
        ["git", "-C", repo, *identity, *words], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_asv_publishes_the_history_by_commit(make_run, tmp_path):
    pytest.importorskip("asv")
    repo = tmp_path / "repo"
    repo.mkdir()
    git(repo, "init", "-q", "-b", "main")
    expected = []
    for scale, day in ((1.0, 25), (2.0, 26)):
        git(repo, "commit", "-q", "--allow-empty", "-m", f"day {day}")
        run = make_run(scale, f"2026-11-{day}T01:02:03Z", git(repo, "rev-parse", "HEAD"))
        Asv().export(run.records, run.path, repo / "asv")
        (point,) = (p for p in points(run.records) if p.name == "shape/latent/ndtm/diversity.mean")
        expected.append(point.value)

    subprocess.run(
        [sys.executable, "-m", "asv", "publish"], cwd=repo / "asv", check=True, capture_output=True
    )

    graphs = [*(repo / "asv/html/graphs").rglob("shape.latent.ndtm.diversity.mean.json")]
    drawn = [value for _, value in json.loads(graphs[0].read_text())]
    assert drawn == pytest.approx(expected, rel=1e-12)


def test_asv_result_files_hold_every_value(finished, tmp_path):
    Asv().export(finished.records, finished.path, tmp_path)

    (result,) = (tmp_path / "results" / "ci").glob("c0ffee00-*.json")
    found = strict(result)["results"]
    assert sorted(cells[0][0] for cells in found.values()) == sorted(
        named(finished.records).values()
    )
    assert found.keys() == strict(tmp_path / "results" / "benchmarks.json").keys() - {"version"}


def test_asv_without_a_commit_says_what_to_do(make_run, tmp_path):
    run = make_run(git_sha=None)

    with pytest.raises(DataError, match="run inside a checkout"):
        Asv().export(run.records, run.path, tmp_path)


@pytest.mark.parametrize("reader", ["openmetrics", "prometheus"])
def test_prometheus_parsers_read_every_value(reader, finished, tmp_path):
    parser = pytest.importorskip(
        "prometheus_client.openmetrics.parser"
        if reader == "openmetrics"
        else "prometheus_client.parser"
    )
    (path,) = OpenMetrics().export(finished.records, finished.path, tmp_path)

    families = {f.name: f for f in parser.text_string_to_metric_families(path.read_text())}

    def key(labels):
        return f"{labels['audit']}/{labels['metric']}.{labels['statistic']}"

    found = {key(s.labels): s.value for s in families["fiber_audit_value"].samples}
    lows = {key(s.labels): s.value for s in families["fiber_audit_ci_low"].samples}
    assert found == named(finished.records)
    assert lows == {p.name: p.ci_low for p in points(finished.records) if p.ci_low is not None}
    (start,) = families["fiber_audit_run_start_seconds"].samples
    assert start.value == 1795568523


def test_openmetrics_escapes_what_labels_cannot_hold(finished, tmp_path):
    parser = pytest.importorskip("prometheus_client.openmetrics.parser")
    odd = finished.records.assign(unit='a"b\\c\nd')

    (path,) = OpenMetrics().export(odd, finished.path, tmp_path)

    families = parser.text_string_to_metric_families(path.read_text())
    units = {s.labels["unit"] for f in families if f.name == "fiber_audit_value" for s in f.samples}
    assert units == {'a"b\\c\nd'}


def test_mlflow_reads_back_every_value_and_the_report(finished, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "out"
    for _ in range(2):  # the second time changes nothing
        (path,) = MLflow().export(finished.records, finished.path, out)

    client = mlflow.MlflowClient(f"sqlite:///{path}")
    assert {file.name for file in out.iterdir()} == {"mlflow.db", "mlflow-artifacts"}
    assert {file.name for file in tmp_path.iterdir()} == {"out", finished.path.name}
    experiment = client.get_experiment_by_name("suite")
    (run,) = client.search_runs([experiment.experiment_id])
    allowed = {name.replace(",", "_"): value for name, value in named(finished.records).items()}
    assert run.data.metrics == pytest.approx(allowed, rel=1e-12, abs=0)
    assert run.data.tags["mlflow.source.git.commit"].startswith("c0ffee")
    assert run.info.start_time == 1795568523000
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert {"report.html", "records.csv", "verdicts.json"} <= files


TRACKIO = """
import json, sys
from pathlib import Path
from fiber_audit.records import read_csv
from fiber_audit_dashboards import Trackio
for path in map(Path, sys.argv[1:]):
    Trackio(project="p").export(read_csv(path / "records.csv"), path, path)
import trackio
from trackio.sqlite_storage import SQLiteStorage
print(json.dumps(SQLiteStorage.get_logs("p", "suite")))
"""


def test_trackio_reads_back_every_value_of_every_run(make_run, tmp_path):
    pytest.importorskip("trackio")
    runs = [make_run(2.0, "2026-11-26T01:02:03Z"), make_run()]
    done = subprocess.run(
        [sys.executable, "-c", TRACKIO, *(str(run.path) for run in runs)],
        env={
            "TRACKIO_DIR": str(tmp_path / "trackio"),
            "HF_HUB_OFFLINE": "1",
            "HOME": str(tmp_path),
        },
        capture_output=True,
        text=True,
        check=True,
    )

    steps = {entry["step"]: entry for entry in json.loads(done.stdout)}

    assert len(steps) == 2
    for run, step in zip(runs, (1795654923, 1795568523), strict=True):
        found = {name: steps[step][name] for name in named(run.records)}
        assert found == pytest.approx(named(run.records), rel=1e-12, abs=0)


def test_a_client_that_is_not_installed_is_named_with_the_way_out(finished, tmp_path, monkeypatch):
    for name, exporter in (("mlflow", MLflow()), ("trackio", Trackio())):
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(ValueError, match=f"--to {name}: .*pip install"):
            exporter.export(finished.records, finished.path, Path(tmp_path))
