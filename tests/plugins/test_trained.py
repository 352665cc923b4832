"""The prior `trained`: what a fit leaves, what it refuses, and that being killed costs nothing."""

import inspect
import json
import re
import shutil
import tomllib
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from diffusers import AutoencoderKL, AutoencoderTiny, DDPMPipeline
from fiber_audit_diffusers.prior import DiffusersPrior
from fiber_audit_diffusers.trained import batches, fit, sheet
from fiber_audit_diffusers.trained.prior import OPTIONS, TrainedPrior
from fiber_audit_diffusers.trained.recipe import CONVENIENCE, Recipe
from fiber_audit_diffusers.trained.space import Columns
from fiber_audit_diffusers.trained.taesd import TaesdAutoencoder
from rows import Rows
from safetensors.torch import load_file, save_file

from fiber_audit import DiskError, DivergedError, UsageError, WeightsError
from fiber_audit.check import check_prior
from fiber_audit.contracts import Fitting
from fiber_audit.fitting import alone, checkpoint, corpus
from fiber_audit.sampling import Noise, at, step, unguided

UNET = {"width": 8, "depth": 1, "levels": 2, "batch": 8, "steps": 6, "judged": 0}
MLP = {"network": "mlp", "width": 32, "depth": 1, "batch": 16, "steps": 8, "judged": 0}
OFTEN = {"checkpoint_minutes": 1e-9}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def pictures(n=40, channels=1, height=8, width=8):
    bytes_ = torch.randint(256, (n, channels, height, width), generator=generator())
    return bytes_.float() / 255


def table(n=200, d=4):
    return torch.randn(n, d, generator=generator()) * torch.arange(1.0, d + 1) + 5


def fitted(rows, path, say=lambda line: None, seed=0, **options):
    TrainedPrior.fit(Fitting(Rows(rows), "cpu", seed, say), path=str(path), **options)
    return TrainedPrior(path=str(path), **options)


def weights(path):
    return load_file(next(path.glob("*/diffusion_pytorch_model.safetensors")))


def assert_same(one, other):
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def killed_at(monkeypatch, step_number):
    """The process dies before this step: nothing after it is written."""
    found = batches.Batches.at

    def dying(self, step):
        if step == step_number:
            raise KeyboardInterrupt
        return found(self, step)

    monkeypatch.setattr(batches.Batches, "at", dying)


@pytest.fixture(scope="module", autouse=True)
def short_samples():
    """Samples of two steps: what they look like is not the question here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sheet, "STEPS", 2)
        patch.setattr(sheet, "DOWN", 1)
        yield


@pytest.fixture(scope="module")
def unet(tmp_path_factory):
    path = tmp_path_factory.mktemp("unet")
    return path, fitted(pictures(), path, **UNET)


@pytest.mark.parametrize(
    ("rows", "options"),
    [(pictures(), {**UNET, **OFTEN}), (table(), {**MLP, **OFTEN})],
    ids=["unet", "mlp"],
)
def test_a_killed_fit_goes_on_to_the_same_bits(tmp_path, monkeypatch, rows, options):
    fitted(rows, tmp_path / "whole", **options)
    with monkeypatch.context() as patch:
        killed_at(patch, 4)
        with pytest.raises(KeyboardInterrupt):
            fitted(rows, tmp_path / "killed", **options)
    with pytest.raises(WeightsError, match=r"at step 4 of \d; to go on, run: fiber-audit fit"):
        TrainedPrior(path=str(tmp_path / "killed"), **options)
    said = []
    fitted(rows, tmp_path / "killed", said.append, **options)

    assert any("going on at step 4" in line for line in said)
    assert_same(weights(tmp_path / "killed"), weights(tmp_path / "whole"))


def test_a_fit_that_dies_while_it_writes_leaves_nothing_that_passes_for_finished(
    tmp_path, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr(fit, "write_card", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            fitted(table(), tmp_path, **MLP)
    with pytest.raises(WeightsError, match="at step 8 of 8"):
        TrainedPrior(path=str(tmp_path), **MLP)

    assert fitted(table(), tmp_path, **MLP).facts["training data"] == "200 items"
    assert not (tmp_path / "checkpoint").exists()


def test_numbers_that_are_not_finite_stop_it_and_the_last_checkpoint_is_good(tmp_path, monkeypatch):
    found = batches.Batches.at

    def poisoned(self, step):
        return found(self, step) * (torch.nan if step == 5 else 1.0)

    monkeypatch.setattr(batches.Batches, "at", poisoned)
    with pytest.raises(DivergedError, match=r"finite numbers at step 5 \(loss nan\)"):
        fitted(table(), tmp_path, **MLP, **OFTEN)

    kept = load_file(tmp_path / checkpoint.FOLDER / checkpoint.FILE)
    assert all(value.isfinite().all() for value in kept.values())
    assert json.loads((tmp_path / "training.json").read_text())["step"] == 5
    assert not (tmp_path / "mlp").exists()


def test_diffusers_own_pipeline_draws_the_same_pictures(unet):
    path, prior = unet
    pipeline = DDPMPipeline.from_pretrained(path, low_cpu_mem_usage=False)
    pipeline.set_progress_bar_config(disable=True)
    drawn = pipeline(2, generator(), num_inference_steps=5, output_type="pt").images

    pipeline.scheduler.set_timesteps(5)
    times = pipeline.scheduler.sigmas.double()
    x = torch.randn(2, 1, 8, 8, generator=generator())
    for t, s in pairwise(times):
        x = step(prior.schedule, *prior.predict(x, at(t, x)), t, s)
    torch.testing.assert_close(prior.decode(x).clamp(0, 1), drawn, atol=1e-4, rtol=0)


@pytest.mark.parametrize("options", [{}, {"objective": "ddpm", "prediction": "eps"}])
def test_the_folder_is_the_same_prior_to_whoever_uses_diffusers(tmp_path, options):
    prior = fitted(pictures(), tmp_path, **{**UNET, "steps": 2, **options})
    other = DiffusersPrior(model=str(tmp_path))
    x = torch.randn(2, 1, 8, 8, generator=generator())
    for t in (0.9, 0.5, 0.1):
        time = torch.full((2,), t)
        torch.testing.assert_close(other.predict(x, time), prior.predict(x, time))

    assert torch.equal(other.decode(x), prior.decode(x))
    assert (other.clip, other.state_shape) == (prior.clip, prior.state_shape)


@pytest.mark.parametrize(("prediction", "noise"), [("v", "cosine"), ("eps", "linear")])
def test_a_diffusion_predicts_what_its_scheduler_in_diffusers_does(tmp_path, prediction, noise):
    options = {**UNET, "objective": "ddpm", "prediction": prediction, "noise": noise, "steps": 2}
    prior = fitted(pictures(), tmp_path, **options)
    pipeline = DDPMPipeline.from_pretrained(tmp_path, low_cpu_mem_usage=False)
    scheduler = pipeline.scheduler
    scheduler.register_to_config(clip_sample=False)
    x = torch.randn(2, 1, 8, 8, generator=generator())
    for index in (950, 500, 20):
        answer = pipeline.unet(x, index).sample
        wanted = scheduler.step(answer, index, x, generator=generator()).pred_original_sample

        found = prior.predict(x, torch.full((2,), (index + 1) / 1000)).x0

        torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)
    assert check_prior(prior) == []


@pytest.mark.parametrize(
    "options",
    [{"levels": 3}, {"patch": 2}, {"network": "dit", "width": 32, "patch": 4}],
    ids=["unet", "patches", "dit"],
)
def test_pictures_of_any_size_keep_every_pixel(tmp_path, options):
    x = pictures(height=9, width=7)
    prior = fitted(x, tmp_path, **{**UNET, "steps": 1, **options})

    assert check_prior(prior) == []
    torch.testing.assert_close(prior.decode(prior.encode(x)), x)
    assert unguided(prior, Noise([0, 1]), 2).isfinite().all()


def test_the_rim_repeats_the_edge(tmp_path):
    prior = fitted(pictures(height=7, width=7), tmp_path, **{**UNET, "steps": 1})
    state = prior.encode(pictures(height=7, width=7))

    assert state.shape[1:] == (1, 8, 8)
    assert torch.equal(state[..., 7], state[..., 6])
    assert torch.equal(state[..., 7, :], state[..., 6, :])


def test_columns_are_standardised_and_their_units_do_not_matter(tmp_path):
    one = fitted(table(), tmp_path / "a", **MLP)
    other = fitted(table() * 1000 - 7, tmp_path / "b", **MLP)

    states = one.encode(table())
    torch.testing.assert_close(states.std(0), torch.ones(4), atol=0.1, rtol=0)
    torch.testing.assert_close(other.encode(table() * 1000 - 7), states, atol=1e-3, rtol=0)
    assert check_prior(one) == []
    assert one.data_range is None


def tiny_autoencoder(kind, folder, seed=0):
    with torch.random.fork_rng():
        torch.random.manual_seed(seed)
        _tiny_autoencoder(kind, folder)


def _tiny_autoencoder(kind, folder):
    wide = (8, 8)
    if kind is AutoencoderKL:
        blocks = {"down_block_types": ("DownEncoderBlock2D",) * 2}
        blocks["up_block_types"] = ("UpDecoderBlock2D",) * 2
        vae = kind(block_out_channels=wide, norm_num_groups=4, latent_channels=3, **blocks)
    else:
        vae = kind(
            encoder_block_out_channels=wide,
            decoder_block_out_channels=wide,
            num_encoder_blocks=(1, 1),
            num_decoder_blocks=(1, 1),
            latent_channels=3,
        )
    vae.save_pretrained(folder)


@pytest.mark.parametrize("kind", [AutoencoderKL, AutoencoderTiny])
def test_latents_have_unit_channels_and_the_folder_holds_its_autoencoder(tmp_path, kind):
    tiny_autoencoder(kind, tmp_path / "vae")
    x = pictures(channels=3, height=9)
    options = {**UNET, "autoencoder": str(tmp_path / "vae"), "held_out": 0.0}
    prior = fitted(x, tmp_path / "fit", **options)
    shutil.rmtree(tmp_path / "vae")
    again = TrainedPrior(path=str(tmp_path / "fit"), **options)

    state = again.encode(x)
    assert state.shape[1:] == (3, 6, 4)  # 9 becomes 12: halved by the autoencoder and the unet
    std, mean = torch.std_mean(state, (0, 2, 3), correction=0)
    torch.testing.assert_close(mean, torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(std, torch.ones(3), atol=1e-4, rtol=0)
    assert again.weights_sha256 == prior.weights_sha256
    assert check_prior(again) == []
    assert not again.lossless
    assert not (tmp_path / "fit" / "model_index.json").exists()  # no pipeline knows the scaling


def test_another_autoencoder_in_the_same_folder_is_refused_and_none_is_needed(
    tmp_path, monkeypatch
):
    """In a killed fit, and in a finished one; its own copy stands for one that was deleted."""
    tiny_autoencoder(AutoencoderTiny, tmp_path / "vae")
    options = {**UNET, **OFTEN, "autoencoder": str(tmp_path / "vae")}
    x, path = pictures(channels=3), tmp_path / "fit"
    with monkeypatch.context() as patch:
        killed_at(patch, 4)
        with pytest.raises(KeyboardInterrupt):
            fitted(x, path, **options)
    tiny_autoencoder(AutoencoderTiny, tmp_path / "vae", seed=1)
    with pytest.raises(UsageError, match=r"another autoencoder"):
        fitted(x, path, **options)
    tiny_autoencoder(AutoencoderTiny, tmp_path / "vae")
    fitted(x, path, **options)
    tiny_autoencoder(AutoencoderTiny, tmp_path / "vae", seed=1)
    with pytest.raises(UsageError, match="another autoencoder"):
        fitted(x, path, **options)
    shutil.rmtree(tmp_path / "vae")
    said = []
    fitted(x, path, said.append, **options)

    assert said == [f"{path}: is fitted already"]


def test_a_pair_of_taesd_files_is_an_autoencoder(tmp_path):
    with torch.random.fork_rng():
        torch.random.manual_seed(0)
        vae = TaesdAutoencoder(5, detours=True)
    (tmp_path / "pair").mkdir()
    for part in ("encoder", "decoder"):
        half = {name: v.half() for name, v in getattr(vae, part).state_dict().items()}
        torch.save(half, tmp_path / "pair" / f"tae_{part}.pth")
    options = {**UNET, "autoencoder": str(tmp_path / "pair"), "steps": 1}
    prior = fitted(pictures(n=8, height=32, width=16), tmp_path / "fit", **options)

    x = pictures(n=2, height=32, width=16)
    latent = vae.half().float().encode(x.expand(-1, 3, -1, -1) * 2 - 1).latents
    codec = prior.space.codec
    torch.testing.assert_close(prior.encode(x) * codec.std + codec.mean, latent)
    assert prior.state_shape == (5, 4, 2)
    assert check_prior(prior) == []


def test_a_second_fit_is_at_once_and_anything_else_in_its_place_is_refused(unet):
    path, prior = unet
    said = []
    again = fitted(pictures(), path, said.append, **UNET)

    assert said == [f"{path}: is fitted already"]
    assert again.weights_sha256 == prior.weights_sha256
    with pytest.raises(UsageError, match=r"fit of its own \(width 8, not 16\); give another path"):
        fitted(pictures(), path, **{**UNET, "width": 16})
    with pytest.raises(UsageError, match=r"data of 40 items, not those of now \(39\)"):
        fitted(pictures(39), path, **UNET)
    with pytest.raises(UsageError, match="seed 0, not 1"):
        fitted(pictures(), path, seed=1, **UNET)


def test_how_a_fit_is_run_does_not_make_another_prior(unet):
    path, prior = unet
    other = {"hours": 3.0, "compile": True, "judged": 7, "sample_minutes": 1.0}

    assert TrainedPrior(path=str(path), **{**UNET, **other}).weights_sha256 == prior.weights_sha256


def test_what_is_not_fitted_is_refused_with_the_command_that_mends_it(tmp_path, unet):
    with pytest.raises(WeightsError, match="nothing is fitted there; run: fiber-audit fit SUITE"):
        TrainedPrior(path=str(tmp_path))
    with pytest.raises(WeightsError, match=r"other options \(width 8, not 16; flip False, not T"):
        TrainedPrior(path=str(unet[0]), **{**UNET, "width": 16, "flip": True})
    (tmp_path / "training.json").write_text("{}")
    with pytest.raises(WeightsError, match="not the record of a fit"):
        TrainedPrior(path=str(tmp_path))


def test_damaged_weights_are_told_in_a_sentence(tmp_path):
    fitted(table(), tmp_path, **MLP)
    (tmp_path / "mlp" / "diffusion_pytorch_model.safetensors").write_bytes(b"torn")

    with pytest.raises(WeightsError, match="the fit is damaged"):
        TrainedPrior(path=str(tmp_path), **MLP)


@pytest.mark.parametrize("torn", [{"x": torch.zeros(4)}, {"mean": torch.zeros(4)}, {}])
def test_a_normalisation_without_its_numbers_is_refused(tmp_path, torn):
    fitted(table(), tmp_path, **MLP)
    save_file(torn, tmp_path / "normalisation.safetensors")

    with pytest.raises(
        WeightsError, match=r"normalisation.safetensors: holds .*, not {'mean': \(4"
    ):
        TrainedPrior(path=str(tmp_path), **MLP)


def test_a_column_is_constant_in_any_unit_or_in_none():
    """A constant one leaves a residue of rounding; one in small units leaves more, in its own."""
    g = generator()
    constant = torch.tensor([0.1, 1234.567]).expand(1000, 2)
    x = torch.cat([constant, torch.randn(1000, 2, generator=g) * torch.tensor([1e-13, 1e13])], 1)
    space = Columns((4,))
    space.measure([x[:512], x[512:]])

    assert space.std[:2].tolist() == [1.0, 1.0]
    torch.testing.assert_close(space.std[2:], x[:, 2:].std(0, correction=0))


def test_a_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    fitted(table(), "~/fit", **MLP)

    assert (tmp_path / "fit" / "training.json").exists()
    assert not (tmp_path / "~").exists()


def test_two_fits_do_not_work_in_one_folder_at_once(tmp_path):
    with alone(tmp_path), pytest.raises(UsageError, match="another fit is at work there"):
        fitted(table(), tmp_path, **MLP)

    assert fitted(table(), tmp_path, **MLP).facts["training data"] == "200 items"


def test_the_room_of_a_killed_fit_is_used_again(tmp_path, monkeypatch):
    spill = tmp_path / "items"
    monkeypatch.setattr(corpus, "ON_DEVICE", 100)
    spilled = {"held_out": 0.0, "seed": 0, "device": "cpu", "spill": spill, "say": print}
    before = corpus.gathered(Rows(pictures(200)), **spilled)
    assert before.spilled
    monkeypatch.setattr(corpus.shutil, "disk_usage", lambda _: SimpleNamespace(free=0))

    again = corpus.gathered(Rows(pictures(200)), **spilled)

    assert torch.equal(again.items, before.items)


def test_nothing_is_read_after_the_last_step_and_the_reader_ends(tmp_path, monkeypatch):
    read, made = [], []
    found, init = batches.Batches._read, batches.Batches.__init__
    monkeypatch.setattr(corpus, "ON_DEVICE", 100)
    monkeypatch.setattr(
        batches.Batches, "_read", lambda self, step: read.append(step) or found(self, step)
    )
    monkeypatch.setattr(
        batches.Batches, "__init__", lambda self, *a: made.append(self) or init(self, *a)
    )
    fitted(table(), tmp_path, **MLP)

    assert read == [*range(8)]
    assert made[0]._reader._shutdown
    assert not any(thread.is_alive() for thread in made[0]._reader._threads)


def test_data_that_no_disk_holds_are_refused_before_they_are_written(tmp_path, monkeypatch):
    monkeypatch.setattr(corpus, "ON_DEVICE", 100)
    monkeypatch.setattr(corpus.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))

    with pytest.raises(DiskError, match=r"0\.0 GB are free; make room"):
        fitted(pictures(), tmp_path, **UNET)


@pytest.mark.parametrize(
    ("rows", "options", "told"),
    [
        (table(), UNET, "network = 'unet': goes with pictures"),
        (table(), {**MLP, "flip": True}, "flip = true: goes with pictures"),
        (table(), {**MLP, "autoencoder": "x"}, "autoencoder = 'x': goes with pictures"),
        (pictures(), {**UNET, "width": 10}, "width = 10: a unet needs a multiple of 4"),
        (pictures(), {**UNET, "network": "dit", "width": 40}, "width = 40: a dit needs"),
        (pictures(), {**UNET, "held_out": 1.0}, "at least 2 must be left"),
    ],
)
def test_options_that_do_not_go_with_the_data_are_refused(tmp_path, rows, options, told):
    with pytest.raises(UsageError, match=told):
        fitted(rows, tmp_path, **options)


def test_no_autoencoder_is_told_where_one_is_named(tmp_path):
    with pytest.raises(WeightsError, match="holds no diffusers autoencoder"):
        fitted(pictures(), tmp_path, **UNET, autoencoder=str(tmp_path / "none"))


def test_hours_end_it_and_it_is_finished(tmp_path):
    fitted(table(), tmp_path, **{**MLP, "steps": 10_000, "hours": 1e-7})
    record = json.loads((tmp_path / "training.json").read_text())

    assert record["state"] == "finished"
    assert 1 <= record["step"] < 100


def test_the_callers_random_state_is_left_alone(tmp_path):
    before = torch.random.get_rng_state()
    fitted(table(), tmp_path, **{**MLP, "judged": 20})

    assert torch.equal(torch.random.get_rng_state(), before)


def test_where_the_data_are_kept_changes_no_bit(tmp_path, monkeypatch, unet):
    monkeypatch.setattr(corpus, "ON_DEVICE", 100)
    fitted(pictures(), tmp_path, **UNET)

    assert_same(weights(tmp_path), weights(unet[0]))


def gathered(rows, held_out=0.0):
    return corpus.gathered(Rows(rows), held_out, 0, "cpu", None, lambda line: None)


def test_eight_bits_are_kept_as_such_and_nothing_else_is_rounded():
    x, finer = pictures(), pictures() * 0.999

    assert gathered(x).items.dtype == torch.uint8
    assert torch.equal(gathered(x).take(torch.arange(40)), x)
    assert torch.equal(gathered(finer).take(torch.arange(40)), finer)


def test_held_out_items_are_never_trained_on():
    found = gathered(table(50), 0.2)
    made = batches.Batches(found, lambda x: x, 400, False, 0, "cpu")
    seen = {tuple(row.tolist()) for row in made.at(0)}

    assert len(found.held_out) == 10
    assert seen == {tuple(row.tolist()) for row in found.take(found.training)}


def test_pictures_are_mirrored_only_where_that_is_asked():
    x = pictures(1).expand(3, -1, -1, -1)
    plain, mirrored = (
        batches.Batches(gathered(x), lambda x: x, 64, flip, 0, "cpu").at(3)
        for flip in (False, True)
    )

    assert torch.equal(plain, x[:1].expand(64, -1, -1, -1))
    turned = (mirrored == x[:1].flip(-1)).flatten(1).all(1)
    same = (mirrored == x[:1]).flatten(1).all(1)
    assert (turned ^ same).all()
    assert 16 < int(turned.sum()) < 48


def test_samples_are_drawn_and_the_loss_falls(tmp_path):
    said = []
    x = torch.linspace(0, 255, 64).round().reshape(1, 1, 8, 8).expand(40, -1, -1, -1) / 255
    fitted(x, tmp_path, said.append, **{**UNET, "steps": 30, "learning_rate": 3e-3})
    loss = json.loads((tmp_path / "training.json").read_text())["facts"]["loss"]

    assert (tmp_path / "samples.png").stat().st_size > 100
    assert loss < 0.9  # the noise alone has variance 1, and the data have 0.3 besides
    assert any("items/s" in line and "left" in line for line in said)


def test_the_guide_lists_every_option_with_its_default_and_how_it_is_meant():
    text = (Path(__file__).parents[2] / "docs" / "fit.md").read_text()
    text = text[text.index("## All options") :]
    rows = re.findall(r"^\| `(\w+)`( \*)? \| `?([^|`]+)`? \|", text, re.M)
    found = {name: default for name, _, default in rows}
    parameters = inspect.signature(TrainedPrior).parameters.values()

    assert found.pop("path") == "required"
    assert {name: tomllib.loads(f"x = {default}")["x"] for name, default in found.items()} == {
        each.name: each.default for each in parameters if each.name != "path"
    }
    assert {name for name, star, _ in rows if star} == CONVENIENCE


def test_a_recipe_names_every_option_of_the_prior():
    assert {*Recipe.__dataclass_fields__} == OPTIONS
    assert CONVENIENCE <= OPTIONS
