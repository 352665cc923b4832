"""The mixture of Gaussians: an exact velocity, and with every direction the moments of the data."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fiber_audit.fitting import Mixture


def test_the_velocity_of_a_mixture_is_the_gradient_of_its_density():
    rng = np.random.default_rng(0)
    mixture = Mixture(3, 4, 2).double()
    z = torch.from_numpy(rng.normal(size=(300, 4)) @ np.diag([2, 1, 0.5, 0.5]))
    classes = torch.arange(300) % 3
    mixture.measure(z + classes[:, None], classes)
    t, x = 0.6, torch.from_numpy(rng.normal(size=(5, 4))).requires_grad_(True)
    parts = []
    for c in range(3):
        own = mixture.variances[c] - mixture.rest[c]
        v = mixture.bases[c].T @ torch.diag(own) @ mixture.bases[c]
        v = (1 - t) ** 2 * (v + mixture.rest[c] * torch.eye(4)) + t**2 * torch.eye(4)
        mean = (1 - t) * mixture.means[c]
        parts.append(torch.distributions.MultivariateNormal(mean, v).log_prob(x))
    score = torch.autograd.grad(torch.logsumexp(torch.stack(parts), 0).sum(), x)[0]
    eps = -t * score
    told, shares = mixture(x.detach(), torch.full((5,), t, dtype=torch.float64))
    torch.testing.assert_close(told, eps - (x.detach() - t * eps) / (1 - t), atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(
        shares, torch.stack(parts, 1).softmax(1).detach(), atol=1e-6, rtol=1e-6
    )


def covariances(mixture):
    """Of each class, (classes, d, d)."""
    inner = torch.einsum("krd,kr,kre->kde", mixture.bases, mixture.variances, mixture.bases)
    left = torch.eye(inner.shape[1]) - torch.einsum("krd,kre->kde", mixture.bases, mixture.bases)
    return inner + mixture.rest[:, None, None] * left


@pytest.fixture
def classed():
    """(300, 6) of two classes, each half of them, that differ in mean, width and shape."""
    rng = np.random.default_rng(0)
    parts = [rng.normal(size=(150, 6)) @ rng.normal(size=(6, 6)) * width for width in (1, 3)]
    return torch.from_numpy(np.vstack([parts[0], parts[1] + 2])), torch.arange(300) // 150


def test_a_mixture_with_every_direction_has_the_mean_and_the_covariance_of_each_class(classed):
    z, classes = classed
    mixture = Mixture(2, 6, 5).double()
    mixture.measure(z, classes)
    for c, found in enumerate(covariances(mixture)):
        torch.testing.assert_close(mixture.means[c], z[classes == c].mean(0))
        torch.testing.assert_close(found, z[classes == c].T.cov(correction=0))


@pytest.mark.parametrize("shared", [0.3, 1.0])
def test_covariances_that_share_a_shape_keep_their_widths_and_their_mean(shared, classed):
    own, mixture = Mixture(2, 6, 5).double(), Mixture(2, 6, 5).double()
    own.measure(*classed)
    mixture.measure(*classed, shared)
    a, b = covariances(own), covariances(mixture)
    torch.testing.assert_close(b.mean(0), a.mean(0))
    widths = [x.diagonal(dim1=1, dim2=2).sum(1) for x in (a, b)]
    torch.testing.assert_close(*widths)
    shapes = [x / width[:, None, None] for x, width in zip((a, b), widths, strict=True)]
    apart = [(x[0] - x[1]).norm() for x in shapes]
    torch.testing.assert_close(apart[1], (1 - shared) * apart[0], atol=1e-9, rtol=1e-6)
