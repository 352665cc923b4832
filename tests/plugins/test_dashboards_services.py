"""github-action-benchmark, Bencher, asv, Prometheus, MLflow, Trackio: what their clients read."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from fiber_audit_dashboards.asv import Asv
from fiber_audit_dashboards.bencher import Bencher, slugs
from fiber_audit_dashboards.github_action_benchmark import GithubActionBenchmark
from fiber_audit_dashboards.mlflow import MLflow
from fiber_audit_dashboards.openmetrics import OpenMetrics
from fiber_audit_dashboards.series import readings
from fiber_audit_dashboards.trackio import Trackio

from fiber_audit import DataError
from fiber_audit.check.exporter import example_records

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
    return {reading.name: reading.value for reading in readings(records)}


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

    path, named = Bencher().export(finished.records, finished.path, tmp_path)

    found = strict(path)
    jsonschema.validate(found, BENCHER)
    slug = {measure: name for name, measure in strict(named).items()}
    for reading in readings(finished.records):
        metric = found[reading.audit][slug[reading.measure]]
        assert metric["value"] == reading.value
        assert metric.get("lower_value") == reading.ci_low


def test_a_bencher_measure_that_is_too_long_stays_unique_and_stable():
    one, other = (slugs(["m" * 80 + end + ".mean" for end in ends]) for ends in ("ab", "a"))

    assert all(len(text) <= 64 for text in one.values())
    assert len({*one.values()}) == 2
    assert one | other == one


def test_bencher_reads_names_that_a_slug_empties(tmp_path):
    jsonschema = pytest.importorskip("jsonschema")
    path, _ = Bencher().export(example_records(), tmp_path, tmp_path)

    jsonschema.validate(strict(path), BENCHER)
    assert {*slugs(["形.平均", "色.平均"]).values()} == {"2e5d447a", "a5c41ac3"}


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
        commit = git(repo, "rev-parse", "HEAD")
        other = make_run(10 * scale, f"2026-11-{day}T01:02:03Z", commit, suite="other")
        Asv().export(other.records, other.path, repo / "asv")
        expected.append(named(run.records)["shape/latent/ndtm/diversity.mean"])

    subprocess.run(
        [sys.executable, "-m", "asv", "publish"], cwd=repo / "asv", check=True, capture_output=True
    )

    found = (repo / "asv/html/graphs").rglob("shape.latent.ndtm.diversity.mean.json")
    graphs = [path for path in found if "summary" not in path.parts]
    assert len(graphs) == 2
    for graph in graphs:
        drawn = [value for _, value in json.loads(graph.read_text())]
        factor = 10 if "suite-other" in str(graph) else 1
        assert drawn == pytest.approx([factor * value for value in expected], rel=1e-12)


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
        view = f"@{labels['seen_by']}" if "seen_by" in labels else ""
        return f"{labels['audit']}/{labels['metric']}.{labels['statistic']}{view}"

    found = {key(s.labels): s.value for s in families["fiber_audit_value"].samples}
    lows = {key(s.labels): s.value for s in families["fiber_audit_ci_low"].samples}
    assert found == named(finished.records)
    assert lows == {r.name: r.ci_low for r in readings(finished.records) if r.ci_low is not None}
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
    allowed = {re.sub("[,@]", "_", name): value for name, value in named(finished.records).items()}
    assert run.data.metrics == pytest.approx(allowed, rel=1e-12, abs=0)
    assert run.data.tags["mlflow.source.git.commit"].startswith("c0ffee")
    assert run.info.start_time == 1795568523000
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert {"report.html", "records.csv", "verdicts.json", "names.json"} <= files

    odd = example_records()
    longer = odd.assign(metric="m" * 240 + odd["audit"], audit="../" + odd["audit"])
    many = pd.concat([longer, odd.assign(audit="形//" + odd["audit"]), odd], ignore_index=True)
    MLflow(experiment="it's odd").export(many, finished.path, out)  # a new database costs seconds
    (run,) = client.search_runs([client.get_experiment_by_name("it's odd").experiment_id])
    told = strict(Path(client.download_artifacts(run.info.run_id, "names.json", str(tmp_path))))
    back = {told[name]: value for name, value in run.data.metrics.items()}
    assert back == pytest.approx(named(many), rel=1e-12, abs=0)


TRACKIO = """
import json, sys
from pathlib import Path
from fiber_audit.records import read_csv
from fiber_audit_dashboards.trackio import Trackio
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
        [sys.executable, "-c", TRACKIO, *(str(run.path) for run in [*runs, runs[0]])],
        env={
            "TRACKIO_DIR": str(tmp_path / "trackio"),
            "HF_HUB_OFFLINE": "1",
            "HOME": str(tmp_path),
        },
        capture_output=True,
        text=True,
        check=True,
    )

    logs = json.loads(done.stdout)
    steps = {entry["step"]: entry for entry in logs}

    assert len(steps) == len(logs) == 2  # the third export was of a run that is there
    for run, step in zip(runs, (1795654923, 1795568523), strict=True):
        found = {name: steps[step][name] for name in named(run.records)}
        assert found == pytest.approx(named(run.records), rel=1e-12, abs=0)


def test_a_client_that_is_not_installed_is_named_with_the_way_out(finished, tmp_path, monkeypatch):
    for name, exporter in (("mlflow", MLflow()), ("trackio", Trackio())):
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(ValueError, match=f"--to {name}: .*pip install"):
            exporter.export(finished.records, finished.path, Path(tmp_path))
