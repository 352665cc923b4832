"""Image towers of open_clip: tiny models in its own folder format, loaded as a user does."""

from __future__ import annotations

import json
import logging
import shutil
from functools import cache
from types import SimpleNamespace

import numpy as np
import open_clip
import pytest
import torch
import transformers
from fake_hub import NAME, fake_hub
from fiber_audit_hub import proof
from fiber_audit_hub.open_clip_towers import OpenClipExtractor
from fiber_audit_hub.photograph import photograph
from huggingface_hub import constants
from open_clip.push_to_hf_hub import save_for_hf
from pil_resize import LikePIL

from fiber_audit import UnknownName, UsageError, WeightsError
from fiber_audit.check import check_extractor

PICTURE = photograph()
TEXT = {"context_length": 8, "vocab_size": 50, "width": 32, "heads": 2, "layers": 1}
SEEN = {"image_size": 64, "layers": 2, "width": 64, "patch_size": 16, "head_width": 32}
VIT = {"embed_dim": 24, "vision_cfg": SEEN, "text_cfg": TEXT}
RESNET = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 8, "patch_size": None},
    "text_cfg": TEXT,
}
COCA = {
    "embed_dim": 24,
    "vision_cfg": {**SEEN, "attentional_pool": True, "attn_pooler_heads": 2, "output_tokens": True},
    "text_cfg": {**TEXT, "embed_cls": True, "output_tokens": True},
    "multimodal_cfg": {**TEXT, "attn_pooler_heads": 2},
    "custom_text": True,
}
BIOMED = {  # a tower of timm, and one of texts whose settings are in another repository
    "embed_dim": 24,
    "vision_cfg": {
        "timm_model_name": "test_vit",
        "timm_model_pretrained": False,
        "timm_pool": "",
        "timm_proj": "linear",
        "image_size": 160,
    },
    "text_cfg": {
        "hf_model_name": "microsoft/not-on-this-machine",
        "hf_tokenizer_name": "microsoft/not-on-this-machine",
        "hf_proj_type": "mlp",
        "hf_pooler_type": "cls_last_hidden_state_pooler",
        "context_length": 16,
    },
}
FAMILIES = {
    "vit": (open_clip.CLIP, VIT, "shortest"),
    "longest": (open_clip.CLIP, VIT, "longest"),
    "squash": (open_clip.CLIP, VIT, "squash"),
    "resnet": (open_clip.CLIP, RESNET, "shortest"),
    "coca": (open_clip.CoCa, COCA, "shortest"),
    "biomed": (open_clip.CustomTextCLIP, BIOMED, "shortest"),
}
families = pytest.mark.parametrize("family", FAMILIES)
SETTINGS = {
    "mean": open_clip.OPENAI_DATASET_MEAN,
    "std": open_clip.OPENAI_DATASET_STD,
    "interpolation": "bicubic",
}


@pytest.fixture(autouse=True, scope="module")
def _quick():
    """One photograph is enough here, and it is drawn once, not for every network."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(proof, "SIZES", (PICTURE.size,))
        patch.setattr(proof, "photograph", cache(photograph))
        yield


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Call it for the folder of a family, and for the embedding of the photograph by open_clip."""
    made = {}

    def of(family):
        if family not in made:
            folder = tmp_path_factory.mktemp(family)
            made[family] = (folder, saved(folder, *FAMILIES[family]))
        return made[family]

    return of


@torch.no_grad()
def saved(folder, kind, config, resize_mode):
    settings = {k: v for k, v in json.loads(json.dumps(config)).items() if k != "custom_text"}
    if "hf_model_name" in settings["text_cfg"]:  # on the machine where it was trained
        transformers.BertConfig(
            hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
        ).save_pretrained(folder / "texts")
        there = {"hf_model_name": str(folder / "texts"), "hf_model_pretrained": False}
        settings["text_cfg"] |= there
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = kind(**settings).eval()
        for parameter in model.visual.parameters():
            if parameter.ndim > 1:
                parameter.copy_(torch.randn_like(parameter) / parameter[0].numel() ** 0.5)
    how = {**SETTINGS, "size": config["vision_cfg"]["image_size"], "resize_mode": resize_mode}
    open_clip.set_model_preprocess_cfg(model, how)
    no_words = SimpleNamespace(save_pretrained=lambda folder: None)
    save_for_hf(model, no_words, config, str(folder), safe_serialization=True)
    transform = open_clip.image_transform(
        how["size"],
        is_train=False,
        mean=how["mean"],
        std=how["std"],
        interpolation="bicubic",
        resize_mode=resize_mode,
    )
    return model.encode_image(transform(PICTURE)[None], normalize=False)


@pytest.fixture(scope="module")
def extractor(models):
    made = {}

    def of(family, **options):
        key = (family, *sorted(options.items()))
        if key not in made:
            made[key] = OpenClipExtractor(model=f"local-dir:{models(family)[0]}", **options)
        return made[key]

    return of


def unit(picture):
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 255


def apart(found, wanted):
    return float(((found - wanted).norm() / wanted.norm()).detach())


@families
def test_features_are_the_librarys_own_and_only_pils_rounding_is_between_them(
    family, models, extractor
):
    subject, wanted = extractor(family), models(family)[1]

    assert apart(subject.features_of_picture(PICTURE), wanted) < 1e-5
    assert apart(subject.features(unit(PICTURE)), wanted) < 3e-2  # what 8 bits cost
    with LikePIL():
        assert apart(subject.features(unit(PICTURE)), wanted) < 1e-5


@pytest.mark.parametrize("family", ["vit", "resnet", "coca", "biomed"])
def test_the_contract_is_kept(family, models, extractor):
    again = OpenClipExtractor(model=f"local-dir:{models(family)[0]}")

    assert check_extractor(extractor(family), again=lambda: again) == []


@pytest.mark.parametrize(("family", "dtype"), [("vit", "float16"), ("biomed", "bfloat16")])
def test_half_towers_run_and_their_gradients_are_finite(family, dtype, extractor):
    half, whole = extractor(family, dtype=dtype), extractor(family)
    x = unit(PICTURE).requires_grad_(True)
    features = half.features(x)
    (gradient,) = torch.autograd.grad((features * torch.randn(features.shape)).sum(), x)

    assert features.dtype == torch.float32
    assert apart(features, whole.features(x)) < 5e-2
    assert gradient.isfinite().all()
    assert gradient.any()


def test_normalized_embeddings_are_those_of_retrieval(models, extractor):
    wanted = torch.nn.functional.normalize(models("vit")[1], dim=-1)

    found = extractor("vit", normalize=True).features_of_picture(PICTURE)

    assert apart(found, wanted) < 1e-5


def test_a_layer_is_pooled_without_its_class_token(extractor):
    subject = extractor("vit", layer="transformer.resblocks.0")
    x = subject.tensor_path(unit(PICTURE))
    tower = extractor("vit").network.inner
    found = tower.forward_intermediates(x, indices=[0], intermediates_only=True)
    wanted = found["image_intermediates"][0].mean((2, 3))

    assert subject.feature_size == 64
    assert apart(subject.features(unit(PICTURE)), wanted) < 1e-5


def test_the_tower_of_texts_is_neither_needed_nor_kept(extractor):
    names = [name for name, _ in extractor("biomed").network.named_parameters()]

    assert all(name.startswith(("inner.trunk", "inner.head")) for name in names)


def test_the_digest_is_of_all_that_changes_features_and_not_of_the_place(
    models, extractor, tmp_path
):
    options = (
        {},
        {"normalize": True},
        {"dtype": "float16"},
        {"layer": "transformer.resblocks.0"},
        {"layer": "transformer.resblocks.0", "pool": "cls"},
    )
    digests = [extractor("vit", **each).weights_sha256 for each in options]
    shutil.copytree(models("vit")[0], tmp_path / "copy")

    assert len({*digests}) == len(options)
    assert OpenClipExtractor(model=f"local-dir:{tmp_path / 'copy'}").weights_sha256 == digests[0]

    path = tmp_path / "copy" / "open_clip_config.json"
    config = json.loads(path.read_text())
    for key, changed in (
        ("model_cfg", {**config["model_cfg"], "quick_gelu": True}),
        ("preprocess_cfg", {**config["preprocess_cfg"], "mean": [0.5, 0.5, 0.5]}),
    ):
        path.write_text(json.dumps({**config, key: changed}))
        found = OpenClipExtractor(model=f"local-dir:{tmp_path / 'copy'}")
        assert found.weights_sha256 != digests[0]


def test_a_repository_is_fetched_once_if_told_to_and_then_found_without_the_network(
    models, extractor, tmp_path, monkeypatch
):
    model = f"hf-hub:{NAME}"
    with fake_hub(models("biomed")[0], tmp_path, monkeypatch) as hub:
        with pytest.raises(WeightsError, match=r"not in the cache .*; set download = true"):
            OpenClipExtractor(model=model)
        assert hub.asked == []

        OpenClipExtractor(model=model, download=True)
        questions = len(hub.asked)
        found = OpenClipExtractor(model=model)

        assert len(hub.asked) == questions
    assert found.weights_sha256 == extractor("biomed").weights_sha256


@pytest.mark.parametrize(
    ("refusal", "told"),
    [
        ((403, "GatedRepo"), "is gated; accept its licence"),
        ((404, "RepoNotFound"), "the hub has no"),
    ],
)
def test_what_the_hub_refuses_is_told_through_the_library(
    refusal, told, models, tmp_path, monkeypatch
):
    with fake_hub(models("vit")[0], tmp_path, monkeypatch) as hub:
        hub.refusal = refusal
        with pytest.raises(WeightsError, match=told):
            OpenClipExtractor(model=f"hf-hub:{NAME}", download=True)


def test_a_name_takes_a_file_of_weights(models, extractor, monkeypatch):
    known = {**open_clip.factory._MODEL_CONFIGS, "tiny": VIT}
    monkeypatch.setattr(open_clip.factory, "_MODEL_CONFIGS", known)
    path = models("vit")[0] / "open_clip_model.safetensors"

    found = OpenClipExtractor(model="tiny", pretrained=str(path))

    assert apart(found.features(unit(PICTURE)), extractor("vit").features(unit(PICTURE))) < 1e-5
    with pytest.raises(WeightsError, match="are not those of the image tower of open_clip tiny"):
        OpenClipExtractor(
            model="tiny", pretrained=str(models("resnet")[0] / "open_clip_model.safetensors")
        )


@pytest.mark.parametrize(
    ("options", "kind", "told"),
    [
        ({"model": "ViT-B-33"}, UnknownName, "Did you mean 'ViT-B-32'"),
        ({"model": "ViT-B-32"}, UnknownName, "needs a file of weights, or a tag"),
        ({"model": "ViT-B-32", "pretrained": "openai"}, UsageError, "trained with QuickGELU"),
        ({"model": "hf-hub:a/b", "pretrained": "c"}, UsageError, "leave pretrained out"),
        ({"model": "local-dir:/no/such"}, WeightsError, "no such file or folder"),
    ],
)
def test_what_is_not_there_is_one_sentence(options, kind, told):
    with pytest.raises(kind, match=told) as error:
        OpenClipExtractor(**options)
    assert "\n" not in str(error.value)


def test_published_weights_that_are_not_in_the_cache_are_not_fetched(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))

    with pytest.raises(WeightsError, match=r"ViT-B-32: not in the cache .*; set download = true"):
        OpenClipExtractor(model="ViT-B-32", pretrained="laion2b_s34b_b79k")


def test_a_folder_of_something_else_is_one_sentence(models, tmp_path):
    with pytest.raises(WeightsError, match=r"has no open_clip_config\.json"):
        OpenClipExtractor(model=f"local-dir:{tmp_path}")

    shutil.copy(models("vit")[0] / "open_clip_config.json", tmp_path)
    with pytest.raises(WeightsError, match="holds no weights"):
        OpenClipExtractor(model=f"local-dir:{tmp_path}")


def test_loading_prints_nothing_and_leaves_no_handler_of_logs(models, capfd):
    before = [*logging.getLogger().handlers]

    OpenClipExtractor(model=f"local-dir:{models('vit')[0]}")

    assert capfd.readouterr() == ("", "")
    assert logging.getLogger().handlers == before
