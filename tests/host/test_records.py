"""The table: what is written is what is read, and what is not whole is told in one sentence."""

import io
import json
import math
import random
import sqlite3

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fiber_audit.errors import DataError, DiskError
from fiber_audit.records import (
    COLUMNS,
    KEY,
    NUMBER,
    TEXT,
    alike,
    frame,
    guarded,
    headline,
    headlines,
    printable,
    read,
    read_csv,
    to_csv,
    write,
)

ROW = {"audit": "a", "metric": "m", "statistic": "mean", "value": 0.1, "n": 3, "status": "ok"}
ODD = [
    "", " ", "NA", "null", "nan", "None", "-inf", "N/A", "<NA>", "#N/A", "=1+1", "'=1", "''-x", "-",
    "'quoted'", "it's", '"', '""', 'a"b', "a,b", "a\nb", "\n", "a\r\nb\rc", "\t", "\ufeffx", "\x00",
    "\x1b[31m", "\x85", "\u2028", "byte \udcff", "\ud800\udc00", "\uffff", "1e5", "00", "é形😀",
    "＝x",
]  # fmt: skip
WORDS = st.one_of(st.sampled_from(ODD), st.text(st.characters()), st.text("'=-+@,\"\n\r\t a"))
KINDS = {
    TEXT: WORDS,
    NUMBER: st.floats(allow_nan=False, allow_infinity=False),
    "Int64": st.integers(-(2**63), 2**63 - 1),
}
ROWS = st.lists(
    st.fixed_dictionaries({}, optional={c: st.none() | KINDS[k] for c, k in COLUMNS.items()}),
    min_size=1,
    max_size=4,
).map(lambda rows: [row | {"schema_version": 3} for row in rows])
quick = settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow], deadline=None)


def saved(folder, records, name="copy.csv"):
    path = folder / name
    path.write_bytes(to_csv(records).encode())
    return path


@quick
@given(ROWS)
def test_what_is_written_is_what_is_read_whatever_a_cell_holds(tmp_path_factory, rows):
    folder, records = tmp_path_factory.mktemp("run"), frame(rows)
    write(records, folder)

    pd.testing.assert_frame_equal(read(folder), records)
    pd.testing.assert_frame_equal(read_csv(folder / "records.csv"), records)
    parquet = pd.read_parquet(folder / "records.parquet")
    assert parquet.astype(object).equals(records.astype(object))


def test_every_odd_text_survives_in_every_column_of_text(tmp_path):
    texts = [c for c, kind in COLUMNS.items() if kind == TEXT]
    records = frame([dict.fromkeys(texts, text) | {"schema_version": 3} for text in ODD])

    found = read_csv(saved(tmp_path, records))

    pd.testing.assert_frame_equal(found, records)
    kept = dict(zip(ODD, found["message"], strict=True))
    for text in ("NA", "null", "nan", "=1+1", "'=1", "''-x", "'quoted'", " ", "-", "\n", "é形😀"):
        assert kept[text] == text
    assert found["query"].notna().all()  # an id that looks empty makes no pooled row


def test_a_message_longer_than_a_csv_field_of_python_survives(tmp_path):
    records = frame([ROW | {"message": 'x,"\n' * 60_000}])

    assert read_csv(saved(tmp_path, records))["message"][0] == 'x,"\n' * 60_000


@given(st.text(st.characters()))
def test_text_in_the_table_is_text_that_every_format_holds(text):
    held = printable(text)

    held.encode()
    assert printable(held) == held
    assert not any(ord(c) < 32 and c not in "\t\n" for c in held)
    if text.isprintable():
        assert held == text


@given(st.lists(KINDS[NUMBER], min_size=40, max_size=200))
@settings(max_examples=10, deadline=None)
def test_every_number_reads_back_exactly(tmp_path_factory, values):
    records = frame([ROW | {"value": value} for value in values])
    path = saved(tmp_path_factory.mktemp("csv"), records)

    assert read_csv(path)["value"].tolist() == values


def test_columns_are_the_documented_ones_and_empty_means_missing(tmp_path):
    records = frame([ROW, ROW | {"value": None, "status": "error"}])
    path = saved(tmp_path, records)

    assert path.read_text().splitlines()[0].split(",") == list(COLUMNS)
    assert list(COLUMNS)[list(COLUMNS).index("statistic") + 1] == "seen_by"
    assert "nan" not in path.read_text().lower()
    assert read_csv(path)["value"].isna().tolist() == [False, True]


def test_numbers_stay_numbers_in_sqlite():
    with sqlite3.connect(":memory:") as connection:
        frame([ROW, ROW | {"value": None}]).to_sql("r", connection)
        kinds = connection.execute("select typeof(value) from r").fetchall()

    assert kinds == [("real",), ("null",)]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_refused(value):
    with pytest.raises(ValueError, match="leave it empty"):
        frame([ROW | {"value": value}])


@pytest.mark.parametrize(("column", "value"), [("n", 2**63), ("n", 1.5), ("value", "text")])
def test_a_value_that_is_not_of_its_column_is_refused_by_name(column, value):
    with pytest.raises(ValueError, match=f"record column {column}"):
        frame([ROW | {column: value}])


def test_unknown_columns_are_refused():
    with pytest.raises(ValueError, match="colour"):
        frame([ROW | {"colour": 1}])


@pytest.mark.parametrize("start", "=+-@\t＝")
def test_no_cell_of_the_file_is_one_that_a_spreadsheet_would_run(tmp_path, start):
    path = saved(tmp_path, frame([ROW | {"message": f"{start}cmd()"}]))

    assert guarded(f"{start}cmd()") == f"'{start}cmd()"
    assert f"'{start}cmd()" in path.read_text()
    assert read_csv(path)["message"][0] == f"{start}cmd()"


RESAVED = {
    "a BOM": lambda text: "\ufeff" + text,
    "line ends of Windows": lambda text: text.replace("\n", "\r\n"),
    "8.0 for 8": lambda text: text.replace(",3,", ",3.0,"),
    "8E0 for 8": lambda text: text.replace(",3,", ",3E0,"),
    "every cell quoted": lambda text: "".join(
        ",".join(f'"{cell}"' for cell in line.split(",")) + "\n" for line in text.splitlines()
    ),
    "columns in another order": lambda text: pd.read_csv(
        io.StringIO(text), dtype=str, keep_default_na=False
    ).iloc[:, ::-1].to_csv(index=False),
}  # fmt: skip


@pytest.mark.parametrize("change", RESAVED.values(), ids=RESAVED)
def test_a_table_that_another_program_resaved_reads_the_same(tmp_path, change):
    records = frame([ROW, ROW | {"query": "-q", "seed": 2**62 + 1}])
    path = tmp_path / "baseline.csv"
    path.write_bytes(change(to_csv(records)).encode())

    pd.testing.assert_frame_equal(read(path), records)


@pytest.fixture
def run(tmp_path):
    """A run directory with a table whose messages need quotes."""
    folder = tmp_path / "run"
    rows = [ROW | {"query": f"q{i}", "message": 'one, "two"\nthree'} for i in range(3)]
    write(frame([ROW, *rows]), folder)
    return folder


def test_a_run_leaves_its_row_count_and_digest_beside_the_table(run):
    known = json.loads((run / "records.json").read_text())

    assert known["rows"] == 4
    assert known["schema_version"] == 3
    assert {p.name for p in run.iterdir()} == {"records.csv", "records.parquet", "records.json"}


def test_a_table_that_is_cut_anywhere_is_refused(run):
    path = run / "records.csv"
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match="again"):
            read(run)


def test_a_table_that_is_cut_at_a_row_is_refused_by_its_count(run):
    path = run / "records.csv"
    path.write_text("\n".join(path.read_text().split("\n")[:4]) + "\n")  # messages have two lines

    with pytest.raises(DataError, match=r"which wrote 4 rows, not 2; .* copy"):
        read(run)


def test_an_edited_table_is_refused_until_it_is_copied(run, tmp_path):
    path = run / "records.csv"
    path.write_text(path.read_text().replace("0.1", "0.2", 1))

    with pytest.raises(DataError, match=r"edited after its run.*give the copy") as caught:
        read(path)

    assert str(caught.value).count(". ") == 0
    copy = path.rename(tmp_path / "edited.csv")
    assert read(copy)["value"][0] == 0.2


def test_a_copy_without_a_digest_may_not_end_in_a_row(run, tmp_path):
    text = (run / "records.csv").read_text()
    copy = tmp_path / "baseline.csv"
    for cut in (text[:-1], text[:-3], text[: text.index("two")], text.replace(",ok,", ",ok", 1)):
        copy.write_text(cut)
        with pytest.raises(DataError):
            read(copy)


def test_a_damaged_digest_is_named(run):
    for text in ("", "{", "[]", '{"rows": 1e999, "sha256": ""}', '{"rows": "x"}', "\0"):
        (run / "records.json").write_text(text)
        with pytest.raises(DataError, match=r"records\.json"):
            read(run)


def test_a_run_of_the_first_version_has_no_digest_and_reads(run):
    (run / "records.json").unlink()

    assert len(read(run)) == 4


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(DiskError, match="cannot be written"):
        write(frame([ROW]), tmp_path / "file")


HEAD = "audit,metric,statistic,value,n,schema_version\n"
WRONG = {
    "empty": (b"", "it is empty"),
    "binary": (bytes(range(256)), "not UTF-8"),
    "NUL": (b"audit\0", "binary"),
    "UTF-16": (HEAD.encode("utf-16"), "not UTF-8"),
    "another table": (b"a,b\n1,2\n", r"not a records\.csv: it lacks the columns audit"),
    "a semicolon": (HEAD.replace(",", ";").encode(), "lacks the columns"),
    "text": (f"{HEAD}a,m,mean,abc,1,2\n".encode(), "line 2, column value: 'abc' is not a number"),
    "NaN": (f"{HEAD}a,m,mean,nan,1,2\n".encode(), "'nan' is not a number"),
    "infinity": (f"{HEAD}a,m,mean,1e999,1,2\n".encode(), "'1e999' is beyond 64 bits"),
    "a comma": (f'{HEAD}a,m,mean,"0,1",1,2\n'.encode(), "'0,1' is not a number"),
    "65 bits": (f"{HEAD}a,m,mean,1,{2**63},2\n".encode(), "column n: '9.*' is beyond 64 bits"),
    "half": (f'{HEAD}a,"m\nm",mean,1,1,2\na,m,mean,1,1.5,2\n'.encode(),
             "line 4, column n: '1.5' is not a whole number"),
    "a cell less": (f"{HEAD}a,m,mean,1,2\n".encode(), "line 2 has 5 cells, the header 6"),
    "a cell more": (f"{HEAD}a,m,mean,1,1,2,3\n".encode(), "line 2 has 7 cells"),
    "no line end": (f"{HEAD}a,m,mean,1,1,2".encode(), "it is cut"),
    "an open quote": (f'{HEAD}a,"m,mean,1,1,2\n'.encode(), "ends inside a quoted cell"),
    "a quote inside": (f'{HEAD}a,m"m",mean,1,1,2\n'.encode(), "a quote inside a cell"),
    "two columns of one name": (f"n,{HEAD}".encode(), "2 columns n"),
    "a newer schema": (f"{HEAD}a,m,mean,1,1,4\n".encode(), "newer fiber-audit"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "message"), WRONG.values(), ids=WRONG)
def test_what_is_no_table_is_told_in_one_sentence(tmp_path, content, message):
    path = tmp_path / "other.csv"
    path.write_bytes(content)

    with pytest.raises(DataError, match=message) as caught:
        read(path)

    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_folder_or_a_file_that_is_not_there_is_told(tmp_path):
    names = (".", "none", "none/records.csv", "x" * 300, "a\0b")
    for path in (tmp_path / name for name in names):
        with pytest.raises(DataError, match=str(tmp_path)):
            read(path)
    with pytest.raises(DataError):
        read_csv(tmp_path)


def mutated(whole, rng):
    """The bytes of a file with one accident."""
    place, other = sorted(rng.randrange(len(whole)) for _ in range(2))
    junk = rng.choice([rng.randbytes(3), b'"', b",", b"\n", b"\r", b"\0", b"nan", b"-", b"'", b"9"])
    lines = whole.splitlines(keepends=True)
    return rng.choice(
        [
            whole[:place],
            whole[:place] + junk + whole[place:],
            whole[:place] + junk + whole[other:],
            whole[:place] + whole[other:],
            bytes(b ^ (1 << rng.randrange(8)) if i == place else b for i, b in enumerate(whole)),
            b"".join(rng.sample(lines, len(lines))),
            b"".join(lines[: rng.randrange(len(lines))]),
            whole.replace(rng.choice([b"0.1", b",3,", b"mean", b'"', b"value", b"2"]), junk),
            whole.replace(b",", junk),
            whole * 2,
        ]
    )


def attempt(reader, path):
    """(frame, None), or (None, the sentence that says why not)."""
    try:
        return reader(path), None
    except DataError as error:
        return None, str(error)


def test_150_accidents_give_a_table_or_a_sentence_and_never_another_exception(run, tmp_path):
    path, copy, rng = run / "records.csv", tmp_path / "copy.csv", random.Random(9)
    whole, refused = path.read_bytes(), 0
    for _ in range(150):
        damaged = mutated(whole, rng)
        path.write_bytes(damaged)
        copy.write_bytes(damaged)
        if damaged != whole:
            with pytest.raises(DataError, match=r"again|run"):
                read(run)
        found, told = attempt(read, copy)
        refused += told is not None
        assert "\n" not in (told or "")
        assert told or {c: str(t) for c, t in found.dtypes.items()} == COLUMNS

    assert refused > 60


OLD = [
    ("blind_spot", "measured_by:tf", "blind_spot", "relative", "tf"),
    ("blind_spot", "frechet_by:a:b", "blind_spot", "frechet", "a:b"),
    ("blind_spot", "unguided_by:tf", "blind_spot", "unguided", "tf"),
    ("blind_spot", "hides_from:tf", "blind_spot", "hidden", "tf"),
    ("blind_spot_score", "mean", "blind_spot_score", "mean", None),
    ("diversity", "mean_in_tf", "diversity", "mean", "tf"),
    ("diversity", "mean", "diversity", "mean", None),
    ("frechet_distance:tf", "random_pairs", "frechet_distance", "random_pairs", "tf"),
    ("mine", "measured_by:tf", "mine", "measured_by:tf", None),
    ("broken", None, "broken", None, None),
]


def test_a_table_of_the_first_schema_reads_as_the_present_one(tmp_path):
    common = {"schema_version": 1, "run_id": "run", "started_at": "2026-01-02T03:04:05Z"}
    rows = [ROW | common | {"metric": m, "statistic": s} for m, s, *_ in OLD]
    path = saved(tmp_path, frame(rows).drop(columns="seen_by").assign(seen_by=pd.NA))
    lines = [line.split(",") for line in path.read_text().splitlines()]
    at = lines[0].index("seen_by")
    path.write_text("".join(",".join(cells[:at] + cells[at + 1 :]) + "\n" for cells in lines))

    found = read(path)

    table = found[["metric", "statistic", "seen_by"]].astype(object)
    seen = [tuple(row) for row in table.where(table.notna(), None).itertuples(index=False)]
    assert seen == [row[2:] for row in OLD]
    assert set(found["schema_version"]) == {3}
    assert set(found["run_id"]) == {"run 2026-01-02T03:04:05Z"}
    assert {c: str(t) for c, t in found.dtypes.items()} == COLUMNS


def pooled(*rows):
    """A frame of (statistic, seen_by, value) of one audit and metric, with queries between."""
    common = {"audit": "a", "metric": "m", "sampler": "s"}
    return frame(
        common | {"statistic": s, "seen_by": by, "value": v, "query": q}
        for s, by, v in rows
        for q in (None, "q")
    )


@pytest.mark.parametrize(
    ("rows", "value"),
    [
        ([("mean", None, 1), ("mean", "b", 2), ("floor", None, 3)], 1),
        ([("floor", None, 3), ("mean", "b", 2)], 2),
        ([("mean", "a", 1), ("mean", "b", 2)], None),
        ([("q0.95", "b", 4)], 4),
        ([("median", None, 3), ("floor", None, 2)], None),
        ([("mean", None, 5), ("mean", None, 6)], 5),
    ],
)
def test_the_headline_is_the_mean_else_the_only_mean_else_the_only_row(rows, value):
    records = pooled(*rows)

    found = headline(records, "a", "m")

    assert (None if found is None else found["value"]) == value
    assert headlines(records)["value"].tolist() == ([] if value is None else [value])
    assert headline(records, "b", "m") is None


def test_headlines_keep_the_places_of_their_rows_and_failed_cells_have_one():
    records = pd.concat([pooled(("floor", None, 1), ("mean", None, 2)), pooled(("x", None, 3))])
    records.index = pd.Index(range(10, 16))
    records.loc[records.index[4:], "metric"] = "other"
    broken = frame([{"audit": "b", "metric": "m", "sampler": "s", "status": "error"}])
    records = pd.concat([records, broken.set_axis([99])])

    assert headlines(records).index.tolist() == [12, 14, 99]
    assert headlines(frame([])).empty


def test_a_condition_that_matched_nothing_hides_no_headline():
    told = {"audit": "a", "metric": "m", "statistic": "meen", "condition": "c", "status": "error"}
    records = pd.concat([pooled(("q0.95", None, 4)), frame([told])], ignore_index=True)

    assert headline(records, "a", "m")["value"] == 4
    assert headline(frame([told]), "a", "m")["condition"] == "c"


def test_rows_are_alike_where_an_empty_cell_meets_an_empty_cell():
    records = pooled(("mean", None, 1), ("mean", "b", 2))

    assert alike(records, records.iloc[0])["value"].tolist() == [1, 1]
    assert alike(records, records.iloc[2])["seen_by"].tolist() == ["b", "b"]
    assert KEY == ["audit", "metric", "statistic", "seen_by"]
