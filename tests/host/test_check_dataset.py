"""Checks of datasets, as sequences: each way to break the contract has its name."""

# ruff: noqa: NPY002 the global random numbers are what is tested

from __future__ import annotations

import numpy as np
import pytest
import torch

from fiber_audit.check import check_dataset
from fiber_audit.check.dataset import CHECKS, SOME
from fiber_audit.contracts import Dataset

IMAGES = torch.linspace(0, 1, 12).reshape(3, 1, 2, 2)


def names(found):
    return {violation.name for violation in found}


class Table(Dataset):
    """A good dataset of three images; attributes replace what it has."""

    data_shape = (1, 2, 2)

    def __init__(self, data=IMAGES, **attributes):
        self.data = data
        self.ids = [f"image-{i}" for i in range(len(data))]
        self.labels = torch.arange(len(data))
        vars(self).update(attributes)

    def load(self, indices):
        return self.data[indices]

    def stamp(self, index):
        return f"{index}, 12 bytes, 2026"

    def reference(self, n, generator):
        return torch.rand((n, *self.data_shape), generator=generator)


class Reordered(Table):
    """Items in the order of the data, whatever order was asked for, as a lazy mask would do."""

    def load(self, indices):
        return self.data[sorted(indices)]


class Stretched(Table):
    """Every block is stretched to its own range."""

    def load(self, indices):
        return self.data[indices] / self.data[indices].max()


class Fresh(Table):
    def load(self, indices):
        return (self.data[indices] + 1e-3 * torch.rand(())).clamp(0, 1)


class Augmented(Table):
    """The same at every call, and draws all the same."""

    def load(self, indices):
        np.random.rand()
        return self.data[indices]


class Clocked(Table):
    calls = 0

    def stamp(self, index):
        self.calls += 1
        return str(self.calls)


class Numbered(Table):
    def stamp(self, index):
        return index


class Seeded(Table):
    def reference(self, n, generator):
        return torch.rand((n, *self.data_shape), generator=torch.Generator().manual_seed(0))


class Global(Table):
    def reference(self, n, generator):
        return torch.rand((n, *self.data_shape))


class Single(Table):
    def reference(self, n, generator):
        return super().reference(1, generator)


class Bytes(Table):
    def reference(self, n, generator):
        return 255 * super().reference(n, generator)


class Longer(Table):
    def __len__(self):
        return 4


class Absent(Table):
    def load(self, indices):
        raise FileNotFoundError("digit-0.png")


def test_a_good_dataset_has_no_violation():
    assert check_dataset(Table()) == []
    assert check_dataset(Table(labels=None, reference=lambda n, generator: None)) == []


def test_of_a_large_dataset_only_some_items_are_loaded():
    asked = []

    class Large(Table):
        data_shape = (2,)

        def load(self, indices):
            asked.extend(indices)
            return torch.tensor([[float(i), 1.0] for i in indices])

    assert check_dataset(Large(range(100_000), labels=None)) == []
    assert {0, 99_999} < {*asked}
    assert len({*asked}) <= SOME


BAD = [
    (Table(ids=["a", "a", "b"]), "ids"),
    (Table(ids=["a", "b", 3]), "ids"),
    (Table(ids=["a", "b", ""]), "ids"),
    (Table(IMAGES[:0]), "ids"),
    (Longer(), "call"),
    (Absent(), "call"),
    (Table(data_shape=(3, 2, 2)), "rows"),
    (Table(IMAGES.double()), "rows"),
    (Table(255 * IMAGES), "rows"),
    (Table(IMAGES / 0), "rows"),
    (Reordered(), "any-order"),
    (Stretched(), "any-order"),
    (Fresh(), "stable"),
    (Augmented(), "stable"),
    (Table(labels=torch.arange(2)), "labels"),
    (Table(labels=torch.rand(3)), "labels"),
    (Table(labels=[0, 1, 2]), "labels"),
    (Clocked(), "stamp"),
    (Numbered(), "stamp"),
    (Seeded(), "reference"),
    (Global(), "reference"),
    (Single(), "reference"),
    (Bytes(), "reference"),
]


@pytest.mark.parametrize(("bad", "name"), BAD)
def test_a_bad_dataset_is_found_by_name_in_one_sentence(bad, name):
    found = check_dataset(bad)

    assert name in names(found), found
    for violation in found:
        assert "\n" not in violation.message
        assert violation.message.endswith(".")


def test_every_check_of_a_dataset_is_tripped_by_some_bad_one():
    assert {*CHECKS} <= {name for _, name in BAD}
