"""timm's networks, from timm's own folders and files, see pictures as timm shows them."""

from __future__ import annotations

import pytest
import timm
import torch
from fiber_audit_hub import proof
from fiber_audit_hub.layers import Layer
from fiber_audit_hub.photograph import photograph
from fiber_audit_hub.pooling import Pooling
from fiber_audit_hub.timm_models import TimmExtractor, _channels
from fiber_audit_hub.tokens import tokens_of_timm

from fiber_audit._suite.catalogue import Catalogue
from fiber_audit._suite.options import problems_of
from fiber_audit.check import check_extractor
from fiber_audit.errors import UnknownName, UsageError, WeightsError

TINY = ("test_resnet", "test_vit")
CROP_SQUASHED = {"crop_mode": "squash", "crop_pct": 0.9, "mean": (0.1, 0.2, 0.3)}


def drawn(name, **options):
    """One of timm's smallest networks, with random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return timm.create_model(name, **options).eval()


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Name -> a folder as timm saves it, of a classifier of 7 with a preprocessing of its own."""
    root = tmp_path_factory.mktemp("timm")
    for name in TINY:
        model = drawn(name, num_classes=7)
        model.pretrained_cfg = {**model.pretrained_cfg, **CROP_SQUASHED, "num_classes": 7}
        timm.models.save_for_hf(model, root / name, safe_serialization=True)
    return {name: f"local-dir:{root / name}" for name in TINY}


def timms_own(name, picture, **overlay):
    """Features of a picture with timm alone."""
    model = drawn(name, num_classes=7)
    model.pretrained_cfg = {**model.pretrained_cfg, **overlay}
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model))
    model.reset_classifier(0)
    with torch.no_grad():
        return model(transform(picture)[None])


@pytest.mark.parametrize("name", TINY)
def test_a_saved_folder_gives_timms_own_features_of_a_photograph(name, folders):
    extractor, picture = TimmExtractor(model=folders[name]), photograph()
    wanted = timms_own(name, picture, **CROP_SQUASHED)
    gap, *_ = proof.gap_between(extractor.tensor_path, extractor.library_path, extractor._of_pixels)

    assert proof.relative(extractor.features_of_picture(picture), wanted) < 1e-5
    assert gap.features < 1e-3
    assert gap.unrounded < 1e-2  # PIL's rounding to 8 bits, which no path with a gradient has
    assert "(177, 177)" in extractor.facts["preprocessing"]
    assert "timm" in extractor.facts["versions"]


@pytest.mark.parametrize("name", TINY)
def test_it_keeps_its_contract_and_passes_a_gradient(name, folders):
    def again():
        return TimmExtractor(model=folders[name])

    x = torch.rand(2, 3, 50, 61, generator=torch.Generator().manual_seed(0), requires_grad=True)
    (gradient,) = torch.autograd.grad(again().features(x).square().sum(), x)

    assert gradient.isfinite().all()
    assert gradient.any(dim=(1, 2, 3)).all()
    assert check_extractor(again(), again=again) == []


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_a_checkpoint_of_any_number_of_classes_is_loaded(tmp_path, suffix):
    model = drawn("test_resnet", num_classes=7)
    path = tmp_path / f"mine.{suffix}"
    if suffix == "pth":
        torch.save({"state_dict": {f"module.{k}": v for k, v in model.state_dict().items()}}, path)
    else:
        timm.models.save_for_hf(model, tmp_path, safe_serialization=True)
        (tmp_path / "model.safetensors").rename(path)
    extractor = TimmExtractor(model="test_resnet", weights=str(path))

    picture = photograph()
    wanted = timms_own("test_resnet", picture)
    assert proof.relative(extractor.features_of_picture(picture), wanted) < 1e-5


def test_layers_and_pools_are_parts_of_timms_forward():
    vit = drawn("test_vit", num_classes=0)
    options = {"model": "test_vit", "weights": "random", "seed": 1}
    default = TimmExtractor(**options)
    pixels = default.library_path(photograph())
    tokens = vit.forward_features(pixels)
    block = vit.forward_intermediates(
        pixels, indices=[1], intermediates_only=True, return_prefix_tokens=True, output_fmt="NLC"
    )[0]
    patches, prefix = block[0], block[1]

    def found(**more):
        return TimmExtractor(**options, **more)._of_pixels(pixels)

    assert torch.allclose(default._of_pixels(pixels), vit(pixels), atol=1e-6)
    assert torch.allclose(found(pool="cls"), tokens[:, 0], atol=1e-6)
    assert torch.allclose(found(pool="mean"), tokens[:, vit.num_prefix_tokens :].mean(1), atol=1e-6)
    assert torch.allclose(found(layer="blocks.1"), patches.mean(1), atol=1e-6)
    assert torch.allclose(found(layer="blocks.1", pool="cls"), prefix[:, 0], atol=1e-6)
    assert (
        found(layer="blocks.1", pool="flatten").shape[1] == patches[0].numel() + prefix[0].numel()
    )


def test_maps_with_channels_last_are_pooled_over_their_positions():
    name = "test_mambaout"
    last = TimmExtractor(model=name, weights="random", layer="stages.1")
    with torch.no_grad():
        maps = last.network(last.library_path(photograph()))

    assert last.feature_size in maps.shape
    assert last.feature_size == drawn(name).feature_info[1]["num_chs"]


@pytest.mark.parametrize(
    ("layer", "width"), [("patch_embed.proj", 24), ("layers.0.blocks.0", 24), ("layers.1", 48)]
)
def test_channels_are_found_whichever_way_round_a_layer_of_a_swin_is(layer, width):
    small = {"embed_dim": 24, "depths": (1, 1), "num_heads": (1, 2), "window_size": 4}
    whole = timm.models.SwinTransformer(img_size=64, num_classes=0, **small).eval()
    x = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        maps = Layer(whole, layer)(x)

    assert _channels(whole, layer) == "auto"
    assert _channels(whole, "") == "last"
    found = Pooling(channels="auto")(maps)
    assert found.shape == (2, width)
    assert torch.allclose(
        found, maps.flatten(2).mean(2) if layer.endswith("j") else maps.mean((1, 2))
    )


def test_layers_without_leading_tokens_lose_no_patch_and_give_no_class_token():
    tiny = {"img_size": 32, "embed_dim": 16, "depth": 1, "num_heads": 1}
    vit = timm.models.VisionTransformer(**tiny).eval()
    x = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        patches, block = Layer(vit, "patch_embed")(x), Layer(vit, "blocks.0")(x)
    mean, cls = (Pooling(pool, "auto", **tokens_of_timm(vit, pool)) for pool in ("mean", "cls"))

    assert torch.equal(mean(patches), patches.mean(1))
    assert torch.equal(mean(block), block[:, 1:].mean(1))
    assert torch.equal(cls(block), block[:, 0])
    with pytest.raises(UsageError, match="no class token is known"):
        cls(patches)
    registers = timm.models.VisionTransformer(
        **tiny, class_token=False, reg_tokens=2, global_pool="avg"
    )
    assert tokens_of_timm(registers, "mean") == {"prefix": 2, "patches": 4}
    with pytest.raises(UsageError, match="has registers and no class token"):
        tokens_of_timm(registers, "cls")


def test_the_size_of_the_input_can_be_changed():
    small = TimmExtractor(model="test_vit", weights="random", size=64)

    assert small.library_path(photograph()).shape == (1, 3, 64, 64)
    assert "(64, 64)" in small.facts["preprocessing"]
    assert small.feature_size == 64


@pytest.mark.parametrize(("dtype", "most"), [("float16", 1e-2), ("bfloat16", 5e-2)])
def test_a_half_network_is_near_the_whole_one(dtype, most):
    x = torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    options = {"model": "test_vit", "weights": "random"}
    half, whole = TimmExtractor(**options, dtype=dtype), TimmExtractor(**options)
    found = half.features(x)

    assert found.dtype == torch.float32
    assert next(half.network.parameters()).dtype == getattr(torch, dtype)
    assert proof.relative(found, whole.features(x)) < most


def test_random_weights_are_those_of_their_seed_and_leave_the_global_numbers_alone():
    before = torch.random.get_rng_state()
    digests = {
        TimmExtractor(model="test_vit", weights="random", seed=seed).weights_sha256
        for seed in (0, 0, 1)
    }

    assert len(digests) == 2
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"model": "resnet51"}, UnknownName, "Did you mean"),
        ({"model": "resnet50.nonsense"}, UnknownName, "no such model"),
        ({"model": "test_vit"}, WeightsError, "no weights are named"),
        ({"model": "test_vit", "weights": "/none.pth"}, WeightsError, "no such file"),
        ({"model": "local-dir:/none"}, WeightsError, "local-dir:/none"),
        ({"model": "nowhere:x", "pretrained": True}, WeightsError, "nowhere:x"),
        ({"model": "resnet18.a1_in1k", "pretrained": True}, WeightsError, "download = true"),
        ({"model": "test_vit", "weights": "random", "layer": "blocks.9"}, UnknownName, "blocks.1"),
        (
            {"model": "test_vit", "weights": "random", "layer": "blocks", "pool": "flatten"},
            UsageError,
            "flat_limit = 50",
        ),
    ],
)
def test_mistakes_are_one_sentence(options, kind, words, monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    more = {"flat_limit": 50} if "flat_limit" in words else {}
    with pytest.raises(kind, match=words) as caught:
        TimmExtractor(**options, **more)

    assert "\n" not in str(caught.value)


def test_the_catalogue_lists_all_and_its_options_are_checked():
    catalogue = Catalogue.load()
    component = catalogue.find("extractor", "timm")

    assert component.factory is TimmExtractor
    assert problems_of(TimmExtractor, {"model": "x", "pool": "media"}, "extractors.a") == [
        "extractors.a.pool = 'media': Input should be 'auto', 'mean', 'max', 'cls' or 'flatten'."
    ]


SUITE = """
name = "half"
draws = 2
metrics = ["fiber_loss_rms"]
[queries]
use = "color-mnist"
n = 2
[extractors.bfloat16]
use = "timm"
model = "test_vit"
weights = "random"
size = 32
dtype = "bfloat16"
[extractors.float16]
use = "torch-module"
target = "timm:create_model"
arguments = { model_name = "test_vit", num_classes = 0, img_size = 32 }
resize = [32, 32]
mean = [0.5]
std = [0.5]
dtype = "float16"
[priors.latent]
use = "color-mnist-latent"
[samplers.dps]
use = "dps"
steps = 3
"""


def test_an_audit_of_half_networks_runs_to_its_end(command, tmp_path):
    (tmp_path / "half.toml").write_text(SUITE)
    done = command("run", "half.toml", toy=False)

    assert done.returncode == 0, done.stderr
    assert "float16/latent/dps" in (tmp_path / done.stdout.strip()).read_text()
