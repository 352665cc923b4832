"""The network of a table: its split, its score, its units, its file, and the shipped one."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from fiber_audit_data.table import NumericTable
from fiber_audit_tables import extractor
from fiber_audit_tables.extractor import TableMLPExtractor
from fiber_audit_tables.split import held_out
from fiber_audit_tables.stored import read, write
from fiber_audit_tables.train import auroc, trained
from safetensors.torch import load_file, save_file
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import roc_auc_score

from fiber_audit import WeightsError, load_suite
from fiber_audit.check import check_extractor

TABLE = Path(extractor.__file__).parent / "data" / "breast_cancer.csv"


def shipped(part):
    return NumericTable(str(TABLE), label="malignant", part=part)


def rows_of(data):
    return data.load(range(len(data)))


def two_classes(n=300):
    g = torch.Generator().manual_seed(0)
    labels = torch.randint(2, (n,), generator=g)
    return torch.randn(n, 4, generator=g) + labels[:, None], labels


def test_the_shipped_table_is_that_of_scikit_learn():
    ours, theirs = pd.read_csv(TABLE), load_breast_cancer()

    assert np.array_equal(ours.drop(columns="malignant").to_numpy(), theirs.data)
    assert np.array_equal(ours["malignant"].to_numpy(), 1 - theirs.target)


def test_rows_are_held_out_as_the_data_set_table_holds_them_out():
    ours = {f"row-{i}" for i in range(569) if held_out(f"row-{i}")}

    assert ours == set(shipped("held-out").ids)
    assert ours.isdisjoint(shipped("rest").ids)


def test_auroc_is_that_of_scikit_learn_with_ties():
    g = torch.Generator().manual_seed(0)
    scores = torch.randint(9, (200,), generator=g).float()
    positive = torch.randint(2, (200,), generator=g).bool()

    assert auroc(scores, positive) == pytest.approx(roc_auc_score(positive, scores))


def test_units_of_the_columns_do_not_matter():
    rows, labels = two_classes()
    scale, shift = torch.tensor([1e3, 1e-3, 2.0, 0.5]), torch.tensor([0.0, 5.0, -3.0, 1.0])

    one, other = trained(rows, labels, 3, 0), trained(rows * scale + shift, labels, 3, 0)

    assert torch.allclose(one(rows), other(rows * scale + shift), atol=1e-3)


def test_a_training_can_be_repeated_and_leaves_the_global_generator_alone():
    rows, labels = two_classes()
    before = torch.random.get_rng_state()

    one, other = trained(rows, labels, 2, 0), trained(rows, labels, 2, 0)

    assert torch.equal(one(rows), other(rows))
    assert not torch.equal(one(rows), trained(rows, labels, 2, 1)(rows))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_network_that_was_written_is_read_with_all_that_is_known_of_it(tmp_path):
    rows, labels = two_classes()
    network = trained(rows, labels, 1, 0)
    write(tmp_path / "n.safetensors", network, ["a", "b", "c", "d"], 0.987, 300)

    found = read(tmp_path / "n.safetensors")

    assert torch.equal(found.network(rows), network(rows))
    assert (found.columns, found.auroc, found.rows) == (("a", "b", "c", "d"), 0.987, 300)
    assert found.classes == 2


def test_another_file_another_column_and_other_weights_are_another_network(tmp_path):
    rows, labels = two_classes()
    network = trained(rows, labels, 1, 0)
    digests = set()
    for last in ("d", "e"):
        write(tmp_path / "n.safetensors", network, ["a", "b", "c", last], 0.9, 300)
        digests.add(TableMLPExtractor(str(tmp_path / "n.safetensors")).weights_sha256)
    tensors = load_file(tmp_path / "n.safetensors")
    network.layers[0].weight.data[0, 0] += 1
    write(tmp_path / "n.safetensors", network, ["a", "b", "c", "d"], 0.9, 300)
    digests.add(TableMLPExtractor(str(tmp_path / "n.safetensors")).weights_sha256)

    assert len(digests) == 3
    assert set(tensors) == set(network.state_dict())


def test_a_missing_or_foreign_file_is_told_with_the_way_out(tmp_path):
    with pytest.raises(WeightsError, match="-m fiber_audit_tables"):
        TableMLPExtractor(str(tmp_path / "none.safetensors"))
    save_file({"w": torch.zeros(1)}, tmp_path / "foreign.safetensors")
    with pytest.raises(WeightsError, match="not a network of fiber_audit_tables"):
        TableMLPExtractor(str(tmp_path / "foreign.safetensors"))


def test_the_shipped_network_tells_rows_apart_that_it_never_saw():
    data = shipped("held-out")
    logits = TableMLPExtractor().features(rows_of(data))

    assert roc_auc_score(data.labels, logits[:, 1] - logits[:, 0]) >= 0.97


def test_the_shipped_network_keeps_the_contract():
    assert check_extractor(TableMLPExtractor(), rows_of(shipped("held-out"))[:8]) == []


def test_shipped_suites_are_valid_and_their_columns_are_those_of_the_table():
    breast, pulsars = (load_suite(name) for name in ("breast-cancer", "htru2"))
    columns = list(pd.read_csv(TABLE, nrows=0).columns[:-1])

    assert list(breast.attributes) == columns
    assert [use.options["index"] for use in breast.attributes.values()] == list(range(30))
    assert [use.options["index"] for use in pulsars.attributes.values()] == list(range(8))
