"""Histories: no run erases another, and none is there twice."""

from __future__ import annotations

import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest
from fiber_audit_dashboards.asv import Asv
from fiber_audit_dashboards.csv_long import CsvLong
from fiber_audit_dashboards.csv_wide import CsvWide
from fiber_audit_dashboards.parquet import Parquet
from fiber_audit_dashboards.run_facts import facts
from fiber_audit_dashboards.sqlite import Sqlite

from fiber_audit import DataError
from fiber_audit.records import COLUMNS, read_csv


def in_csv(out, name):
    table = pd.read_csv(out / name, dtype=str)
    return table[table["config_hash"].notna()]  # without what conditions told of nothing


def in_sqlite(out):
    with sqlite3.connect(out / "fiber-audit.db") as database:
        return pd.read_sql("SELECT * FROM records WHERE config_hash IS NOT NULL", database)


def in_parquet(out):
    return pd.concat([pd.read_parquet(path) for path in out.glob("*.parquet")])


def in_asv(out):
    files = [json.loads(path.read_text()) for path in out.glob("results/ci/*-*.json")]
    rows = [
        f["results"] | {"suite": f["params"]["suite"], "config_hash": f["env_name"]} for f in files
    ]
    return pd.DataFrame([{k: str(v) for k, v in row.items()} for row in rows])


HISTORIES = {
    "csv-long": (CsvLong(), lambda out: in_csv(out, "long.csv")),
    "csv-wide": (CsvWide(), lambda out: in_csv(out, "wide.csv")),
    "sqlite": (Sqlite(), in_sqlite),
    "parquet": (Parquet(), in_parquet),
    "asv": (Asv(), in_asv),
}
OTHERS = {
    "another suite": {"suite": "other", "run_id": "run"},
    "another configuration": {"config": "c1", "run_id": "run"},
    "another run": {"run_id": "run-2"},
}


@pytest.mark.parametrize(
    ("history", "change"),
    [
        pytest.param(history, OTHERS[other], id=f"{history}-{other}", marks=marks)
        for history in HISTORIES
        for other in OTHERS
        # what a run is known by is the same for all: see the test of `facts`
        for marks in [() if history == "csv-long" or other == "another run" else pytest.mark.slow]
    ],
)
def test_runs_that_start_in_one_second_keep_each_other(history, change, make_run, tmp_path):
    exporter, table = HISTORIES[history]
    out, rows = tmp_path / "out", []
    first, second = make_run(run_id="run"), make_run(2.0, **change)
    for run in (first, second, first, second):
        exporter.export(run.records, run.path, out)
        rows.append(len(table(out)))

    assert rows == [rows[0], 2 * rows[0], 2 * rows[0], 2 * rows[0]]


@pytest.mark.parametrize("history", HISTORIES)
def test_a_run_that_went_on_replaces_what_it_was(history, make_run, tmp_path):
    exporter, table = HISTORIES[history]
    run = make_run()
    few = run.records[run.records["metric"] != "diversity"]
    exporter.export(few, run.path, tmp_path / "out")
    before = table(tmp_path / "out")
    exporter.export(run.records, run.path, tmp_path / "out")
    after = table(tmp_path / "out")

    exporter.export(run.records, run.path, tmp_path / "new")

    assert len(after) == len(table(tmp_path / "new"))
    assert after.size > before.size


def test_a_run_is_known_by_suite_configuration_and_run_id(make_run):
    changes = [{}, {"suite": "b"}, {"config": "c1"}, {"run_id": "q"}]

    found = [facts(make_run(**{"run_id": "r"} | change).records) for change in changes]

    assert len({each.identity for each in found}) == 4


@pytest.mark.parametrize("history", ["csv-long", "csv-wide", "sqlite"])
def test_exports_at_one_time_into_one_folder_lose_nothing(history, make_run, tmp_path):
    exporter, table = HISTORIES[history]
    runs = [make_run(run_id=f"run-{i}") for i in range(4)]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda run: exporter.export(run.records, run.path, tmp_path / "out"), runs))

    assert set(table(tmp_path / "out")["run_id"]) == {f"run-{i}" for i in range(4)}


def test_a_database_of_the_first_version_gets_the_new_column(make_run, tmp_path):
    old = [name for name in COLUMNS if name != "seen_by"]
    with sqlite3.connect(tmp_path / "fiber-audit.db") as database:
        database.execute(f"CREATE TABLE records ({', '.join(old)})")
        database.execute("CREATE VIEW history AS SELECT suite FROM records")
        database.execute("INSERT INTO records (suite, run_id, value) VALUES ('suite', 'run', 1)")
    run = make_run()
    (path,) = Sqlite().export(run.records, run.path, tmp_path)

    with sqlite3.connect(path) as database:
        seen = {view for (view,) in database.execute("SELECT DISTINCT seen_by FROM history")}
        count = database.execute("SELECT count(*) FROM records").fetchone()[0]

    assert seen == {None, "clip"}
    assert count == len(run.records) + 1


def test_tables_of_the_first_version_are_added_to(make_run, tmp_path):
    (tmp_path / "long.csv").write_text("run_id,started_at,suite,value\nrun,2026-01-01,suite,1\n")
    (tmp_path / "wide.csv").write_text("time,run_id,started_at,suite,a__m__mean\nt,run,t,suite,1\n")
    run = make_run()
    CsvLong().export(run.records, run.path, tmp_path)
    CsvWide().export(run.records, run.path, tmp_path)

    assert len(pd.read_csv(tmp_path / "long.csv")) == len(run.records) + 1
    assert pd.read_csv(tmp_path / "wide.csv")["a__m__mean"].notna().tolist() == [True, False]


DAMAGED = {
    "long.csv": CsvLong(),
    "wide.csv": CsvWide(),
    "wide.names.json": CsvWide(),
    "fiber-audit.db": Sqlite(),
    "results/benchmarks.json": Asv(),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_history_that_is_damaged_is_told_and_kept(name, make_run, tmp_path):
    run, path = make_run(), tmp_path / "out" / name
    path.parent.mkdir(parents=True)
    for content in (b"\xff\xfe\0", b"[1", b"a,b\n1,2,3\n", b"\n", b'["a"]'):
        path.write_bytes(content)
        with pytest.raises(DataError, match=path.name):
            DAMAGED[name].export(run.records, run.path, tmp_path / "out")

        assert path.read_bytes() == content


def test_a_message_longer_than_pythons_csv_fields_is_no_end_of_a_history(make_run, tmp_path):
    run = make_run()
    run.records["message"] = run.records["message"].str.replace("no", "n" * 140_000)
    for _ in range(2):
        (path,) = CsvLong().export(run.records, run.path, tmp_path)

    pd.testing.assert_frame_equal(read_csv(path), run.records)


def test_a_time_that_is_none_is_told(make_run, tmp_path):
    run = make_run()
    with pytest.raises(DataError, match="started_at = 'soon': not a time"):
        Parquet().export(run.records.assign(started_at="soon"), run.path, tmp_path)
