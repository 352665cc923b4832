"""What the benchmark's networks know is known: their fibers contain what they must ignore."""

from __future__ import annotations

import pytest
import torch
from fiber_audit_color_mnist.colouring import colorize, sample_colours
from fiber_audit_color_mnist.dataset import ColorMNIST
from fiber_audit_color_mnist.extractors import Shape

from fiber_audit.sampling import Noise, rms


@pytest.fixture(scope="module")
def shape():
    return Shape()


@pytest.fixture(scope="module")
def digits():
    return ColorMNIST(64).digits.images[:64]


def colours(n, seed):
    return sample_colours(n, torch.Generator().manual_seed(seed))


def null(features):
    """RMS distance of random pairs, the scale of every other distance."""
    return rms(features - features.roll(1, 0)).median()


@torch.no_grad()
def test_recoloured_digits_stay_on_the_fiber_of_the_shape(shape, digits):
    query = shape.features(colorize(digits, colours(64, 0)))
    for seed in (1, 2):
        moved = rms(shape.features(colorize(digits, colours(64, seed))) - query)
        assert moved.median() < 0.01 * null(query)
        assert moved.max() < 0.1 * null(query)


@torch.no_grad()
def test_another_digit_in_the_same_colour_leaves_the_fiber_of_the_shape(shape, digits):
    same = colours(1, 0).expand(64, -1)
    features = shape.features(colorize(digits, same))
    assert rms(features - features.roll(1, 0)).min() > 0.3 * null(features)


def test_the_gradient_of_the_shape_ignores_nothing_but_colour(shape, digits):
    c = colours(8, 3).requires_grad_()
    m = digits[:8].clone().requires_grad_()
    target = shape.features(digits[8:16].expand(-1, 3, -1, -1)).detach()
    (shape.features(colorize(m, c)) - target).square().sum().backward()
    assert m.grad.flatten(1).norm(dim=1).min() > 0
    noise = Noise([0]).normal((8, 3))[0]
    assert (c.grad * noise).sum().abs() < 0.05 * m.grad.norm()
