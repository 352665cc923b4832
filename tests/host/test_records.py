import math
import sqlite3

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiber_audit.errors import DataError
from fiber_audit.records import COLUMNS, frame, neutralised, read_csv, to_csv

ROW = {"audit": "a", "metric": "m", "statistic": "mean", "value": 0.1, "n": 3, "status": "ok"}


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_reads_back_exactly(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("csv") / "records.csv"
    path.write_text(to_csv(frame([ROW | {"value": value}])))

    assert read_csv(path)["value"][0] == value


def test_columns_are_the_documented_ones_and_empty_means_missing(tmp_path):
    path = tmp_path / "records.csv"
    path.write_text(to_csv(frame([ROW, ROW | {"value": None, "status": "error"}])))
    lines = path.read_text().splitlines()

    assert lines[0].split(",") == list(COLUMNS)
    assert "nan" not in path.read_text().lower()
    assert read_csv(path)["value"].isna().tolist() == [False, True]
    pd.testing.assert_frame_equal(
        read_csv(path), frame([ROW, ROW | {"value": None, "status": "error"}])
    )


def test_numbers_stay_numbers_in_sqlite(tmp_path):
    with sqlite3.connect(":memory:") as connection:
        frame([ROW, ROW | {"value": None}]).to_sql("r", connection)
        kinds = connection.execute("select typeof(value) from r").fetchall()

    assert kinds == [("real",), ("null",)]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_refused(value):
    with pytest.raises(ValueError, match="leave it empty"):
        frame([ROW | {"value": value}])


def test_unknown_columns_are_refused():
    with pytest.raises(ValueError, match="colour"):
        frame([ROW | {"colour": 1}])


@pytest.mark.parametrize("start", "=+-@\t")
def test_cells_that_a_spreadsheet_would_run_are_neutralised(tmp_path, start):
    path = tmp_path / "records.csv"
    path.write_text(to_csv(frame([ROW | {"message": f"{start}cmd()"}])))

    assert read_csv(path)["message"][0] == neutralised(f"{start}cmd()") == f"'{start}cmd()"


def test_another_csv_is_refused(tmp_path):
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"not a records\.csv"):
        read_csv(path)
