"""What each shipped network learns: its loss, its size, its length of training."""

from __future__ import annotations

import torch
from diffusers import DDPMScheduler
from torch import Tensor, nn
from torch.nn import functional as F

from ..colouring import colorize, sample_colours
from ..nets import (
    ColourNet,
    DigitClassifier,
    LatentMLP,
    LayeredVAE,
    ShapeAutoencoder,
    judge,
    pixel_network,
    pooled_classifier,
)
from ..pixels import to_state
from .loop import Recipe


def _painted(m: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    c = sample_colours(len(m), generator)
    return colorize(m, c), c


def _shifted(m: Tensor, generator: torch.Generator, by: int = 2) -> Tensor:
    """Move each digit by up to `by` pixels: the augmentation of the classifiers."""
    dy, dx = torch.randint(-by, by + 1, (2,), generator=generator).tolist()
    return torch.roll(m, (dy, dx), dims=(2, 3))


def shape_loss(
    net: ShapeAutoencoder, m: Tensor, labels: Tensor, generator: torch.Generator
) -> Tensor:
    """Denoise: the code must be readable through pixel noise and through noise of its own."""
    noisy = m + 0.15 * torch.randn(m.shape, generator=generator)
    code = net.encoder(noisy)
    code_noise = 0.1 * torch.randn(code.shape, generator=generator)
    error = (net.decoder(code + code_noise).sigmoid() - m).square().flatten(1).sum(1)
    return error + 0.01 * code.square().sum(1)


@torch.no_grad()
def shape_finish(net: ShapeAutoencoder, m: Tensor, labels: Tensor) -> None:
    """Scale the code to unit mean variance over the training digits, and drop the decoder."""
    net.scale.fill_(torch.cat([net.encoder(part) for part in m.split(2000)]).var(0).mean().sqrt())
    del net.decoder


def colour_loss(net: ColourNet, m: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
    """Regress the background colour, in units of 0.2 about 0.5."""
    x, c = _painted(m, generator)
    return (net(x) - (c - 0.5) / 0.2).square().sum(1)


def classifier_loss(net: DigitClassifier, m: Tensor, labels: Tensor, g: torch.Generator) -> Tensor:
    """Cross-entropy on coloured digits, shifted by up to two pixels."""
    x, _ = _painted(_shifted(m, g), g)
    return F.cross_entropy(net(x), labels, reduction="none")


def vae_loss(net: LayeredVAE, m: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
    """Gaussian likelihood with learned variance, KL weighted by 0.1: near-lossless."""
    x, _ = _painted(m, generator)
    mean, log_variance = net.posterior(x)
    z = mean + (0.5 * log_variance).exp() * torch.randn(mean.shape, generator=generator)
    kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)
    error = (net.paint(z) - x).square().flatten(1).mean(1)
    s = net.log_variance
    return (0.5 * (error * (-s).exp() + s)) * 10 + 0.1 * kl * 10 / x[0].numel()


@torch.no_grad()
def vae_finish(net: LayeredVAE, m: Tensor, labels: Tensor) -> None:
    """Store mean and std of the codes, so that `encode` gives normalised ones."""
    generator = torch.Generator().manual_seed(1234)
    means = torch.cat([net.posterior(_painted(p, generator)[0])[0] for p in m.split(2000)])
    net.mean.copy_(means.mean(0))
    net.std.copy_(means.std(0))


def _code(vae: LayeredVAE, m: Tensor, generator: torch.Generator) -> Tensor:
    """A posterior sample of the normalised code of freshly painted digits."""
    with torch.no_grad():
        mean, log_variance = vae.posterior(_painted(m, generator)[0])
        z = mean + (0.5 * log_variance).exp() * torch.randn(mean.shape, generator=generator)
        return (z - vae.mean) / vae.std


def latent_recipe(vae: LayeredVAE, steps: int = 22_000) -> Recipe:
    """Noise prediction (DDPM, linear beta) on the codes of the autoencoder."""
    scheduler = DDPMScheduler(beta_start=1e-4, beta_end=0.02)

    def loss(net: LatentMLP, m: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        z = _code(vae, m, generator)
        noise = torch.randn(z.shape, generator=generator)
        t = torch.randint(1000, (len(z),), generator=generator)
        z_t = scheduler.add_noise(z, noise, t)
        return (net(z_t, t / 1000) - noise).square().mean(1)

    return Recipe(LatentMLP, loss, steps=steps, batch=512, ema=0.9995, seed=11)


def flow_recipe(vae: LayeredVAE, steps: int = 8_000) -> Recipe:
    """Flow matching on straight paths z_t = (1 - t) z + t noise: regress noise - z."""

    def loss(net: LatentMLP, m: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        z = _code(vae, m, generator)
        noise = torch.randn(z.shape, generator=generator)
        t = torch.randn(len(z), generator=generator).sigmoid()  # more weight on middle times
        z_t = torch.lerp(z, noise, t[:, None])
        return (net(z_t, t) - (noise - z)).square().mean(1)

    return Recipe(LatentMLP, loss, steps=steps, batch=512, ema=0.9995, seed=12)


def pixel_recipe(steps: int = 20_000) -> Recipe:
    """Velocity prediction (DDPM, linear beta) on pixels, rearranged by `pixels.to_state`."""
    scheduler = DDPMScheduler(
        beta_start=1e-4, beta_end=0.02, prediction_type="v_prediction", clip_sample=False
    )

    def loss(net: nn.Module, m: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        x = to_state(_painted(m, generator)[0])
        noise = torch.randn(x.shape, generator=generator)
        t = torch.randint(1000, (len(x),), generator=generator)
        x_t = scheduler.add_noise(x, noise, t)
        v = scheduler.get_velocity(x, noise, t)
        return (net(x_t, t).sample - v).square().flatten(1).mean(1)

    return Recipe(
        pixel_network, loss, steps=steps, batch=64, ema=0.9995, lr=8e-4, seed=13, bfloat16=True
    )


SIMPLE: dict[str, Recipe] = {
    "shape": Recipe(ShapeAutoencoder, shape_loss, 4000, seed=1, finish=shape_finish),
    "colour": Recipe(ColourNet, colour_loss, 4000, seed=2),
    "classifier": Recipe(DigitClassifier, classifier_loss, 2000, seed=3),
    "classifier-b": Recipe(pooled_classifier, classifier_loss, 2000, seed=4),
    "judge": Recipe(judge, classifier_loss, 3000, seed=5),
    "vae": Recipe(LayeredVAE, vae_loss, 10_000, seed=6, finish=vae_finish),
}
