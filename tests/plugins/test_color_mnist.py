"""The benchmark: its colouring, its digits, its weights and its priors."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from fiber_audit_color_mnist import digits, pixels
from fiber_audit_color_mnist.colouring import (
    background_of,
    colorize,
    colour_cdf,
    decolorize,
    foreground_of,
    sample_colours,
)
from fiber_audit_color_mnist.dataset import ColorMNIST
from fiber_audit_color_mnist.extractors import Classifier, Colour, Shape
from fiber_audit_color_mnist.halving import Double, Halve
from fiber_audit_color_mnist.nets import LayeredVAE, ShapeAutoencoder, judge
from fiber_audit_color_mnist.priors import LatentDiffusion, LatentFlow, PixelDiffusion
from fiber_audit_color_mnist.train.loop import Recipe, learning_rate, train
from fiber_audit_color_mnist.weights import SHIPPED
from torch import nn

from fiber_audit import DataError
from fiber_audit.measuring import reconstructed
from fiber_audit.sampling import Noise, over, rms, unguided

PRIORS = (LatentDiffusion, LatentFlow, PixelDiffusion)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def coloured(n=20, seed=0):
    held = digits.held_out()
    return colorize(held.images[:n], sample_colours(n, generator(seed))), held.images[:n]


def test_decolorize_undoes_colorize_and_background_is_found():
    c = sample_colours(20, generator(1))
    m = digits.held_out().images[:20]
    x = colorize(m, c)

    torch.testing.assert_close(decolorize(x), m, atol=1e-5, rtol=0)
    torch.testing.assert_close(background_of(x), c)
    torch.testing.assert_close((foreground_of(c) - c).abs(), torch.full_like(c, 0.5))


def test_colours_follow_the_mixture_that_the_metrics_assume():
    c = sample_colours(20_000, generator(2)).flatten().double().sort().values
    empirical = torch.arange(1, len(c) + 1) / len(c)

    assert (colour_cdf(c) - empirical).abs().max() < 1.63 / len(c) ** 0.5  # Kolmogorov, 1 %


def test_the_held_out_digits_are_balanced_and_in_no_training(tmp_path):
    held = digits.held_out()
    with np.load(digits.HELD_OUT) as archive:
        images, labels = archive["images"], archive["labels"]
    more = 255 - images[:50]
    path = tmp_path / "mnist.npz"
    np.savez(
        path, Xt=np.concatenate([images[:100], more]), Yt=np.zeros(150), Xe=more, Ye=labels[:50]
    )

    assert held.labels.bincount().tolist() == [100] * 10
    assert len(digits.full(path)) == 50
    assert len(digits.full(path, train=False)) == 50


def test_wrong_data_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere.npz: no such file"):
        digits.full(tmp_path / "nowhere.npz")
    np.savez(tmp_path / "other.npz", a=1)
    with pytest.raises(DataError, match="must hold the keys Xt"):
        digits.full(tmp_path / "other.npz")
    with pytest.raises(DataError, match=r"queries.n = 1001: split 'held-out' has 1000 digits"):
        ColorMNIST(1001)
    with pytest.raises(DataError, match=r"needs queries.path"):
        ColorMNIST(3, "test")


def test_a_query_keeps_its_digit_and_colour_when_there_are_more_of_them():
    few, many = ColorMNIST(3), ColorMNIST(9)

    assert many.ids[:3] == few.ids
    assert torch.equal(many.load(range(3)), few.load(range(3)))
    assert not torch.equal(ColorMNIST(3, seed=1).load(range(3)), few.load(range(3)))


def test_a_query_is_the_same_whatever_is_loaded_with_it():
    data = ColorMNIST(9)
    alone = torch.cat([data.load([i]) for i in (7, 2, 2)])

    assert torch.equal(data.load([7, 2, 2]), alone)
    assert torch.equal(data.load([-2]), alone[:1])
    assert data.load([]).shape == (0, 3, 28, 28)
    with pytest.raises(IndexError):
        data.load([9])


def test_only_what_is_asked_for_is_coloured(monkeypatch):
    from fiber_audit_color_mnist import dataset

    asked = []
    monkeypatch.setattr(dataset, "colorize", lambda m, c: asked.append(len(m)) or colorize(m, c))
    data = ColorMNIST(1000)
    assert (len(data), len(data.ids), len(data.labels), asked) == (1000, 1000, 1000, [])
    data.load([3, 999])

    assert asked == [2]


def test_queries_keep_their_ids_digits_and_colours_from_version_to_version():
    data = ColorMNIST(16)
    colours = torch.tensor([[0.6376, 0.6109, 0.7719], [0.5107, 0.9578, 0.5242]])

    assert data.ids[:2] == ("held-out-0", "held-out-1")
    assert data.labels.tolist() == [*range(10), *range(6)]
    torch.testing.assert_close(background_of(data.load([0, 15])), colours, atol=1e-4, rtol=0)


def test_pixels_are_only_rearranged():
    x = torch.rand(2, 3, 28, 28, generator=generator())
    state = pixels.to_state(x)

    torch.testing.assert_close(pixels.to_image(state), x)
    torch.testing.assert_close(state.flatten(1).norm(dim=1), (2 * x - 1).flatten(1).norm(dim=1))


def test_the_shape_code_ignores_colour_and_sees_shape():
    x, m = coloured()
    y = colorize(m, sample_colours(20, generator(5)))
    h, other = Shape().features(x), Shape().features(y)
    null = rms(h - h.roll(1, 0)).mean()

    assert (rms(h - other).mean() / null) < 1e-4
    assert null > 0.5


def test_the_colour_code_sees_colour_and_ignores_shape():
    c = sample_colours(20, generator(5))
    held = digits.held_out().images
    h, other = (Colour().features(colorize(held[i : i + 20], c)) for i in (0, 33))
    null = rms(h - h.roll(1, 0)).mean()

    assert rms(h - other).mean() / null < 0.05
    torch.testing.assert_close(h * 0.2 + 0.5, c, atol=0.03, rtol=0)


def test_the_classifiers_read_the_digit():
    x, _ = coloured(200)
    network = Classifier().network.classifier
    labels = digits.held_out().labels[:200]

    assert (network(x).argmax(1) == labels).float().mean() > 0.93


def test_the_autoencoder_is_nearly_lossless_in_the_features_of_the_shape_code():
    x, _ = coloured(200)
    shape = Shape()
    h = shape.features(x)
    gap = rms(shape.features(reconstructed(LatentDiffusion(), x)) - h).mean()

    assert gap / rms(h - h.roll(1, 0)).mean() < 0.07


@pytest.mark.parametrize("kind", PRIORS)
def test_every_prior_splits_a_state_into_data_and_noise(kind):
    prior = kind()
    x = torch.randn(2, *prior.state_shape, generator=generator())
    for value in (0.1, 0.5, 0.999):
        t = torch.full((2,), value)
        x0, eps = prior.predict(x, t)
        again = over(prior.schedule.alpha(t), x) * x0 + over(prior.schedule.sigma(t), x) * eps

        torch.testing.assert_close(again, x, atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", PRIORS)
def test_every_prior_denoises_a_little_noise_to_the_digit_it_was(kind):
    prior = kind()
    x, _ = coloured(20)
    clean = prior.encode(x)
    grid = torch.arange(1, 1000) / 1000
    t = grid[prior.schedule.sigma(grid) > 0.35 * prior.schedule.alpha(grid)][0].expand(20)
    eps = torch.randn(clean.shape, generator=generator())
    noisy = (
        over(prior.schedule.alpha(t), clean) * clean + over(prior.schedule.sigma(t), clean) * eps
    )
    before = (prior.decode(noisy) - x).square().mean()

    assert (prior.decode(prior.predict(noisy, t).x0) - x).square().mean() < 0.8 * before


@pytest.mark.parametrize("kind", PRIORS)
def test_every_prior_makes_coloured_digits(kind):
    prior = kind()
    x = prior.decode(unguided(prior, Noise(range(16)), 25)).clamp(0, 1)
    logits = SHIPPED.load(judge(), "judge")(x)

    assert logits.softmax(1).amax(1).mean() > 0.7
    assert (decolorize(x).flatten(1).amax(1) - 1).abs().mean() < 0.3


def test_all_weights_are_safetensors_under_25_megabytes():
    files = [p for p in SHIPPED.folder.rglob("*") if p.is_file()]

    assert {p.suffix for p in files} == {".safetensors", ".json"}
    assert sum(p.stat().st_size for p in files) < 25e6


@pytest.mark.parametrize("few", [1, 3])
def test_halving_and_doubling_are_the_convolutions_of_torch(few):
    x, y = torch.randn(2, few, 8, 12), torch.randn(2, 5, 4, 6)
    halve, double = Halve(few, 5), Double(5, few)

    torch.testing.assert_close(halve(x), nn.Conv2d.forward(halve, x))
    torch.testing.assert_close(double(y), nn.ConvTranspose2d.forward(double, y))


def test_the_audit_needs_no_library_of_diffusions_but_for_pixels():
    code = "import sys; from fiber_audit_color_mnist import priors; priors.LatentDiffusion(); "
    code += "print('diffusers' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert run.stdout.split() == ["False"]


def test_a_training_that_was_interrupted_ends_where_an_unbroken_one_does(tmp_path, monkeypatch):
    def loss(net, m, labels, g):
        return (net.code(m + 0.1 * torch.randn(m.shape, generator=g))).square().sum(1)

    recipe = Recipe(lambda: ShapeAutoencoder(code=2, width=2), loss, steps=1004, batch=2)
    images, labels = digits.held_out().images[:8], digits.held_out().labels[:8]
    whole = train(recipe, images, labels, tmp_path / "whole.ckpt", lambda line: None)
    resumed = train(recipe, images, labels, tmp_path / "whole.ckpt", lambda line: None)

    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_the_learning_rate_warms_up_and_ends_at_zero():
    recipe = Recipe(LayeredVAE, None, steps=100)
    rates = [learning_rate(step, recipe) for step in range(101)]

    assert rates[0] == recipe.lr / 2
    assert max(rates) == pytest.approx(recipe.lr)
    assert rates[100] == pytest.approx(0)
