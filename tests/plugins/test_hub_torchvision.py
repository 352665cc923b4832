"""torchvision's networks see pictures as the presets of their weights show them."""

from __future__ import annotations

import pytest
import torch
from fiber_audit_hub import proof
from fiber_audit_hub.photograph import photograph
from fiber_audit_hub.torchvision_models import Preset, TorchvisionExtractor, _tokens
from safetensors.torch import save_file
from torch import nn
from torchvision import models

from fiber_audit.check import check_extractor
from fiber_audit.errors import UnknownName, UsageError, WeightsError

NAME = "shufflenet_v2_x0_5"
WEIGHTS = models.ShuffleNet_V2_X0_5_Weights.IMAGENET1K_V1


def drawn(classes=1000):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return models.get_model(NAME, weights=None, num_classes=classes).eval()


@pytest.fixture(scope="module")
def extractor():
    return TorchvisionExtractor(model=NAME, weights="random", seed=1)


@pytest.fixture
def cache(tmp_path):
    """torch.hub's folder of checkpoints."""
    before = torch.hub.get_dir()
    torch.hub.set_dir(str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    yield tmp_path / "checkpoints"
    torch.hub.set_dir(before)


def torchvisions_own(picture):
    """Features of a picture with torchvision alone."""
    model = drawn()
    model.fc = nn.Identity()
    with torch.no_grad():
        return model(WEIGHTS.transforms()(picture)[None])


def test_features_of_a_photograph_are_torchvisions(extractor):
    picture = photograph()
    wanted = torchvisions_own(picture)
    gap, *_ = proof.gap_between(extractor.tensor_path, extractor.library_path, extractor._of_pixels)

    assert proof.relative(extractor.features_of_picture(picture), wanted) < 1e-5
    assert gap.features < 1e-3
    assert gap.unrounded < 1e-2  # PIL's rounding to 8 bits, which no path with a gradient has
    assert "antialias=True" in extractor.facts["preprocessing"]


@pytest.mark.parametrize("model", ["vit_h_14", "swin_v2_t", "efficientnet_b0", "inception_v3"])
@pytest.mark.parametrize("which", ["DEFAULT", "IMAGENET1K_V1"])
def test_presets_of_every_kind_are_the_same_on_tensors(model, which):
    published = models.get_model_weights(model).__members__
    if which not in published:
        which = "DEFAULT"
    preset = Preset(published[which].transforms())
    gap, *_ = proof.gap_between(preset.of_tensor, preset.of_picture, lambda x: x.mean((2, 3)))

    assert gap.pixels < proof.PIXELS


def test_it_keeps_its_contract_and_passes_a_gradient(extractor):
    x = torch.rand(2, 3, 50, 61, generator=torch.Generator().manual_seed(0), requires_grad=True)
    (gradient,) = torch.autograd.grad(extractor.features(x).square().sum(), x)

    assert gradient.isfinite().all()
    assert gradient.any(dim=(1, 2, 3)).all()
    assert check_extractor(extractor) == []


def test_a_node_is_a_part_of_the_forward_pass():
    found = TorchvisionExtractor(model=NAME, weights="random", seed=1, layer="stage2")
    pixels = found.library_path(photograph())
    model = drawn()
    with torch.no_grad():
        wanted = model.stage2(model.maxpool(model.conv1(pixels))).mean((2, 3))

    assert torch.allclose(found._of_pixels(pixels), wanted, atol=1e-6)
    assert len(found.network.state_dict()) < len(model.state_dict())
    flat = {"model": NAME, "weights": "random", "layer": "stage2", "pool": "flatten"}
    assert TorchvisionExtractor(**flat).feature_size == 48 * 28 * 28
    with pytest.raises(UsageError, match="37,632 features, above flat_limit = 30,000"):
        TorchvisionExtractor(**flat, flat_limit=30_000)


def test_only_published_weights_of_googlenet_transform_their_input(tmp_path, cache):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        own = models.googlenet(weights=None, init_weights=False).eval()
    url = models.GoogLeNet_Weights.DEFAULT.url
    for path in (tmp_path / "mine.pth", cache / url.rpartition("/")[2]):
        torch.save(own.state_dict(), path)
    own.fc = nn.Identity()
    layers = {"model": "googlenet"}
    mine = TorchvisionExtractor(**layers, weights=str(tmp_path / "mine.pth"))
    theirs = TorchvisionExtractor(**layers, weights="DEFAULT")
    pixels = mine.library_path(photograph())

    with torch.no_grad():
        assert not own.transform_input
        assert proof.relative(mine._of_pixels(pixels), own(pixels)) < 1e-5
        own.transform_input = True
        assert proof.relative(theirs._of_pixels(pixels), own(pixels)) < 1e-5
    assert proof.relative(mine._of_pixels(pixels), own(pixels).detach()) > 1e-2
    assert (mine.facts["transform_input"], theirs.facts["transform_input"]) == ("false", "true")
    assert mine.weights_sha256 != theirs.weights_sha256


def test_the_class_token_of_a_vit_is_left_out_where_it_is():
    vit = models.VisionTransformer(64, 16, 1, 1, 8, 8)
    assert _tokens(vit) == {"prefix": 1, "patches": 16}
    assert _tokens(drawn()) == {"prefix": 0, "patches": 0}


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_a_checkpoint_of_any_number_of_classes_is_loaded(tmp_path, suffix, extractor):
    path = tmp_path / f"mine.{suffix}"
    state = drawn(7).state_dict()
    (save_file if suffix == "safetensors" else torch.save)(state, path)
    found = TorchvisionExtractor(model=NAME, weights=str(path))
    headless = drawn(7)
    headless.fc = nn.Identity()
    pixels = found.library_path(photograph())

    assert torch.allclose(found._of_pixels(pixels), headless(pixels), atol=1e-6)


def test_published_weights_are_read_from_torchs_cache_as_tensors_alone(cache):
    with pytest.raises(WeightsError, match=r"weights are absent; put https://.* download = true"):
        TorchvisionExtractor(model=NAME, weights="IMAGENET1K_V1")
    path = cache / WEIGHTS.url.rpartition("/")[2]
    torch.save(drawn().state_dict(), path)
    found = TorchvisionExtractor(model=NAME, weights="IMAGENET1K_V1")

    picture = photograph()
    assert proof.relative(found.features_of_picture(picture), torchvisions_own(picture)) < 1e-5
    torch.save({"fc": print}, path)
    with pytest.raises(WeightsError, match="could run code"):
        TorchvisionExtractor(model=NAME, weights="DEFAULT")


@pytest.mark.parametrize(("dtype", "most"), [("float16", 2e-2), ("bfloat16", 0.1)])
def test_a_half_network_is_near_the_whole_one(dtype, most, extractor):
    half = TorchvisionExtractor(model=NAME, weights="random", seed=1, dtype=dtype)
    pixels = extractor.library_path(photograph())

    assert proof.relative(half._of_pixels(pixels), extractor._of_pixels(pixels)) < most


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"model": "resnet51", "weights": "DEFAULT"}, UnknownName, "Did you mean 'resnet"),
        ({"model": NAME, "weights": "IMAGENET1K_V9"}, UnknownName, "IMAGENET1K_V1"),
        ({"model": NAME, "weights": "./none.pth"}, WeightsError, "no such file"),
        ({"model": NAME, "weights": "random", "preset": "V9"}, UnknownName, "preset = 'V9'"),
        (
            {"model": NAME, "weights": "random", "layer": "stage9"},
            UnknownName,
            "There are: x, fc, ",
        ),
        ({"model": "squeezenet1_1", "weights": "random"}, UsageError, "name a layer"),
    ],
)
def test_mistakes_are_one_sentence(options, kind, words):
    with pytest.raises(kind, match=words) as caught:
        TorchvisionExtractor(**options)

    assert "\n" not in str(caught.value)


def test_names_of_old_densenets_are_read(cache):
    network = models.densenet121(weights=None)
    old = {
        key.replace(".norm1.", ".norm.1.").replace(".conv2.", ".conv.2."): value
        for key, value in network.state_dict().items()
    }
    torch.save(old, cache / models.DenseNet121_Weights.DEFAULT.url.rpartition("/")[2])
    found = TorchvisionExtractor(model="densenet121", weights="DEFAULT", layer="features.conv0")

    kept = next(iter(found.network.state_dict().values()))
    assert torch.equal(kept, network.features.conv0.weight)
