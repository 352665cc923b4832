"""A network of an installed package, with preprocessing that is written out."""

from __future__ import annotations

import importlib
import socket
import sys

import pytest
import torch
from fiber_audit_hub import proof
from fiber_audit_hub.photograph import photograph
from fiber_audit_hub.preprocessing import Preprocessing
from fiber_audit_hub.sources import loose_digest
from fiber_audit_hub.torch_module import TorchModuleExtractor
from safetensors.torch import save_file
from torch import nn
from torchvision import transforms as T

from fiber_audit._suite.options import problems_of, validated
from fiber_audit.check import check_extractor
from fiber_audit.errors import UnknownName, UsageError, WeightsError

PACKAGE = '''
import torch
from torch import nn

def encoder(width=6, channels=3):
    return nn.Sequential(
        nn.Conv2d(channels, width, 5, 3), nn.GELU(), nn.Conv2d(width, 2 * width, 3, 2), nn.Tanh()
    )

class Two(nn.Module):
    """Returns a dictionary."""
    def __init__(self):
        super().__init__()
        self.inner = encoder()
    def forward(self, x):
        return {"features": self.inner(x), "logits": None}

def broken():
    raise KeyError("no")

text = str

def fetched():
    from urllib.request import urlopen
    urlopen("https://weights.invalid/w.pth")

def wrapped():
    try:
        fetched()
    except Exception as error:
        raise RuntimeError("no weights") from error
'''
LOOSE = """
class Loose(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = encoder()
    def forward(self, x):
        return self.inner({code})
"""
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PLAIN = {"mean": (0.0,), "std": (1.0,)}
USUAL = {"resize": 64, "crop": 56, "mean": MEAN, "std": STD}
TARGET = "networks_of_ours:encoder"


@pytest.fixture(autouse=True)
def _package(tmp_path, monkeypatch):
    """An importable package of the user's."""
    (tmp_path / "networks_of_ours.py").write_text(PACKAGE)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("networks_of_ours", None)


@pytest.fixture
def encoder():
    from networks_of_ours import encoder

    torch.manual_seed(0)
    return encoder


def noise(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def test_it_is_the_factorys_network_behind_torchvisions_transforms(tmp_path, encoder):
    network = encoder(width=9)
    save_file(network.state_dict(), tmp_path / "w.safetensors")
    found = TorchModuleExtractor(
        target=TARGET, arguments={"width": 9}, weights=str(tmp_path / "w.safetensors"), **USUAL
    )
    training = T.Compose([T.Resize(64), T.CenterCrop(56), T.ToTensor(), T.Normalize(MEAN, STD)])
    wanted = network(training(photograph())[None]).mean((2, 3))

    assert torch.allclose(found.features_of_picture(photograph()), wanted, atol=1e-6)
    gap, *_ = proof.gap_between(found.tensor_path, found.library_path, found._of_pixels)
    assert gap.features < 1e-3


@pytest.mark.parametrize(
    "options",
    [
        USUAL,
        {"resize": (40, 48), "interpolation": "bicubic", **PLAIN},
        {"resize": 48, "antialias": False, "interpolation": "bicubic", **PLAIN},
        {"crop": (100, 120), "range": (-1.0, 1.0), **PLAIN},
        {
            "resize": 64,
            "interpolation": "bicubic",
            "grey": True,
            "arguments": {"channels": 1},
            "mean": (0.4,),
            "std": (0.2,),
        },
        {"resize": 64, "layer": "0", "pool": "max", **PLAIN},
    ],
    ids=["usual", "squashed", "no filter", "crop", "grey", "layer"],
)
def test_it_keeps_its_contract_in_every_variant(options):
    def again():
        return TorchModuleExtractor(target=TARGET, **options)

    assert check_extractor(again(), again=again) == []


@pytest.mark.parametrize(
    ("range_", "mean", "std"),
    [
        ((0.0, 1.0), (0.2, 0.3, 0.4), (0.5, 0.6, 0.7)),
        ((0.0, 255.0), (127.0,), (128.0,)),
        ((-1.0, 1.0), (0.1,), (2.0,)),
    ],
)
def test_range_mean_and_std_are_the_closed_form(range_, mean, std):
    steps = Preprocessing(0, 0, "bilinear", True, mean, std, range_)
    x = noise(2, 3, 5, 5)
    low, high = range_
    m, s = (torch.tensor(v if len(v) == 3 else v * 3)[:, None, None] for v in (mean, std))

    assert torch.allclose(steps.of_tensor(x), (low + (high - low) * x - m) / s, atol=1e-5)


def test_a_resize_without_a_filter_samples_and_one_with_a_filter_averages():
    board = ((torch.arange(64)[:, None] + torch.arange(64)) % 2).float().expand(1, 3, 64, 64)
    aliased, filtered = (
        Preprocessing(9, 0, "bilinear", how, (0.0,), (1.0,)).of_tensor(board)
        for how in (False, True)
    )

    assert filtered.std() < 0.05 < aliased.std()


def test_grey_networks_see_the_luminance_of_colours_and_grey_as_it_is():
    steps = Preprocessing(0, 0, "bilinear", True, (0.0,), (1.0,), grey=True)
    x, grey = noise(2, 3, 5, 5), noise(2, 1, 5, 5)
    weights = torch.tensor([0.299, 0.587, 0.114])[:, None, None]

    assert torch.allclose(steps.of_tensor(x), (weights * x).sum(1, keepdim=True), atol=1e-3)
    assert torch.allclose(steps.of_tensor(grey.repeat(1, 3, 1, 1)), grey, atol=1e-3)


def test_random_factories_are_seeded_and_the_digest_covers_target_arguments_and_weights(tmp_path):
    def digest(**more):
        return TorchModuleExtractor(**{"target": TARGET, **USUAL, **more}).weights_sha256

    before = torch.random.get_rng_state()
    assert digest() == digest()
    assert torch.equal(torch.random.get_rng_state(), before)
    others = [
        digest(arguments={"width": 7}),
        digest(layer="0"),
        digest(crop=55),
        digest(mean=(0.5,)),
        digest(pool="max"),
        digest(target="networks_of_ours:Two"),
    ]
    assert len({digest(), *others}) == 7


def test_the_digest_covers_code_and_tensors_that_are_no_weights(tmp_path):
    def digest(code="x"):
        (tmp_path / "networks_of_ours.py").write_text(PACKAGE + LOOSE.format(code=code))
        sys.modules.pop("networks_of_ours", None)
        importlib.invalidate_caches()
        return TorchModuleExtractor(target="networks_of_ours:Loose", **USUAL).weights_sha256

    first = digest()
    assert digest() == first
    assert len({first, digest("x * 2"), digest("x + 2")}) == 3
    network = nn.Linear(2, 2)
    found = [loose_digest(network)]
    network.scale = torch.ones(2, dtype=torch.bfloat16)
    found.append(loose_digest(network))
    network.register_buffer("table", torch.ones(()), persistent=False)
    found.append(loose_digest(network))
    network.table += 1
    found.append(loose_digest(network))
    assert len({*found}) == 4
    network.weight.data += 1  # which the digest of weights covers
    assert loose_digest(network) == found[-1]


def test_a_package_is_kept_off_the_network_unless_told(monkeypatch):
    asked = []

    def resolve(host, *rest, **named):
        asked.append(host)
        raise OSError("no network in tests")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    for target in ("networks_of_ours:fetched", "networks_of_ours:wrapped"):
        with pytest.raises(WeightsError, match=r"weights\.invalid; set download = true") as caught:
            TorchModuleExtractor(target=target, **USUAL)
        assert "\n" not in str(caught.value)
    assert asked == []
    with pytest.raises(WeightsError, match="no connection, though download = true"):
        TorchModuleExtractor(target="networks_of_ours:fetched", download=True, **USUAL)
    assert asked == ["weights.invalid"]


def test_any_failure_of_the_import_is_one_sentence(tmp_path):
    (tmp_path / "networks_of_ours.py").write_text("raise RuntimeError('two\\nlines')")
    with pytest.raises(
        UsageError, match=r"cannot be imported \(RuntimeError: two lines\)"
    ) as caught:
        TorchModuleExtractor(target=TARGET, **USUAL)
    (tmp_path / "networks_of_ours.py").write_text("def (")
    sys.modules.pop("networks_of_ours", None)
    with pytest.raises(UsageError, match=r"cannot be imported \(SyntaxError"):
        TorchModuleExtractor(target=TARGET, **USUAL)

    assert "\n" not in str(caught.value)


def test_a_dictionary_gives_its_first_tensor_and_a_half_network_runs():
    found = TorchModuleExtractor(target="networks_of_ours:Two", dtype="float16", **USUAL)

    assert found.feature_size == 12
    assert found.features(noise(2, 3, 30, 30)).dtype == torch.float32


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"target": "/home/me/net.py"}, UsageError, "pip install -e"),
        ({"target": "net.py:encoder.py"}, UsageError, "net is not installed"),
        ({"target": "os:system"}, UsageError, "Python's own library"),
        ({"target": "not_there.net:encoder"}, UsageError, "not_there is not installed"),
        ({"target": "networks_of_ours:encodr"}, UnknownName, "Did you mean 'encoder'"),
        ({"target": "networks_of_ours:broken"}, UsageError, r"fails .* \(KeyError"),
        ({"target": "networks_of_ours:text"}, UsageError, "returns a str"),
        ({"target": TARGET, "arguments": {"wide": 1}}, UsageError, "wide"),
        ({"target": TARGET, "weights": "none.pt"}, WeightsError, "no such file"),
        ({"target": TARGET, "mean": (1.0, 2.0)}, UsageError, "2 numbers for 3 channels"),
        ({"target": TARGET, "std": (0.0,)}, UsageError, "is divided by it"),
        ({"target": TARGET, "layer": "7"}, UnknownName, "no such module"),
        ({"target": TARGET, "arguments": {"channels": 5}}, UsageError, "fails on a photograph"),
    ],
)
def test_mistakes_are_one_sentence(options, kind, words):
    with pytest.raises(kind, match=words) as caught:
        TorchModuleExtractor(**{**USUAL, **options})

    assert "\n" not in str(caught.value)


def test_a_suite_must_say_mean_and_std_and_may_write_one_number_or_a_pair():
    problems = problems_of(TorchModuleExtractor, {"target": TARGET}, "extractors.a")
    given = {"target": TARGET, "mean": [0], "std": [1, 1, 1], "resize": [3, 4], "crop": 5}

    assert [problem.partition(":")[0] for problem in problems] == [
        "extractors.a.mean",
        "extractors.a.std",
    ]
    assert validated(TorchModuleExtractor, given)["resize"] == (3, 4)
