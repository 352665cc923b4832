"""Names in other people's formats: no series loses its name to another."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from fiber_audit_dashboards.asv import Asv
from fiber_audit_dashboards.bencher import Bencher
from fiber_audit_dashboards.csv_wide import CsvWide
from fiber_audit_dashboards.github_action_benchmark import GithubActionBenchmark
from fiber_audit_dashboards.names import distinct
from fiber_audit_dashboards.openmetrics import OpenMetrics
from fiber_audit_dashboards.series import Reading, readings
from hypothesis import given, settings
from hypothesis import strategies as st

from fiber_audit.check.exporter import example_records
from fiber_audit.records import frame

WORDS = st.text("aA-_/. 形é", max_size=6)


def series_of(*keys):
    """Records of some (audit, metric, statistic, seen_by), each with a value of its own."""
    common = {"run_id": "r", "started_at": "2026-01-02T03:04:05Z", "suite": "s", "better": "lower"}
    common |= {"git_sha": "0" * 40, "config_hash": "c"}
    columns = ("audit", "metric", "statistic", "seen_by")
    return frame(
        common | dict(zip(columns, key, strict=True)) | {"value": 1.0 + i}
        for i, key in enumerate(keys)
    )


TWINS = series_of(
    ("resnet-18/p/s", "m", "mean", None),
    ("resnet_18/p/s", "m", "mean", None),
    ("Resnet_18/p/s", "m", "mean", None),
    ("形/p/s", "形", "平均", None),
    ("色/p/s", "色", "平均", None),
    ("a/p/s", "m", "mean", None),
    ("a/p/s", "m", "mean", "b"),
    ("a/p/s", "m", "mean", "形"),
    ("a/p/s", "m.x", "y", None),
    ("a/p/s", "m", "x.y", None),
    ("a/p/s", "m-x", "mean", None),
    ("a/p/s", "M_x", "mean", None),
    ("..", "m", "mean", None),
    ("a//p", "m", "mean", None),
    ("x" * 300, "m", "mean", None),
    ("x" * 300 + "y", "m", "mean", None),
)


def in_wide(records, out):
    path, named = CsvWide().export(records, out, out)
    table = pd.read_csv(path)
    return {c: table[c].iloc[-1] for c in json.loads(named.read_text())}, named


def in_bencher(records, out):
    path, named = Bencher().export(records, out, out)
    found = json.loads(path.read_text())
    return {(a, m): v["value"] for a, metrics in found.items() for m, v in metrics.items()}, named


def in_asv(records, out):
    *_, known, _, result = Asv().export(records, out, out)
    return {n: v[0][0] for n, v in json.loads(result.read_text())["results"].items()}, known


def in_github(records, out):
    (path,) = GithubActionBenchmark().export(records, out, out)
    return {entry["name"]: entry["value"] for entry in json.loads(path.read_text())}, None


def in_openmetrics(records, out):
    parser = pytest.importorskip("prometheus_client.openmetrics.parser")
    (path,) = OpenMetrics().export(records, out, out)
    families = parser.text_string_to_metric_families(path.read_text())
    samples = [s for f in families if f.name == "fiber_audit_value" for s in f.samples]
    return {tuple(sorted(s.labels.items())): s.value for s in samples}, None


FORMATS = {
    "csv-wide": in_wide,
    "bencher": in_bencher,
    "asv": in_asv,
    "github-action-benchmark": in_github,
    "openmetrics": in_openmetrics,
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_series_has_a_name_of_its_own_that_leads_back_to_it(name, tmp_path):
    known = {reading.name: reading.value for reading in readings(TWINS)}

    found, named = FORMATS[name](TWINS, tmp_path)

    assert sorted(found.values()) == sorted(known.values())
    if name in ("csv-wide", "asv"):
        assert len({each.casefold() for each in found}) == len(known)
        told = json.loads(Path(named).read_text())
        back = {n: told[n]["pretty_name"] if name == "asv" else told[n] for n in found}
        assert {back[n]: value for n, value in found.items()} == known
    if name == "bencher":
        measures = json.loads(Path(named).read_text())
        assert {f"{a}/{measures[m]}".split("~")[0] for a, m in found} >= {"a/p/s/m.mean@形"}
        assert {m for _, m in found} == measures.keys()


@pytest.mark.parametrize("name", FORMATS)
def test_the_hostile_example_loses_no_series(name, tmp_path):
    known = [reading.value for reading in readings(example_records())]

    assert sorted(FORMATS[name](example_records(), tmp_path)[0].values()) == sorted(known)


@pytest.mark.parametrize("name", ["csv-wide", "asv"])
def test_a_series_keeps_its_name_when_one_comes_that_would_take_it(name, tmp_path):
    first = series_of(("resnet-18/p/s", "m", "mean", None))
    second = series_of(("resnet_18/p/s", "m", "mean", None), ("resnet-18/p/s", "m", "mean", None))

    (old,), _ = FORMATS[name](first, tmp_path)
    found, _ = FORMATS[name](second.assign(run_id="r2"), tmp_path)

    assert found[old] == 2.0
    assert len(found) == 2


def test_series_of_two_runs_share_no_column_either(tmp_path):
    in_wide(series_of(("resnet-18/p/s", "m", "mean", None)), tmp_path)
    in_wide(series_of(("resnet_18/p/s", "m", "mean", None)).assign(run_id="r2"), tmp_path)

    table = pd.read_csv(tmp_path / "wide.csv")
    assert table.filter(like="__").notna().sum().tolist() == [1, 1]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(WORDS, WORDS, WORDS, st.none() | WORDS), min_size=1, max_size=8))
def test_no_two_readings_of_a_run_have_one_name(keys):
    keys = [(a or "a", m or "m", s, v) for a, m, s, v in keys]

    found = readings(series_of(*keys))

    assert len({reading.name for reading in found}) == len(keys)


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=8), st.text("aA_", max_size=12)), st.data())
def test_names_are_distinct_short_enough_and_kept(wanted, data):
    names = distinct(wanted, longest=20)
    kept = data.draw(st.sets(st.sampled_from(sorted(names)))) if names else set()

    again = distinct(wanted, {series: names[series] for series in kept}, longest=20)

    for each in (names, again):
        assert len({name.casefold() for name in each.values()}) == len(wanted)
        assert all(0 < len(name) <= 20 for name in each.values())
    assert all(again[series] == names[series] for series in kept)


def test_a_view_is_part_of_the_name_and_no_other_name_changes():
    def name(**more):
        return Reading("shape/latent/ndtm", "diversity", "mean", 1.0, **more)

    assert name().name == "shape/latent/ndtm/diversity.mean"
    assert name().column == "shape__latent__ndtm__diversity__mean"
    assert name(seen_by="clip").name == "shape/latent/ndtm/diversity.mean@clip"
    assert name(seen_by="clip").column == "shape__latent__ndtm__diversity__mean__clip"
