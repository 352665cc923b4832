"""The prior `diffusers` against the pipelines that it loads: tiny ones, of the real classes."""

import io
import json
import runpy
import shutil
import sys
from functools import cache
from logging import StreamHandler
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from diffusers import (
    AutoencoderTiny,
    DDIMScheduler,
    LCMScheduler,
    LDMPipeline,
    ScoreSdeVePipeline,
    ScoreSdeVeScheduler,
    VQModel,
)
from diffusers.utils import logging
from fiber_audit_diffusers.prior import DiffusersPrior

import fiber_audit
from fiber_audit import UsageError, WeightsError
from fiber_audit.check import check_prior
from fiber_audit.sampling import Noise, start, unguided

tiny = runpy.run_path(str(Path(__file__).with_name("tiny_pipelines.py")))
SIZES = {"flux": {"size": (16, 24)}, "flux_schnell": {"size": (16, 24)}}
MADE = {
    "ddim": tiny["ddim_pipeline"],
    "dit": tiny["dit"],
    "sd": tiny["stable_diffusion"],
    "sdxl": tiny["stable_diffusion_xl"],
    "sd3": tiny["sd3"],
    "flux": tiny["flux"],
    "flux_schnell": lambda: tiny["flux"](guidance_embeds=False),
}
STEPS = 4
SEEDS = (5, 6)


@pytest.fixture(scope="module")
def made():
    """A pipeline by name; each is made once."""
    return cache(lambda name: MADE[name]())


@pytest.fixture(scope="module")
def saved(made, tmp_path_factory):
    """The folder of a pipeline by name."""

    @cache
    def folder(name):
        path = tmp_path_factory.mktemp(name)
        made(name).save_pretrained(path)
        return str(path)

    return folder


@pytest.fixture(scope="module")
def plain(saved):
    """The prior of a pipeline by name, with no other options; each is made once."""
    return cache(lambda name: prior_of(saved, name))


def prior_of(saved, name, **options):
    return DiffusersPrior(saved(name), **SIZES.get(name, {}), **options)


def drawn(prior, steps=STEPS):
    """What the prior draws unguided, as pictures (n, h, w, c) in [0, 1]."""
    with torch.no_grad():
        x = prior.decode(unguided(prior, Noise(SEEDS), steps)).clamp(0, 1)
    return x.permute(0, 2, 3, 1).numpy()


def begun(prior):
    """The noisy states that a trajectory of those seeds begins with."""
    return start(prior, Noise(SEEDS), prior.schedule.times(STEPS)[0])


def pipeline_draws(pipeline, x, prompt="", label=1000, **options):
    """Pictures (n, h, w, c) that the pipeline itself makes of noisy states x."""
    name, n = type(pipeline).__name__, len(x)
    pipeline.set_progress_bar_config(disable=True)
    if hasattr(pipeline.scheduler, "alphas_cumprod"):  # the grid of the host's VP schedule
        pipeline.scheduler = DDIMScheduler.from_config(pipeline.scheduler.config, steps_offset=0)
    given = {"num_inference_steps": STEPS, "output_type": "np"}
    if name in ("DDIMPipeline", "DiTPipeline"):
        module = sys.modules[type(pipeline).__module__]
        with mock.patch.object(module, "randn_tensor", return_value=x):
            if name == "DDIMPipeline":
                return pipeline(batch_size=n, use_clipped_model_output=True, **given).images
            return pipeline([label] * n, **{"guidance_scale": 1.0, **options}, **given).images
    if name == "FluxPipeline":
        given |= {"height": x.shape[2] * 2, "width": x.shape[3] * 2}
        given["latents"] = pipeline._pack_latents(x, *x.shape)
        return pipeline([prompt] * n, **given, **options).images
    if (
        name == "StableDiffusion3Pipeline"
    ):  # its own grid ends with a step that does next to nothing
        given["sigmas"] = np.linspace(1, 1 / STEPS, STEPS).tolist()
    return pipeline([prompt] * n, latents=x, **{"guidance_scale": 1.0, **options}, **given).images


def assert_same(found, theirs):
    assert np.abs(found - theirs).max() < 1e-4
    assert ((found > 0.01) & (found < 0.99)).mean() > 0.2  # else nothing was compared


FAMILIES = ["ddim", "dit", "sd", "sd3", "flux"]


@pytest.mark.parametrize("name", [*FAMILIES, "flux_schnell"])
def test_unguided_at_the_same_times_a_prior_draws_what_its_pipeline_draws(made, plain, name):
    prior = plain(name)

    assert_same(drawn(prior), pipeline_draws(made(name), begun(prior)))


CONDITIONS = {
    "dit": {"label": 3, "guidance": 4.0},
    "sd": {"prompt": "a dog", "guidance": 4.0},
    "sdxl": {"prompt": "a dog", "guidance": 4.0},
    "sd3": {"prompt": "a dog", "guidance": 4.0},
    "flux": {"prompt": "a dog", "guidance": 7.0},
}


@pytest.mark.parametrize("name", CONDITIONS)
def test_guided_by_a_condition_it_draws_what_its_pipeline_draws(made, saved, plain, name):
    asked = CONDITIONS[name]
    prior = prior_of(saved, name, **asked)
    given = {"guidance_scale" if k == "guidance" else k: v for k, v in asked.items()}

    found = drawn(prior)

    assert_same(found, pipeline_draws(made(name), begun(prior), **given))
    assert np.abs(found - drawn(plain(name))).max() > 1e-3


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_keeps_the_contract_of_a_prior(plain, name):
    assert check_prior(plain(name)) == []


def test_the_check_on_the_command_line_keeps_it_too(saved, command):
    done = command("check", "diffusers", "--set", f"model={saved('dit')}", "--set", "label=3")

    assert (done.returncode, done.stdout.split()) == (0, ["kept", "prior", "diffusers/diffusers"])


def gradients(prior):
    """Of a number of E[x0 | x_t], and of one of the picture, in the state."""
    leaf = Noise(SEEDS).normal(prior.state_shape).requires_grad_(True)
    x0 = prior.predict(leaf, torch.tensor([0.3, 0.8])).x0
    denoised = torch.autograd.grad(x0.square().sum(), leaf)[0]
    return denoised, torch.autograd.grad(prior.decode(leaf).square().sum(), leaf)[0]


@pytest.mark.parametrize("name", FAMILIES)
def test_gradient_checkpointing_changes_no_gradient(saved, plain, name):
    checkpointed = prior_of(saved, name, gradient_checkpointing=True)

    found = gradients(checkpointed)

    assert checkpointed.network.is_gradient_checkpointing
    for with_it, without in zip(found, gradients(plain(name)), strict=True):
        assert without.any()
        assert torch.allclose(with_it, without, rtol=1e-4, atol=1e-6 * float(without.abs().max()))


HALVES = {"float16": ["ddim", "sd"], "bfloat16": ["dit", "sdxl", "sd3", "flux"]}


@pytest.mark.parametrize(("name", "dtype"), [(n, d) for d, names in HALVES.items() for n in names])
def test_half_a_network_is_nearly_the_whole_one_and_keeps_the_contract(saved, plain, name, dtype):
    options = {} if name == "ddim" else {"vae_dtype": "bfloat16"}
    half, whole = prior_of(saved, name, dtype=dtype, **options), plain(name)
    t, x_t = torch.tensor([0.2, 0.9]), Noise(SEEDS).normal(whole.state_shape)

    found, wanted = half.predict(x_t, t), whole.predict(x_t, t)

    assert half.network.dtype == getattr(torch, dtype)
    assert {x.dtype for x in (*found, half.decode(x_t))} == {torch.float32}
    for ours, exact in zip(found, wanted, strict=True):
        assert (ours - exact).abs().max() < 0.05 * exact.abs().max()
    if name != "flux":  # whose 512 words are slow
        assert check_prior(half) == []


def test_an_audit_runs_end_to_end_in_half_precision(saved, tmp_path):
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.AvgPool2d(4), torch.nn.Flatten(), torch.nn.Linear(48, 2))

    done = fiber_audit.audit(
        network.eval(),
        prior={"use": "diffusers", "model": saved("sd"), "dtype": "bfloat16"},
        queries=torch.rand((2, 3, 16, 16), generator=torch.Generator().manual_seed(0)),
        sampler={"use": "dps", "steps": 3},
        metrics=["fiber_loss_rms"],
        draws=1,
        out=tmp_path,
    )

    assert set(done.records["status"]) == {"ok"}
    assert done.records["value"].notna().all()


def test_a_folder_of_one_unet_and_its_scheduler_is_a_pipeline_too(saved, plain, tmp_path):
    for part in ("unet", "scheduler"):
        shutil.copytree(Path(saved("ddim")) / part, tmp_path / "apart" / part)
        shutil.copytree(Path(saved("ddim")) / part, tmp_path / "flat", dirs_exist_ok=True)

    for folder in ("apart", "flat"):
        found = DiffusersPrior(str(tmp_path / folder))

        assert found.weights_sha256 == plain("ddim").weights_sha256
        assert np.array_equal(drawn(found), drawn(plain("ddim")))


def test_a_latent_prior_without_text_is_a_unet_beside_an_autoencoder(tmp_path):
    widths = {"block_out_channels": (8, 8), "latent_channels": 4, "norm_num_groups": 4}
    blocks = {"down_block_types": ["DownEncoderBlock2D"] * 2}
    quantised = VQModel(**widths, **blocks, up_block_types=["UpDecoderBlock2D"] * 2).eval()
    network = tiny["unet"](sample_size=8, in_channels=4, out_channels=4)
    LDMPipeline(quantised, network, tiny["ddim"]()).save_pretrained(tmp_path)

    prior = DiffusersPrior(str(tmp_path))

    state = Noise(SEEDS).normal(prior.state_shape)
    wanted = quantised.decode(state / quantised.config.scaling_factor).sample / 2 + 0.5
    assert torch.allclose(prior.decode(state), wanted, atol=1e-5)
    assert check_prior(prior) == []
    for option in ("tiling", "gradient_checkpointing"):
        with pytest.raises(UsageError, match=f"{option} = true: VQModel has none; leave it out"):
            DiffusersPrior(str(tmp_path), **{option: True})


def test_the_pictures_of_a_score_network_are_its_states(tmp_path):
    network = tiny["unet"](time_embedding_type="fourier")
    ScoreSdeVePipeline(network, ScoreSdeVeScheduler(sigma_max=50.0)).save_pretrained(tmp_path)

    prior = DiffusersPrior(str(tmp_path))

    x = torch.rand((2, 3, 16, 16), generator=torch.Generator().manual_seed(0))
    assert prior.clip == (0.0, 1.0)
    assert torch.equal(prior.decode(x), x)
    assert check_prior(prior) == []


def test_a_variance_that_a_network_also_predicts_is_dropped(saved, plain, tmp_path):
    network, both = tiny["unet"](), tiny["unet"](out_channels=6)
    for name, value in network.state_dict().items():
        both.state_dict()[name][: len(value)].copy_(value)
    tiny["ddim_pipeline"](both).save_pretrained(tmp_path)

    assert np.array_equal(drawn(DiffusersPrior(str(tmp_path))), drawn(plain("ddim")))


def test_a_class_reaches_a_unet_that_knows_classes(tmp_path):
    tiny["ddim_pipeline"](tiny["unet"](num_class_embeds=3)).save_pretrained(tmp_path)

    first, last = (drawn(DiffusersPrior(str(tmp_path), label=k)) for k in (0, 2))

    assert np.abs(first - last).max() > 1e-3
    for label in (None, 3):
        with pytest.raises(UsageError, match="classes 0 to 2"):
            DiffusersPrior(str(tmp_path), label=label)


def test_pixels_are_clipped_as_the_scheduler_says_and_latents_as_the_user_says(saved, tmp_path):
    wide = tiny["ddim"](clip_sample=True, clip_sample_range=2.5)
    tiny["ddim_pipeline"](scheduler=wide).save_pretrained(tmp_path / "wide")
    tiny["ddim_pipeline"](scheduler=tiny["ddim"]()).save_pretrained(tmp_path / "not")

    wide, none = (DiffusersPrior(str(tmp_path / name)) for name in ("wide", "not"))
    assert (wide.clip, wide.facts["clip"]) == ((-2.5, 2.5), "clean states to [-2.5, 2.5]")
    assert (none.clip, none.facts["clip"]) == ((-1.0, 1.0), "clean states to [-1, 1]")
    latent = prior_of(saved, "dit")
    assert (latent.clip, latent.facts["clip"]) == (None, "none")
    assert prior_of(saved, "dit", clip=5.0).clip == (-5.0, 5.0)


@pytest.mark.parametrize(
    ("name", "size", "shape"),
    [
        ("ddim", (8, 24), (3, 8, 24)),
        ("sd", (24, 16), (4, 12, 8)),
        ("sd3", (12, 16), (4, 6, 8)),
        ("flux", (20, 12), (4, 10, 6)),
        ("dit", (16, 16), (4, 8, 8)),
    ],
)
def test_a_network_that_draws_several_sizes_draws_the_one_asked_for(saved, name, size, shape):
    prior = DiffusersPrior(saved(name), size=size)
    state = Noise(SEEDS).normal(prior.state_shape)

    assert prior.state_shape == shape
    assert prior.predict(state, torch.ones(2)).x0.shape == state.shape
    assert prior.decode(state).shape == (2, 3, *size)
    assert prior.encode(prior.decode(state)).shape == state.shape


def test_a_prior_owns_all_that_it_computes_with_and_drops_its_text_encoders(saved):
    prior = prior_of(saved, "sd3", prompt="a dog", guidance=3.0)

    assert {*prior.modules} == {"network", "codec", "conditions"}
    assert not any(m.training for m in prior.modules.values())
    assert not any(p.requires_grad for m in prior.modules.values() for p in m.parameters())
    prior.to("meta")
    held = [x for m in prior.modules.values() for x in (*m.parameters(), *m.buffers())]
    assert {x.device.type for x in held} == {"meta"}
    x_t = torch.zeros((2, *prior.state_shape), device="meta")
    assert prior.predict(x_t, torch.ones(2, device="meta")).x0.device.type == "meta"
    assert prior.decode(x_t).device.type == "meta"


def test_whatever_changes_a_draw_changes_the_digest(saved, plain, tmp_path):
    described = [
        {},
        {"label": 3},
        {"label": 3, "guidance": 4.0},
        {"label": 3, "guidance": 5.0},
        {"prediction": "v_prediction"},
        {"clip": 5.0},
        {"dtype": "bfloat16"},
        {"vae_dtype": "bfloat16"},
        {"tiling": True},
    ]
    digests = [prior_of(saved, "dit", **options).weights_sha256 for options in described]
    copy = shutil.copytree(saved("dit"), tmp_path / "other")
    path = copy / "scheduler" / "scheduler_config.json"
    path.write_text(path.read_text().replace('"beta_end": 0.002', '"beta_end": 0.003'))
    digests.append(DiffusersPrior(str(copy)).weights_sha256)

    assert len({*digests}) == len(digests)
    assert digests[0] == prior_of(saved, "dit", gradient_checkpointing=True).weights_sha256
    told = prior_of(saved, "sd", prompt="a dog")
    assert told.weights_sha256 != plain("sd").weights_sha256


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("ddim", {"prompt": "a dog"}, "prompt = 'a dog': .* takes label; leave it out"),
        ("ddim", {"label": 0}, "has no classes"),
        ("ddim", {"guidance": 2.0}, "guidance = 2.0: .* leave it out"),
        ("ddim", {"shift": 3.0}, "no scheduler of a flow"),
        ("ddim", {"size": (15, 16)}, "multiples of 2"),
        ("dit", {"prompt": "a dog"}, "takes guidance and label"),
        ("dit", {"label": 1001}, "classes 0 to 999"),
        ("dit", {"size": (8, 8)}, r"\(16, 16\) only"),
        ("dit", {"guidance": 2.0}, "nothing to be guided towards"),
        ("ddim", {"tiling": True}, "has no autoencoder; leave it out"),
        ("sd", {"label": 3}, "takes guidance and prompt"),
        ("sd", {"label": 0}, "label = 0: .* takes guidance and prompt"),
        ("sd3", {"label": 0}, "label = 0: .* takes guidance and prompt"),
        ("flux", {"label": 0, "size": (16, 16)}, "label = 0: .* takes guidance and prompt"),
        ("sd", {"guidance": 7.5}, "nothing to be guided towards"),
        ("sd3", {"size": (64, 64)}, "sides of up to 32"),
        ("sd3", {"prediction": "epsilon"}, "flow_prediction"),
        ("flux_schnell", {"guidance": 2.0, "size": (16, 16)}, "has none; leave it out"),
    ],
)
def test_an_option_that_a_pipeline_has_no_use_for_is_refused_in_a_sentence(
    saved, name, options, says
):
    with pytest.raises(UsageError, match=says):
        DiffusersPrior(saved(name), **options)


def test_a_pipeline_of_no_known_family_is_refused_before_it_is_loaded(tmp_path):
    index = {"_class_name": "AuraFlowPipeline", "transformer": ["diffusers", "AuraFlowTransformer"]}
    (tmp_path / "model_index.json").write_text(json.dumps(index))

    with pytest.raises(UsageError, match="AuraFlowPipeline with AuraFlowTransformer; known are"):
        DiffusersPrior(str(tmp_path))


def test_a_network_that_edits_is_refused(tmp_path):
    tiny["ddim_pipeline"](tiny["unet"](in_channels=7)).save_pretrained(tmp_path)

    with pytest.raises(UsageError, match="takes 7 channels and gives 3"):
        DiffusersPrior(str(tmp_path))


def test_dynamic_thresholding_is_not_done_and_asks_for_a_number(tmp_path):
    tiny["ddim_pipeline"](scheduler=tiny["ddim"](thresholding=True)).save_pretrained(tmp_path)

    with pytest.raises(UsageError, match=r"thresholding = true.*set clip to a number"):
        DiffusersPrior(str(tmp_path))
    assert DiffusersPrior(str(tmp_path), clip=1.0).clip == (-1.0, 1.0)


def test_a_network_distilled_for_consistency_is_refused(saved, tmp_path):
    scheduler = LCMScheduler.from_config(tiny["ddim"]().config)
    tiny["stable_diffusion"](scheduler).save_pretrained(tmp_path / "scheduler")
    embedded = tiny["stable_diffusion"]()
    embedded.register_modules(unet=tiny["text_unet"](time_cond_proj_dim=8))
    embedded.save_pretrained(tmp_path / "network")

    with pytest.raises(UsageError, match=r"LCMScheduler: .* distilled to jump to data"):
        DiffusersPrior(str(tmp_path / "scheduler"))
    with pytest.raises(UsageError, match=r"guidance as an input \(time_cond_proj_dim\)"):
        DiffusersPrior(str(tmp_path / "network"))


def test_a_model_below_the_home_folder_is_found(saved, plain, monkeypatch):
    folder = Path(saved("ddim"))
    monkeypatch.setenv("HOME", str(folder.parent))

    assert DiffusersPrior(f"~/{folder.name}").weights_sha256 == plain("ddim").weights_sha256
    with pytest.raises(WeightsError, match="no such home folder; give the whole path"):
        DiffusersPrior("~nobody-of-this-name/model")


def test_loading_an_autoencoder_warns_of_nothing(tmp_path):
    pipeline = tiny["stable_diffusion"]()
    pipeline.register_modules(
        vae=AutoencoderTiny(
            encoder_block_out_channels=(8, 8),
            decoder_block_out_channels=(8, 8),
            num_encoder_blocks=(1, 1),
            num_decoder_blocks=(1, 1),
        )
    )
    pipeline.save_pretrained(tmp_path)
    said, level = io.StringIO(), logging.get_verbosity()
    handler = StreamHandler(said)

    logging.add_handler(handler)
    try:
        DiffusersPrior(str(tmp_path))
    finally:
        logging.remove_handler(handler)

    assert said.getvalue() == ""
    assert logging.get_verbosity() == level


def test_what_is_not_there_is_told_in_a_sentence_without_the_network(tmp_path, saved):
    broken = shutil.copytree(saved("ddim"), tmp_path / "broken")
    (broken / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    (tmp_path / "empty").mkdir()

    for model in (str(broken), str(tmp_path / "empty"), "nobody/has-this-model"):
        with pytest.raises(WeightsError) as caught:
            DiffusersPrior(model)
        assert "\n" not in str(caught.value)
