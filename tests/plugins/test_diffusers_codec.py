"""Autoencoders and pixels of fiber_audit_diffusers: between data space and states."""

from types import SimpleNamespace

import pytest
import torch
from diffusers import AutoencoderKL, AutoencoderTiny, VQModel
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from fiber_audit_diffusers.codec import Latents, Pixels

from fiber_audit import UsageError

GENERATOR = torch.Generator().manual_seed(0)
PICTURES = torch.rand((2, 3, 16, 16), generator=GENERATOR)
WIDTHS = {"block_out_channels": (8, 8), "latent_channels": 4}


@pytest.fixture(autouse=True)
def _seeded():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def kl(**options):
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        norm_num_groups=4,
        **WIDTHS,
        **options,
    )


def small():
    return AutoencoderTiny(
        encoder_block_out_channels=(8, 8),
        decoder_block_out_channels=(8, 8),
        num_encoder_blocks=(1, 1),
        num_decoder_blocks=(1, 1),
    )


def quantised():
    return VQModel(
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        norm_num_groups=4,
        **WIDTHS,
    )


AUTOENCODERS = {"kl": kl, "tiny": small, "vq": quantised}


class Mirror(torch.nn.Module):
    """An autoencoder whose latent is the picture itself, and whose posterior is wide."""

    dtype = torch.float32

    def __init__(self, **config):
        super().__init__()
        self.config = {"block_out_channels": (8,), **config}
        self.config = type("Config", (dict,), {"__getattr__": dict.__getitem__})(self.config)

    def encode(self, x):
        moments = torch.cat([x, torch.zeros_like(x)], dim=1)
        return SimpleNamespace(latent_dist=DiagonalGaussianDistribution(moments))

    def decode(self, z):
        return SimpleNamespace(sample=z)


@pytest.mark.parametrize(
    "config",
    [
        {"scaling_factor": 0.18215},
        {"scaling_factor": 1.5305, "shift_factor": 0.0609},
        {"scaling_factor": 0.5, "latents_mean": [0.1, 0.2, 0.3], "latents_std": [1.0, 2.0, 3.0]},
    ],
)
def test_scaling_and_shift_are_undone_both_ways_and_the_posterior_is_not_sampled(config):
    codec = Latents.of(Mirror(**config))

    assert torch.allclose(codec(codec.encode(PICTURES)), PICTURES, atol=1e-6)


def test_a_state_is_the_latent_as_the_library_normalises_it():
    shifted = Latents.of(Mirror(scaling_factor=2.0, shift_factor=0.25))
    channels = Latents.of(
        Mirror(scaling_factor=2.0, latents_mean=[0.0, 0.1, 0.2], latents_std=[1.0, 2.0, 4.0])
    )
    z = PICTURES * 2 - 1

    assert torch.allclose(shifted.encode(PICTURES), (z - 0.25) * 2.0, atol=1e-6)
    mean, std = torch.tensor([0.0, 0.1, 0.2]), torch.tensor([1.0, 2.0, 4.0])
    wanted = (z - mean[:, None, None]) * 2.0 / std[:, None, None]
    assert torch.allclose(channels.encode(PICTURES), wanted, atol=1e-6)


def test_the_range_of_pixels_is_that_of_their_network():
    for codec, ends in ((Pixels(), (-1, 1)), (Pixels(0.0, 1.0), (0, 1))):
        state = codec.encode(PICTURES)

        assert codec.clip == ends
        assert torch.allclose(codec.encode(torch.tensor([0.0, 1.0])), torch.tensor(ends).float())
        assert torch.allclose(codec(state), PICTURES, atol=1e-6)


@pytest.mark.parametrize("kind", AUTOENCODERS)
def test_every_autoencoder_is_frozen_and_passes_gradients(kind):
    codec = Latents.of(AUTOENCODERS[kind]())
    state = codec.encode(PICTURES)
    leaf = state.clone().requires_grad_(True)

    data = codec(leaf)
    (gradient,) = torch.autograd.grad(data.square().sum(), leaf)

    assert state.shape == (2, 4, 8, 8)
    assert data.shape == PICTURES.shape
    assert gradient.isfinite().all()
    assert gradient.any()
    assert not codec.training
    assert not any(p.requires_grad for p in codec.parameters())


@pytest.mark.parametrize("kind", AUTOENCODERS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_an_autoencoder_takes_and_gives_single_precision(kind, dtype):
    whole = AUTOENCODERS[kind]()
    state = Latents.of(whole).encode(PICTURES)
    wanted = Latents.of(whole)(state)

    codec = Latents.of(whole.to(dtype))

    assert codec(state).dtype == codec.encode(PICTURES).dtype == torch.float32
    assert codec.std.dtype == torch.float32
    if kind != "vq":  # which may choose another code
        assert (codec(state) - wanted).abs().max() < 0.05


def test_tiles_are_blended_to_what_is_decoded_at_once():
    vae = kl()
    state = torch.randn((1, 4, 24, 24), generator=GENERATOR)
    at_once = Latents.of(vae)(state)
    vae.tile_latent_min_size, vae.tile_sample_min_size = 16, 32

    tiled = Latents.of(vae, tiling=True)(state)

    assert vae.use_tiling
    assert 0 < (tiled - at_once).abs().mean() < 0.1 * at_once.std()


def test_an_autoencoder_without_tiles_says_so_in_a_sentence():
    assert Latents.of(small(), tiling=True).vae.use_tiling
    with pytest.raises(UsageError, match="tiling = true: VQModel has none; leave it out"):
        Latents.of(quantised(), tiling=True)


def test_calling_a_codec_is_counted_as_one_decoding():
    codec, calls = Latents.of(kl()), []
    codec.register_forward_hook(lambda *_: calls.append(1))

    codec(codec.encode(PICTURES))

    assert calls == [1]
