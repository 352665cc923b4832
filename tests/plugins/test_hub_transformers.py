"""Vision towers of transformers: tiny ones of the same classes, saved and loaded as a user does."""

from __future__ import annotations

import json
import shutil
from contextlib import nullcontext
from functools import cache

import numpy as np
import pytest
import torch
import transformers as hf
from fake_hub import COMMIT, NAME, fake_hub
from fiber_audit_hub import patches, proof, transformers_pixels
from fiber_audit_hub.photograph import photograph
from fiber_audit_hub.transformers_towers import TransformersExtractor
from pil_resize import LikePIL

from fiber_audit import PluginError, UnknownName, UsageError, WeightsError
from fiber_audit.check import check_extractor

PICTURE = photograph()
SIZES = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 32}
SMALL = {**SIZES, "intermediate_size": 64}
SEEN = {**SMALL, "image_size": 48, "patch_size": 16}
READ = {**SMALL, "vocab_size": 9, "max_position_embeddings": 4, "bos_token_id": 1}
STAGES = {"depths": [1, 1, 1, 1], "hidden_sizes": [8, 16, 24, 32]}
SPOKEN = {**SMALL, "num_key_value_heads": 2, "vocab_size": 9, "bos_token_id": 1, "eos_token_id": 2}
SQUARE = {"size": {"height": 48, "width": 48}}


def dinov2():
    config = hf.Dinov2Config(**SIZES, image_size=56, patch_size=14)
    how = hf.BitImageProcessorPil(
        size={"shortest_edge": 64}, crop_size={"height": 56, "width": 56}, resample=3
    )
    return hf.Dinov2Model(config), how


def dinov3():
    config = hf.DINOv3ViTConfig(**SEEN, num_register_tokens=4)
    return hf.DINOv3ViTModel(config), hf.DINOv3ViTImageProcessor(**SQUARE)


def clip():
    texts = {**READ, "eos_token_id": 2, "projection_dim": 24}
    config = hf.CLIPConfig(text_config=texts, vision_config=SEEN, projection_dim=24)
    how = hf.CLIPImageProcessorPil(size={"shortest_edge": 48}, crop_size=SQUARE["size"])
    return hf.CLIPModel(config), how


def siglip():
    config = hf.SiglipConfig(text_config={**READ, "eos_token_id": 2}, vision_config=SEEN)
    return hf.SiglipModel(config), hf.SiglipImageProcessorPil(**SQUARE)


def vit_mae():
    config = hf.ViTMAEConfig(
        **SEEN,
        decoder_hidden_size=16,
        decoder_num_hidden_layers=1,
        decoder_num_attention_heads=2,
        decoder_intermediate_size=32,
    )
    return hf.ViTMAEForPreTraining(config), hf.ViTImageProcessorPil(**SQUARE)


def vit():
    return hf.ViTForImageClassification(hf.ViTConfig(**SEEN)), hf.ViTImageProcessorPil(**SQUARE)


def convnextv2():
    network = hf.ConvNextV2ForImageClassification(hf.ConvNextV2Config(**STAGES))
    return network, hf.ConvNextImageProcessorPil(size={"shortest_edge": 64})


def resnet():
    config = hf.ResNetConfig(**STAGES, embedding_size=8, layer_type="basic")
    how = hf.ConvNextImageProcessorPil(size={"shortest_edge": 64})
    return hf.ResNetForImageClassification(config), how


def qwen2_vl():
    rope = {"type": "mrope", "mrope_section": [2, 3, 3]}
    seen = {"depth": 2, "embed_dim": 32, "hidden_size": 32, "num_heads": 2, "mlp_ratio": 2}
    config = hf.Qwen2VLConfig(text_config={**SPOKEN, "rope_scaling": rope}, vision_config=seen)
    how = hf.Qwen2VLImageProcessorPil(size={"shortest_edge": 56 * 56, "longest_edge": 112 * 112})
    return hf.Qwen2VLForConditionalGeneration(config), how


FAMILIES = (dinov2, dinov3, clip, siglip, vit_mae, vit, convnextv2, resnet, qwen2_vl)
families = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)


@pytest.fixture(autouse=True, scope="module")
def _quick():
    """One photograph is enough here, and it is drawn once, not for every network."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(proof, "SIZES", (PICTURE.size,))
        patch.setattr(proof, "photograph", cache(photograph))
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Call it for the folder of a family's model, saved by save_pretrained."""
    made = {}

    def of(family):
        if family not in made:
            made[family] = tmp_path_factory.mktemp(family.__name__)
            with torch.random.fork_rng():
                torch.manual_seed(0)
                parts = family()
                lively(parts[0])
            for part in parts:
                part.save_pretrained(made[family])
        return made[family]

    return of


def lively(network):
    """Weights as large as trained ones, so that features depend on the picture."""
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1:
                parameter.copy_(torch.randn_like(parameter) / parameter[0].numel() ** 0.5)


@pytest.fixture(scope="module")
def extractor(folder):
    """Call it for a family's extractor; made once for every choice of options."""
    made = {}

    def of(family, **options):
        key = (family, *sorted(options.items()))
        if key not in made:
            made[key] = TransformersExtractor(model=str(folder(family)), **options)
        return made[key]

    return of


def copied(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copy")


def unit(picture):
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 255


def apart(found, wanted):
    return float(((found - wanted).norm() / wanted.norm()).detach())


@torch.no_grad()
def by_the_library(folder, family, picture=PICTURE):
    """The output of the family's own model, called as its documentation says."""
    inputs = hf.AutoImageProcessor.from_pretrained(folder, backend="pil")(
        images=picture, return_tensors="pt"
    )
    named = {"mask_ratio": 0.0} if family is vit_mae else {}
    model = hf.AutoModel.from_pretrained(folder, **named).eval()
    if family is qwen2_vl:
        return model.visual(inputs["pixel_values"], grid_thw=inputs["image_grid_thw"])
    seen = getattr(model, "vision_model", model)
    return seen(inputs["pixel_values"], output_hidden_states=True)


def patch_mean(output, before):
    tokens = output.last_hidden_state
    return tokens.mean((2, 3)) if tokens.ndim == 4 else tokens[:, before:].mean(1)


WANTED = {
    dinov2: (lambda o: o.last_hidden_state[:, 0], lambda o: patch_mean(o, 1)),
    dinov3: (lambda o: o.last_hidden_state[:, 0], lambda o: patch_mean(o, 5)),
    clip: (lambda o: o.pooler_output, lambda o: patch_mean(o, 1)),
    siglip: (lambda o: o.pooler_output, lambda o: patch_mean(o, 0)),
    vit_mae: (lambda o: o.last_hidden_state[:, 0], lambda o: patch_mean(o, 1)),
    vit: (lambda o: o.last_hidden_state[:, 0], lambda o: patch_mean(o, 1)),
    convnextv2: (lambda o: o.pooler_output, lambda o: patch_mean(o, 0)),
    resnet: (lambda o: o.pooler_output.flatten(1), lambda o: patch_mean(o, 0)),
    qwen2_vl: (
        lambda o: o.pooler_output.mean(0)[None],
        lambda o: o.last_hidden_state.mean(0)[None],
    ),
}
"""Family -> what pool = "auto" and pool = "mean" are of the library's output."""


@families
def test_features_are_the_librarys_own_and_only_pils_rounding_is_between_them(
    family, folder, extractor
):
    output = by_the_library(folder(family), family)
    x = unit(PICTURE)

    for pool, wanted in zip(("auto", "mean"), WANTED[family], strict=True):
        subject = extractor(family, pool=pool)
        assert apart(subject.features_of_picture(PICTURE), wanted(output)) < 1e-5
        rounds = family is not dinov3  # whose processor resizes floats
        assert apart(subject.features(x), wanted(output)) < (3e-2 if rounds else 1e-5)
        with LikePIL() if rounds else nullcontext():
            assert apart(subject.features(x), wanted(output)) < 1e-5


@families
def test_the_contract_is_kept(family, folder, extractor):
    subject = extractor(family)

    assert check_extractor(subject, again=lambda: extractor_again(folder(family))) == []


def extractor_again(folder):
    return TransformersExtractor(model=str(folder))


@pytest.mark.parametrize(
    ("family", "dtype"),
    [*((family, "float16") for family in FAMILIES), (dinov2, "bfloat16"), (qwen2_vl, "bfloat16")],
)
def test_half_towers_run_and_their_gradients_are_finite(family, dtype, extractor):
    half, whole = extractor(family, dtype=dtype), extractor(family)
    x = unit(PICTURE).requires_grad_(True)
    features = half.features(x)
    (gradient,) = torch.autograd.grad((features * torch.randn(features.shape)).sum(), x)

    assert features.dtype == torch.float32
    assert apart(features, whole.features(x)) < 5e-2
    assert gradient.isfinite().all()
    assert gradient.any()
    assert half.weights_sha256 != whole.weights_sha256


@pytest.mark.parametrize("family", [vit, vit_mae])
def test_what_is_random_in_the_library_is_fixed_and_leaves_global_numbers_alone(family, folder):
    before = torch.get_rng_state()
    first, second = (extractor_again(folder(family)) for _ in range(2))

    assert first.weights_sha256 == second.weights_sha256
    assert torch.equal(first.features(unit(PICTURE)), second.features(unit(PICTURE)))
    assert torch.equal(torch.get_rng_state(), before)


# Pools, layers, towers.


def test_the_projection_of_clip_is_its_image_embedding(folder, extractor):
    model = hf.CLIPModel.from_pretrained(folder(clip)).eval()
    how = hf.AutoImageProcessor.from_pretrained(folder(clip), backend="pil")
    with torch.no_grad():
        found = model.get_image_features(**how(images=PICTURE, return_tensors="pt"))
    wanted = getattr(found, "pooler_output", found)

    subject = extractor(clip, pool="projection")

    assert subject.feature_size == 24
    assert apart(subject.features_of_picture(PICTURE), wanted) < 1e-5


@pytest.mark.parametrize("layer", [1, -1])
@pytest.mark.parametrize("family", [dinov2, convnextv2])
def test_a_layer_is_a_hidden_state_as_transformers_counts_them(family, layer, folder, extractor):
    state = by_the_library(folder(family), family).hidden_states[layer]
    wanted = state.mean((2, 3)) if state.ndim == 4 else state[:, 1:].mean(1)

    found = extractor(family, layer=layer, pool="mean").features_of_picture(PICTURE)

    assert apart(found, wanted) < 1e-5


def test_dinov2_sees_any_size_with_the_librarys_interpolated_positions(folder, tmp_path):
    path = copied(folder(dinov2), tmp_path)
    settings = json.loads((path / "preprocessor_config.json").read_text())
    settings |= {"do_resize": True, "do_center_crop": True, "size": {"shortest_edge": 70}}
    settings |= {"crop_size": {"height": 70, "width": 98}}
    (path / "preprocessor_config.json").write_text(json.dumps(settings))

    found = extractor_again(path).features_of_picture(PICTURE)

    assert apart(found, by_the_library(path, dinov2).last_hidden_state[:, 0]) < 1e-5


def test_a_masked_autoencoder_sees_all_patches_in_their_order(extractor):
    subject = extractor(vit_mae, pool="mean")
    x = torch.rand(2, 3, 48, 48, requires_grad=True)
    features = subject.features(x)
    (gradient,) = torch.autograd.grad((features * torch.randn(features.shape)).sum(), x)
    by_patch = gradient.unfold(2, 16, 16).unfold(3, 16, 16)

    assert by_patch.abs().amax(dim=(1, 4, 5)).gt(0).all()


def test_patches_are_cut_in_the_processors_order_and_joined_again(folder):
    how = hf.AutoImageProcessor.from_pretrained(folder(qwen2_vl), backend="pil")
    found = how(images=PICTURE, return_tensors="pt")
    _, rows, columns = found["image_grid_thw"][0].tolist()
    wanted = found["pixel_values"]

    pixels = patches.joined(wanted[None], rows, columns, 14, 2)

    assert pixels.shape == (1, 3, 14 * rows, 14 * columns)
    assert torch.equal(patches.cut(pixels, 14, 2, 2)[0], wanted)
    # an order that only undoes itself would be seen in the picture
    x = torch.nn.functional.interpolate(unit(PICTURE), pixels.shape[-2:], mode="area")
    assert torch.corrcoef(torch.stack([x.flatten(), pixels.flatten()]))[0, 1] > 0.95


def test_a_pooler_that_was_never_learned_is_not_used(folder, extractor):
    with pytest.raises(UsageError, match="no pooled output that was learned; set pool"):
        extractor(vit, pool="pooler")

    assert extractor(vit).network.tower.pooler is None


@pytest.mark.parametrize(
    ("family", "options", "told"),
    [
        (siglip, {"pool": "cls"}, "SiglipVisionModel has no class token"),
        (resnet, {"pool": "cls"}, "ResNetModel has no class token"),
        (dinov2, {"pool": "projection"}, "comes without one"),
        (vit, {"layer": 3}, "has 3 hidden states, 0 to 2"),
        (vit, {"layer": 1, "pool": "pooler"}, "is of the output, not of layer = 1"),
        (clip, {"tower": "text_model"}, "takes no pictures; set tower"),
    ],
)
def test_what_a_model_does_not_have_is_one_sentence(family, options, told, extractor):
    with pytest.raises(UsageError, match=told):
        extractor(family, **options)


def test_an_unknown_tower_names_those_there_are(extractor):
    with pytest.raises(UnknownName, match="Did you mean 'vision_model'"):
        extractor(clip, tower="vision")


# Identity.


def test_the_digest_is_of_all_that_changes_features_and_not_of_the_place(
    folder, extractor, tmp_path
):
    options = ({}, {"pool": "mean"}, {"pool": "projection"}, {"layer": 1}, {"dtype": "bfloat16"})
    digests = [extractor(clip, **each).weights_sha256 for each in options]
    path = copied(folder(clip), tmp_path)

    assert len({*digests}) == len(options)
    assert extractor_again(path).weights_sha256 == digests[0]

    changed = edited(path, "preprocessor_config.json", image_mean=[0.5, 0.5, 0.5])
    assert extractor_again(changed).weights_sha256 != digests[0]
    shutil.copy(folder(clip) / "preprocessor_config.json", path)
    settings = json.loads((path / "config.json").read_text())["vision_config"]
    changed = edited(path, "config.json", vision_config={**settings, "hidden_act": "gelu"})
    assert extractor_again(changed).weights_sha256 != digests[0]


def edited(folder, name, **settings):
    path = folder / name
    path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))
    return folder


@pytest.mark.parametrize("family", [dinov3, clip, qwen2_vl])
def test_a_half_checkpoint_is_read_exactly_and_computed_in_full(family, folder, tmp_path):
    path = copied(folder(family), tmp_path)
    whole = hf.AutoModel.from_pretrained(path).to(torch.bfloat16)
    whole.save_pretrained(path)

    half = extractor_again(path)
    hf.AutoModel.from_pretrained(path, dtype=torch.float32).save_pretrained(path)
    full = extractor_again(path)

    assert {p.dtype for p in half.network.parameters()} == {torch.float32}
    assert apart(half.features(unit(PICTURE)), full.features(unit(PICTURE))) < 1e-5


def test_the_report_tells_tower_preprocessing_and_versions(extractor):
    facts = extractor(clip).facts

    assert facts["tower"] == "CLIPVisionModel"
    assert "shortest_edge 48 bicubic" in facts["preprocessing"]
    assert "crop height 48 width 48" in facts["preprocessing"]
    assert f"transformers {hf.__version__}" in facts["versions"]


# Mutants.


@pytest.mark.parametrize("family", [convnextv2, qwen2_vl])
@pytest.mark.parametrize("mutant", ["antialias", "contrast", "mean", "shift"])
def test_a_tensor_path_that_is_not_the_librarys_is_refused(family, mutant, folder, monkeypatch):
    kind = patches.PatchProcessor if family is qwen2_vl else transformers_pixels.Processor
    right = kind.of_tensor
    broken = {
        "antialias": lambda self, x: right(self, x[..., ::2, ::2]),
        "contrast": lambda self, x: right(self, x) * 1.02,
        "mean": lambda self, x: right(self, x) + 0.02,
        "shift": lambda self, x: right(self, x).roll(1, -1),
    }
    monkeypatch.setattr(kind, "of_tensor", broken[mutant])

    with pytest.raises(PluginError, match="the preprocessing of tensors is not the library's own"):
        extractor_again(folder(family))


# Files and names.


def test_a_name_is_fetched_once_if_told_to_and_then_found_without_the_network(
    folder, extractor, tmp_path, monkeypatch
):
    with fake_hub(folder(dinov2), tmp_path, monkeypatch) as hub:
        with pytest.raises(WeightsError, match=f"{NAME}: not in the cache .*download = true"):
            TransformersExtractor(model=NAME)
        assert hub.asked == []

        fetched = TransformersExtractor(model=NAME, download=True)
        questions = len(hub.asked)
        found = TransformersExtractor(model=NAME)

        assert len(hub.asked) == questions
        with pytest.raises(WeightsError, match="not all of it, or not of this revision"):
            TransformersExtractor(model=NAME, revision="v2")
    assert fetched.facts["revision"] == found.facts["revision"] == COMMIT
    assert found.weights_sha256 == extractor(dinov2).weights_sha256


@pytest.mark.parametrize(
    ("refusal", "told"),
    [
        ((403, "GatedRepo"), f"{NAME} is gated; accept its licence at"),
        ((404, "RevisionNotFound"), f"{NAME} has no such revision"),
        ((404, "RepoNotFound"), f"the hub has no {NAME}"),
        ((500, ""), "the server answered 500"),
    ],
)
def test_what_the_hub_refuses_is_told_through_the_library(
    refusal, told, folder, tmp_path, monkeypatch
):
    with fake_hub(folder(dinov2), tmp_path, monkeypatch) as hub:
        hub.refusal = refusal
        with pytest.raises(WeightsError, match=told) as error:
            TransformersExtractor(model=NAME, download=True, revision="v2")

    assert "\n" not in str(error.value)


def test_a_folder_without_a_processor_or_of_other_weights_is_one_sentence(folder, tmp_path):
    path = copied(folder(vit), tmp_path)
    (path / "preprocessor_config.json").unlink()
    with pytest.raises(WeightsError, match=r"has no preprocessor_config\.json"):
        extractor_again(path)

    shutil.copy(folder(dinov2) / "preprocessor_config.json", path)
    shutil.copy(folder(dinov2) / "config.json", path)
    with pytest.raises(WeightsError, match=r"weights of Dinov2Model are not in its checkpoint"):
        extractor_again(path)


def test_another_kind_of_folder_is_one_sentence(tmp_path):
    (tmp_path / "config.json").write_text('{"_class_name": "UNet2DModel"}')

    with pytest.raises(WeightsError, match="its library cannot read it") as error:
        extractor_again(tmp_path)
    assert "\n" not in str(error.value)


def test_check_keeps_it(command, folder):
    found = command("check", "transformers", "--set", f"model={folder(dinov2)}", toy=False)

    assert found.returncode == 0, found.stdout + found.stderr
    assert "kept" in found.stdout
