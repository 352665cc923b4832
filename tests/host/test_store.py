import numpy as np
import pytest

from fiber_audit import files
from fiber_audit._draw.plan import Audit, Piece
from fiber_audit._draw.store import Store, existing
from fiber_audit.errors import DataError, DiskError

AUDIT = Audit("e", "p", "s")


OF = "0123456789abcdef"


def piece(*numbers, audit=AUDIT, of=OF):
    return Piece(audit, of, tuple(numbers), tuple(f"q{i}" for i in numbers), 1)


def units(*numbers):
    return [(f"q{i}", 0) for i in numbers]


def arrays(*numbers):
    return {
        "query": np.array([f"q{i}" for i in numbers]),
        "draw": np.zeros(len(numbers), dtype=np.int64),
        "data": np.array(numbers, dtype=np.float32)[:, None] + np.zeros(40, np.float32),
    }


def saved(store, *numbers, **of):
    return store.save("units", piece(*numbers, **of), units(*numbers), arrays(*numbers))


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path / "run")
    made.open()
    return made


def test_rows_are_found_by_query_and_draw_whatever_the_files(store):
    names = [saved(store, 2, 0).name, saved(store, 1).name]
    found = store.load(names, OF, units(0, 1, 3))

    assert {unit: float(a["data"][row, 0]) for unit, (a, row) in found.items()} == {
        ("q0", 0): 0.0, ("q1", 0): 1.0,
    }  # fmt: skip


def test_audits_with_similar_names_are_kept_apart(store):
    saved(store, 0, audit=Audit("e", "p", "s-2"))

    assert list(store.index("units", AUDIT, OF, ("query",))) == []


@pytest.mark.parametrize("other", ["f" * 16, OF[:8] + "f" * 8])
def test_draws_that_depend_on_something_else_are_not_found_even_if_the_name_is_alike(store, other):
    path = saved(store, 0)

    assert list(store.index("units", AUDIT, other, ("query",))) == []
    assert store.load([path.name], other, units(0)) == {}
    assert path.exists()


def test_what_is_remembered_of_a_file_is_forgotten_when_the_file_changes(store):
    path = saved(store, 0, 1)
    (_, before, _) = next(store.index("units", AUDIT, OF, ("query",)))
    path.unlink()
    assert list(store.index("units", AUDIT, OF, ("query",))) == []
    saved(store, 0, 1).write_bytes(b"damaged")

    assert before["query"].tolist() == ["q0", "q1"]
    assert list(store.index("units", AUDIT, OF, ("query",))) == []
    assert not path.exists()


@pytest.mark.parametrize("keep", [0, 10, 200])
def test_a_truncated_file_is_removed_and_the_log_says_so(store, keep):
    path = saved(store, 0)
    path.write_bytes(path.read_bytes()[:keep])

    assert store.load([path.name], OF, units(0)) == {}
    assert not path.exists()
    assert "is damaged and is computed again" in (store.path / "log.jsonl").read_text()


def test_no_flipped_bit_of_a_unit_is_believed(store):
    """Either the file is refused, or what it holds is what was written."""
    rng = np.random.default_rng(0)
    path = saved(store, 0, 1)
    written = path.read_bytes()
    for place in rng.integers(0, len(written), 200):
        flipped = bytearray(written)
        flipped[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        found = store.load([path.name], OF, units(0, 1))
        assert all(a["data"][row].tolist() == arrays(0, 1)["data"][int(key[1:])].tolist()
                   for (key, _), (a, row) in found.items())  # fmt: skip


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(DataError, match="not a run directory"):
        existing(tmp_path)


def test_a_directory_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DiskError, match="cannot be a run directory"):
        Store(tmp_path / "file" / "run").open()


def test_a_directory_that_goes_away_while_a_run_draws_is_one_sentence(tmp_path):
    with pytest.raises(DiskError, match="cannot be a run directory"):
        Store(tmp_path / "gone").sweep()


def test_files_hold_no_pickles(store):
    path = saved(store, 0)
    with np.load(path, allow_pickle=False) as archive:
        assert all(archive[k].dtype != object for k in archive.files)


def test_what_a_killed_process_left_half_written_is_swept_when_the_run_goes_on(store):
    litter = store.path / "units" / f"{files.PREFIX}999999999-{files._machine()}-0123456789abcdef"
    litter.write_bytes(b"half")
    store.open()

    assert not litter.exists()


@pytest.mark.parametrize("text", ["", "{", "[1]", "\udcff", "nul\0", "[" * 100_000])
def test_a_damaged_json_file_is_one_sentence(store, text):
    (store.path / "identity.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError, match=r"identity\.json"):
        store.facts("identity.json")
