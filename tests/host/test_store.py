import numpy as np
import pytest
import torch

from fiber_audit.contracts import Draws
from fiber_audit.errors import DataError
from fiber_audit.meter import Cost
from fiber_audit.plan import Audit, Block, Unit
from fiber_audit.store import Store, existing, write_atomically

AUDIT = Audit("e", "p", "s")


def block(*numbers):
    return Block(AUDIT, tuple(Unit(f"id{i}", i, 0, i) for i in numbers))


def draws(*numbers):
    data = torch.tensor(numbers, dtype=torch.float32)[:, None]
    return Draws(data, data, torch.ones(len(numbers), dtype=torch.bool), data, {"d": data[:, 0]})


def test_rows_come_back_in_the_order_asked_for_whatever_the_blocks(tmp_path):
    store = Store(tmp_path)
    store.save(block(2, 0), draws(2, 0), Cost(prior_forward=10))
    store.save(block(1), draws(1), Cost(prior_forward=7))
    rows = store.load(AUDIT, block(0, 1, 2).units)

    assert rows["data"][:, 0].tolist() == [0, 1, 2]
    assert rows["cost.prior_forward"].tolist() == [5, 7, 5]
    assert rows["diagnostic.d"].tolist() == [0, 1, 2]
    assert store.finished(AUDIT) == {"id0", "id1", "id2"}
    assert store.load(AUDIT, block(0, 3).units) is None


def test_audits_with_similar_names_are_kept_apart(tmp_path):
    store = Store(tmp_path)
    store.save(Block(Audit("e", "p", "s-2"), block(0).units), draws(0), Cost())

    assert store.finished(AUDIT) == set()


@pytest.mark.parametrize("keep", [0, 10, 200])
def test_a_damaged_file_is_computed_again_not_believed(tmp_path, keep):
    store = Store(tmp_path)
    path = store.save(block(0), draws(0), Cost())
    path.write_bytes(path.read_bytes()[:keep])

    assert store.finished(AUDIT) == set()


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    path = tmp_path / "a"
    write_atomically(path, b"old")
    monkeypatch.setattr("fiber_audit.store.os.fsync", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_atomically(path, b"new")

    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(DataError, match="not a run directory"):
        existing(tmp_path)


def test_files_hold_no_pickles(tmp_path):
    path = Store(tmp_path).save(block(0), draws(0), Cost())
    with np.load(path, allow_pickle=False) as archive:
        assert all(archive[k].dtype != object for k in archive.files)
