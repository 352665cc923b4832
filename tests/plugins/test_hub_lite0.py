"""EfficientNet-Lite0 is the published network, with the preprocessing that it was trained with."""

from __future__ import annotations

import numpy as np
import pytest
import timm
import torch
from fiber_audit_hub import proof
from fiber_audit_hub.efficientnet_lite0 import EfficientNetLite0
from fiber_audit_hub.photograph import photograph
from PIL import Image
from sklearn.datasets import load_sample_image
from torchvision.models import ResNet18_Weights
from torchvision.transforms.functional import normalize

from fiber_audit.check import check_extractor
from fiber_audit.errors import UnknownName

CLASSES = ResNet18_Weights.DEFAULT.meta["categories"]


@pytest.fixture(scope="module")
def lite0():
    return EfficientNetLite0()


@pytest.fixture(scope="module")
def flower():
    return Image.fromarray(load_sample_image("flower.jpg"))


@pytest.fixture(scope="module")
def twin(lite0):
    """The graph by timm with our weights: both are in the order of the layers."""
    ours = [*lite0.network.inner.state_dict().values()]
    with torch.random.fork_rng(devices=[]):
        network = timm.create_model("tf_efficientnet_lite0")
    network.load_state_dict(dict(zip(network.state_dict(), ours, strict=True)))
    return network.eval()


def probabilities(lite0, features):
    return lite0.network.inner.classify(features).softmax(1)[0]


@pytest.mark.parametrize("size", [(224, 224), (65, 130)])
def test_the_graph_is_timms_at_every_size(lite0, twin, size):
    x = 2 * torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0)) - 1
    inner = lite0.network.inner
    with torch.no_grad():
        assert torch.allclose(inner.classify(inner(x)), twin(x), atol=1e-5)


def test_features_of_a_photograph_are_those_of_timms_transform(lite0, twin):
    data = {**timm.data.resolve_model_data_config(twin), "crop_pct": 224 / 256}
    data |= {"mean": (127 / 255,) * 3, "std": (128 / 255,) * 3}
    picture = photograph()
    twin.reset_classifier(0)
    with torch.no_grad():
        wanted = twin(timm.data.create_transform(**data)(picture)[None])
    gap, *_ = proof.gap_between(lite0.tensor_path, lite0.library_path, lite0._of_pixels)

    assert proof.relative(lite0.features_of_picture(picture), wanted) < 1e-5
    assert gap.features < 1e-3
    assert gap.unrounded < 0.1  # this network makes much of 8 bits: 3 to 10 %


def test_a_flower_is_a_daisy_and_imagenets_mean_and_std_are_a_trap(lite0, flower):
    x = torch.from_numpy(np.array(flower)).permute(2, 0, 1)[None] / 255
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    with torch.no_grad():
        ours = lite0.features(x)
        unit = (lite0.tensor_path(x) * 128 + 127) / 255
        trap = lite0._of_pixels(normalize(unit, mean, std))
    daisy = CLASSES.index("daisy")
    right, wrong = (float(probabilities(lite0, found)[daisy]) for found in (ours, trap))

    assert int(probabilities(lite0, ours).argmax()) == daisy
    assert int(probabilities(lite0, lite0.features_of_picture(flower)).argmax()) == daisy
    assert right > 2 * wrong
    assert proof.relative(trap, ours) > 0.3


def test_it_keeps_its_contract():
    def small():
        return EfficientNetLite0(resize=64, crop=0)

    assert check_extractor(small(), again=small) == []


def test_that_it_makes_much_of_8_bits_is_no_reason_to_refuse_it():
    found = EfficientNetLite0(resize=64, crop=0, interpolation="bilinear")
    gap, *_ = proof.gap_between(found.tensor_path, found.library_path, found._of_pixels)

    assert gap.unrounded > 0.05
    assert gap.features < gap.unrounded / 8
    assert gap.pixels < proof.PIXELS


def test_options_change_features_and_the_digest(lite0):
    early = EfficientNetLite0(layer="_blocks.4", resize=(96, 96), crop=0)

    assert (lite0.feature_size, early.feature_size) == (1280, 40)
    assert lite0.weights_sha256 != EfficientNetLite0(crop=192).weights_sha256
    with pytest.raises(UnknownName, match="Did you mean '_blocks"):
        EfficientNetLite0(layer="blocks.4")


def test_half_runs(flower):
    half = EfficientNetLite0(dtype="bfloat16", resize=64, crop=0)

    assert half.features_of_picture(flower).dtype == torch.float32
    assert "bfloat16" in half.facts["dtype"]
