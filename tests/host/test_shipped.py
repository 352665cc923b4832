"""Weights that plugins ship: what was stored is loaded, and anything else is refused."""

from __future__ import annotations

from importlib.resources import files

import pytest
import torch
from torch import nn

from fiber_audit.errors import WeightsError
from fiber_audit.loading import Shipped

PLUGINS = ["fiber_audit_causal_mnist", "fiber_audit_chest", "fiber_audit_texture_shape"]


def small(seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Linear(3, 2)


def test_what_was_stored_is_loaded_in_half_precision_frozen_and_with_its_facts(tmp_path):
    network, shipped = small(), Shipped(tmp_path / "new")
    shipped.store(network, "one", {"accuracy": 0.9})
    shipped.store(small(1), "two", {})

    found = shipped.load(small(2), "one")
    assert torch.equal(found.weight, network.weight.half().float())
    assert not found.training
    assert not any(p.requires_grad for p in found.parameters())
    assert shipped.facts("one") == {"accuracy": 0.9}
    assert shipped.digest("one") != shipped.digest("two")


def test_a_network_that_is_stored_again_is_the_one_that_is_loaded(tmp_path):
    shipped = Shipped(tmp_path)
    shipped.store(small(), "one", {})
    before = shipped.digest("one")
    shipped.store(small(1), "one", {})

    assert shipped.digest("one") != before
    assert torch.equal(shipped.load(small(), "one").weight, small(1).weight.half().float())


@pytest.mark.parametrize("place", [0, 50, -1])
def test_one_flipped_bit_is_refused(tmp_path, place):
    Shipped(tmp_path / "good").store(small(), "one", {})
    content = bytearray((tmp_path / "good" / "one.safetensors").read_bytes())
    content[place] ^= 1
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "one.safetensors").write_bytes(content)
    (bad / "manifest.json").write_bytes((tmp_path / "good" / "manifest.json").read_bytes())

    with pytest.raises(WeightsError, match="the manifest says"):
        Shipped(bad).load(small(), "one")


def test_what_is_missing_or_in_no_manifest_is_one_sentence(tmp_path):
    (tmp_path / "manifest.json").write_text('{"one": {"sha256": "0"}}')
    with pytest.raises(WeightsError, match="missing"):
        Shipped(tmp_path).load(small(), "one")
    (tmp_path / "two.safetensors").write_bytes(b"cut")
    with pytest.raises(WeightsError, match="manifest"):
        Shipped(tmp_path).load(small(), "two")


@pytest.mark.parametrize("plugin", PLUGINS)
def test_every_file_of_a_plugin_is_that_of_its_manifest(plugin):
    shipped = Shipped(files(plugin) / "weights")
    names = [path.stem for path in shipped.folder.glob("*.safetensors")]

    assert names
    for name in names:
        assert len(shipped.digest(name)) == 64
