"""CSV, Parquet and SQLite, read back by the tools that people use."""

from __future__ import annotations

import csv
import importlib
import json
import re
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pandas as pd
import pytest
from fiber_audit_dashboards import fiber_audit_exporters
from fiber_audit_dashboards.csv_long import CsvLong
from fiber_audit_dashboards.csv_wide import CsvWide
from fiber_audit_dashboards.parquet import Parquet
from fiber_audit_dashboards.series import readings
from fiber_audit_dashboards.sqlite import Sqlite

from fiber_audit import DataError, FiberAuditError
from fiber_audit.records import KEY, frame


def made(name, **options):
    """An exporter by its name."""
    module, _, kind = fiber_audit_exporters()[name].partition(":")
    return getattr(importlib.import_module(module), kind)(**options)


def values(table):
    """(audit, metric, statistic, view) -> value of the pooled rows of a table in long form."""
    pooled = table[table["query"].isna() & table["value"].notna()].fillna({"seen_by": ""})
    return {tuple(row[:4]): row[4] for row in pooled[[*KEY, "value"]].itertuples(index=False)}


def found(rows):
    """The same of rows that a database gives."""
    return {(*row[:3], row[3] or ""): row[4] for row in rows if row[4] is not None}


def test_every_exporter_refuses_records_without_numbers(tmp_path):
    for name in fiber_audit_exporters():
        with pytest.raises(DataError):
            made(name).export(frame([]), tmp_path, tmp_path / "out")


@pytest.mark.parametrize("name", sorted(set(fiber_audit_exporters()) - {"trackio"}))
def test_a_folder_that_is_a_file_is_told_in_a_sentence(name, finished, tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "out").write_text("")

    with pytest.raises(FiberAuditError, match="out"):
        made(name).export(finished.records, finished.path, tmp_path / "out")


@pytest.mark.parametrize(
    "column", ["audit", "metric", "statistic", "started_at", "run_id", "suite", "sampler", "status"]
)
def test_a_column_that_is_empty_ends_no_exporter_but_in_a_sentence(column, finished, tmp_path):
    records = finished.records.assign(
        **{column: pd.array([None] * len(finished.records), "string")}
    )
    for name in set(fiber_audit_exporters()) - {"mlflow", "trackio"}:
        try:
            written = made(name).export(records, finished.path, tmp_path / "out")
        except DataError:
            written = []

        assert all(path.is_file() for path in written)


def test_csv_long_gives_pandas_back_every_value_exactly(finished, tmp_path):
    (path,) = CsvLong().export(finished.records, finished.path, tmp_path)

    table = pd.read_csv(path)

    assert values(table) == values(finished.records)
    assert len(table) == len(finished.records)
    assert table["value"].dtype == float


def test_csv_long_can_leave_single_queries_out(finished, tmp_path):
    (path,) = CsvLong(per_query=False).export(finished.records, finished.path, tmp_path)

    assert pd.read_csv(path)["query"].isna().all()


@pytest.mark.parametrize("exporter", [CsvLong(), CsvWide(), CsvWide(intervals=True), Sqlite()])
def test_exporting_a_run_again_changes_nothing(exporter, make_run, tmp_path):
    first, second = make_run(), make_run(2.0, "2026-11-26T01:02:03Z")
    out = tmp_path / "out"

    def dump(run):
        path, *_ = exporter.export(run.records, run.path, out)
        if path.suffix == ".csv":
            return sorted(path.read_text().splitlines())
        with sqlite3.connect(path) as database:
            return sorted(map(repr, database.execute("SELECT * FROM records")))

    dumps = [dump(run) for run in (first, second, first)]

    assert dumps[1] == dumps[2]
    assert len(dumps[1]) > len(dumps[0])


def test_csv_wide_has_one_row_per_run_and_columns_that_stay(make_run, tmp_path):
    first, second = make_run(), make_run(2.0, "2026-11-26T01:02:03Z")
    out = tmp_path / "out"
    for run in (first, second):
        path, named = CsvWide().export(run.records, run.path, out)

    columns = {series: column for column, series in json.loads(named.read_text()).items()}
    table = pd.read_csv(path, parse_dates=["time"])

    assert len(table) == 2
    assert str(table["time"].dt.tz) == "UTC"
    for reading in readings(second.records):
        column = columns[reading.name]
        assert column == reading.column  # which needs no digest
        assert table[column].iloc[0] * 2 == pytest.approx(reading.value, rel=1e-12)
        assert table[column].iloc[1] == reading.value
        assert column.isidentifier()


def test_csv_wide_keeps_the_places_of_old_columns_when_new_ones_come(make_run, tmp_path):
    first, second = make_run(), make_run(2.0, "2026-11-26T01:02:03Z")
    out = tmp_path / "out"
    few = first.records[first.records["metric"] != "fiber_loss_rms"]
    path, _ = CsvWide().export(few, first.path, out)
    before = path.read_text().splitlines()[0].split(",")
    CsvWide().export(second.records, second.path, out)

    with path.open(newline="") as file:
        header, *lines = csv.reader(file)

    assert header[: len(before)] == before
    assert all(len(line) == len(header) for line in lines)
    assert lines[0][len(before) :] == ["", ""]


def test_a_csv_of_someone_else_is_not_overwritten(finished, tmp_path):
    (tmp_path / "wide.csv").write_text("a,b\n1,2\n")

    with pytest.raises(DataError, match="choose another folder"):
        CsvWide().export(finished.records, finished.path, tmp_path)


def test_two_series_of_one_name_stay_apart(finished):
    twice = pd.concat([finished.records, finished.records], ignore_index=True)

    names = [reading.name for reading in readings(twice)]

    assert len(set(names)) == len(names)
    assert "shape/latent/ndtm/diversity.mean-2" in names


def test_duckdb_reads_a_folder_of_parquet_as_one_typed_table(make_run, tmp_path):
    duckdb = pytest.importorskip("duckdb")
    runs = [make_run(), make_run(2.0, "2026-11-26T01:02:03Z")]
    for run in runs:
        Parquet().export(run.records, run.path, tmp_path / "out")

    query = f"""SELECT audit, metric, statistic, seen_by, value FROM '{tmp_path}/out/*.parquet'
                WHERE query IS NULL AND value IS NOT NULL AND epoch(started_at) > {{}}"""
    newer = duckdb.sql(query.format(pd.Timestamp("2026-11-26", tz="UTC").timestamp())).fetchall()
    both = duckdb.sql(query.format(0)).fetchall()

    assert found(newer) == values(runs[1].records)
    assert len(both) == 2 * len(newer)


def test_duckdb_reads_the_long_csv_with_the_types_that_it_sniffs(finished, tmp_path):
    duckdb = pytest.importorskip("duckdb")
    (path,) = CsvLong().export(finished.records, finished.path, tmp_path)

    rows = duckdb.sql(
        f"SELECT audit, metric, statistic, seen_by, value FROM '{path}' "
        "WHERE query IS NULL AND value IS NOT NULL"
    ).fetchall()

    assert found(rows) == values(finished.records)


def test_sqlite_holds_numbers_and_nulls_but_no_text_where_numbers_are_meant(finished, tmp_path):
    (path,) = Sqlite().export(finished.records, finished.path, tmp_path)

    with sqlite3.connect(path) as database:
        kinds = set(database.execute("SELECT DISTINCT typeof(value) FROM records"))
        rows = database.execute(f"SELECT {', '.join(KEY)}, value FROM history").fetchall()

    assert kinds == {("real",), ("null",)}
    assert found(rows) == values(finished.records)


def test_sqlite_utils_queries_the_database(finished, tmp_path):
    sqlite_utils = pytest.importorskip("sqlite_utils")
    (path,) = Sqlite().export(finished.records, finished.path, tmp_path)

    database = sqlite_utils.Database(path)
    rows = list(database.query("SELECT * FROM history WHERE metric = 'diversity' AND value > 0"))

    assert [row["value"] for row in rows if row["seen_by"] is None] == [2 / 3, 2 / 3]
    database.close()


def test_sqlite_utils_makes_numbers_of_the_long_csv(finished, tmp_path):
    pytest.importorskip("sqlite_utils")
    (source,) = CsvLong().export(finished.records, finished.path, tmp_path)
    tool = Path(sys.executable).parent / "sqlite-utils"
    path = tmp_path / "a.db"
    subprocess.run([tool, "insert", path, "results", source, "--csv"], check=True)

    with sqlite3.connect(path) as database:
        kinds = {kind for (kind,) in database.execute("SELECT DISTINCT typeof(value) FROM results")}

    assert kinds <= {"real", "integer", "null"}


def test_datasette_serves_the_history(finished, tmp_path):
    pytest.importorskip("datasette")
    (path,) = Sqlite().export(finished.records, finished.path, tmp_path)
    command = [sys.executable, "-m", "datasette", "serve", str(path), "--port", "0"]
    query = "_shape=array&metric=fiber_loss_rms"
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            lines = iter(server.stderr.readline, "")
            address = next(a[0] for line in lines if (a := re.search(r"http://[\d.:]+", line)))
            rows = json.loads(fetch(f"{address}/fiber-audit/history.json?{query}"))
        finally:
            server.terminate()

    assert {row["audit"]: row["value"] for row in rows} == {
        row["audit"]: row["value"]
        for _, row in finished.pooled.iterrows()
        if row["metric"] == "fiber_loss_rms"
    }


def fetch(address):
    for _ in range(50):
        try:
            with urllib.request.urlopen(address) as answer:
                return answer.read()
        except urllib.error.URLError:
            time.sleep(0.1)
    raise TimeoutError(address)
