import numpy as np
import pytest

from fiber_audit import files
from fiber_audit._draw.plan import Audit, Piece
from fiber_audit._draw.store import Store, existing
from fiber_audit.errors import DataError, DiskError

AUDIT = Audit("e", "p", "s")


def piece(*numbers, audit=AUDIT):
    return Piece(audit, tuple(numbers), tuple(f"id{i}" for i in numbers))


def arrays(*numbers):
    return {
        "id": np.array([f"id{i}" for i in numbers]),
        "data": np.array(numbers, dtype=np.float32)[:, None] + np.zeros(40, np.float32),
    }


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path / "run")
    made.open()
    return made


def test_rows_are_found_by_their_ids_whatever_the_files(store):
    names = [store.save("units", piece(2, 0), arrays(2, 0)).name]
    names.append(store.save("units", piece(1), arrays(1)).name)
    found = store.load(names, ["id0", "id1", "id3"])

    assert {unit: float(a["data"][row, 0]) for unit, (a, row) in found.items()} == {
        "id0": 0.0, "id1": 1.0,
    }  # fmt: skip


def test_audits_with_similar_names_are_kept_apart(store):
    store.save("units", piece(0, audit=Audit("e", "p", "s-2")), arrays(0))

    assert list(store.index("units", AUDIT, "id")) == []


@pytest.mark.parametrize("keep", [0, 10, 200])
def test_a_truncated_file_is_removed_and_the_log_says_so(store, keep):
    path = store.save("units", piece(0), arrays(0))
    path.write_bytes(path.read_bytes()[:keep])

    assert store.load([path.name], ["id0"]) == {}
    assert not path.exists()
    assert "is damaged and is computed again" in (store.path / "log.jsonl").read_text()


def test_no_flipped_bit_of_a_unit_is_believed(store):
    """Either the file is refused, or what it holds is what was written."""
    rng = np.random.default_rng(0)
    written = store.save("units", piece(0, 1), arrays(0, 1)).read_bytes()
    for place in rng.integers(0, len(written), 200):
        flipped = bytearray(written)
        flipped[place] ^= 1 << int(rng.integers(8))
        path = store.path / "units" / store.name_of(piece(0, 1))
        path.write_bytes(flipped)
        found = store.load([path.name], ["id0", "id1"])
        assert all(a["data"][row].tolist() == arrays(0, 1)["data"][int(unit[2:])].tolist()
                   for unit, (a, row) in found.items())  # fmt: skip


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(DataError, match="not a run directory"):
        existing(tmp_path)


def test_a_directory_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DiskError, match="cannot be a run directory"):
        Store(tmp_path / "file" / "run").open()


def test_files_hold_no_pickles(store):
    path = store.save("units", piece(0), arrays(0))
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
