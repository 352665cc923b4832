"""Weights: which file is read, the proof that it is the right one, and one sentence otherwise."""

from __future__ import annotations

import hashlib
import pickle

import pytest
import torch
from fiber_audit_fid import checkpoints
from fiber_audit_fid.inception_tf import InceptionTF, graph
from fiber_audit_fid.inception_torchvision import InceptionTorchvision
from torch import nn

from fiber_audit.errors import WeightsError


def images(n: int) -> torch.Tensor:
    return torch.rand(n, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def test_random_weights_come_from_their_seed_and_from_no_global_state():
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = InceptionTF(weights="random", layer="64")
    after = torch.get_rng_state()
    torch.manual_seed(2)
    again = InceptionTF(weights="random", layer="64")
    other = InceptionTF(weights="random", layer="64", seed=1)
    x = images(1)

    assert torch.equal(state, after)
    assert torch.equal(first.features(x), again.features(x))
    assert first.weights_sha256 == again.weights_sha256 != other.weights_sha256
    assert not torch.equal(first.features(x), other.features(x))


@pytest.mark.parametrize(
    ("make", "file"),
    [
        (InceptionTF, "weights-inception-2015-12-05-6726825d.pth"),
        (InceptionTorchvision, "inception_v3_google-0cc3c7bd.pth"),
    ],
)
def test_absent_weights_say_which_file_to_put_where(make, file, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))

    with pytest.raises(WeightsError, match=f"put {file} into {tmp_path}/checkpoints, or set"):
        make()
    with pytest.raises(WeightsError, match=f"no such file; .* reads {file}"):
        make(weights=str(tmp_path / "nothing.pth"))


def test_nothing_is_downloaded_unless_asked_and_failure_is_one_sentence(tmp_path, monkeypatch):
    asked = []

    def refuse(url, *rest):
        asked.append(url)
        raise OSError("no route to host")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    with pytest.raises(WeightsError, match="absent"):
        InceptionTF()
    assert asked == []
    with pytest.raises(WeightsError, match=r"download of .* failed \(no route to host\)"):
        InceptionTF(download=True)
    assert asked == [checkpoints.TF_INCEPTION.url]


def test_a_file_with_another_digest_is_not_opened(tmp_path):
    path = tmp_path / "wrong.pth"
    path.write_bytes(b"not a checkpoint")

    with pytest.raises(WeightsError, match=r"sha256 is .*, inception-tf expects 6726825d0af5…"):
        InceptionTF(weights=str(path))


def test_a_checkpoint_of_ones_own_loads_by_its_digest_and_a_pickle_does_not(tmp_path):
    path, evil = tmp_path / "own.pth", tmp_path / "evil.pth"
    published = graph("2048")
    published.add_module("fc", nn.Linear(2048, 1008))  # which the extractor leaves out
    checkpoints.fill_random(published, seed=3)
    torch.save(published.state_dict(), path)
    evil.write_bytes(pickle.dumps(print, protocol=2))
    digest, bad = (hashlib.sha256(p.read_bytes()).hexdigest() for p in (path, evil))
    own = InceptionTF(weights=str(path), sha256=digest, layer="64")
    x = images(1)

    assert own.weights_sha256 == digest
    assert torch.equal(
        own.features(x), InceptionTF(weights="random", seed=3, layer="64").features(x)
    )
    with pytest.raises(WeightsError, match="not a checkpoint of inception-tf"):
        InceptionTF(weights=str(evil), sha256=bad)
    with pytest.raises(WeightsError, match="not a checkpoint of inception-torchvision"):
        InceptionTorchvision(weights=str(path), sha256=digest)


@pytest.mark.parametrize("make", [InceptionTF, InceptionTorchvision])
def test_a_git_lfs_pointer_is_named_and_told_whatever_digest_is_expected(
    make, tmp_path, monkeypatch
):
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    files = [*checkpoints.TF_INCEPTION.files[:1], *checkpoints.TORCHVISION_INCEPTION.files]
    for name in files:
        (tmp_path / "checkpoints" / name).write_bytes(pointer)
    own = tmp_path / "own.pth"
    own.write_bytes(pointer)

    with pytest.raises(WeightsError, match=f"{tmp_path}/checkpoints/.*: a Git LFS pointer"):
        make()
    with pytest.raises(WeightsError, match=rf"{own}: a Git LFS pointer, .* `git lfs pull`\.$"):
        make(weights=str(own), sha256=hashlib.sha256(pointer).hexdigest())
