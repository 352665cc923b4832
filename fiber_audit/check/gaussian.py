"""Problems whose fibers are known in closed form.

If x ~ N(mu, S) and phi(x) = A x, then x given A x = h is Gaussian with

    mean  mu + S A' (A S A')^-1 (h - A mu)        covariance  S - S A' (A S A')^-1 A S .

A good sampler reaches the fiber *and* this law.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from ..contracts import Extractor, Prediction, Prior, Problem
from ..schedule import FlowSchedule, Schedule, VPSchedule, over


def linear_betas(steps: int = 1000, first: float = 1e-4, last: float = 0.02) -> VPSchedule:
    """The linear beta schedule of DDPM."""
    betas = torch.linspace(first, last, steps, dtype=torch.float64)
    return VPSchedule((1 - betas).cumprod(0))


class _GaussianDenoiser(nn.Module):
    """E[x_0 | x_t] = mu + a S (a^2 S + s^2 I)^-1 (x_t - a mu), through the eigenbasis of S."""

    mean: Tensor
    basis: Tensor
    variance: Tensor

    def __init__(self, mean: Tensor, covariance: Tensor) -> None:
        super().__init__()
        variance, basis = torch.linalg.eigh(covariance.double())
        self.register_buffer("mean", mean.float())
        self.register_buffer("basis", basis.float())
        self.register_buffer("variance", variance.clamp(min=0).float())

    def forward(self, x_t: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        a, s = over(alpha, x_t), over(sigma, x_t)
        gain = a * self.variance / (a**2 * self.variance + s**2)
        # elementwise sums, not matmul: rows must not depend on the batch size, bit for bit
        centred = x_t - a * self.mean
        coordinates = (centred[:, :, None] * self.basis).sum(1)
        return self.mean + ((gain * coordinates)[:, None, :] * self.basis).sum(2)


class ExactPrior(Prior):
    """A law of tables whose E[x_0 | x_t] is known: denoiser maps (x_t, alpha, sigma) to it."""

    clip = None
    data_range = None
    lossless = True

    def __init__(self, denoiser: nn.Module, d: int, schedule: Literal["vp", "flow"]) -> None:
        self.network = denoiser
        self.schedule: Schedule = linear_betas() if schedule == "vp" else FlowSchedule()
        self.state_shape = (d,)

    def predict(self, x_t: Tensor, t: Tensor) -> Prediction:
        """Exact E[x_0 | x_t] and the eps that belongs to it."""
        alpha, sigma = self.schedule.alpha(t), self.schedule.sigma(t)
        x0: Tensor = self.network(x_t, alpha, sigma)
        return Prediction(x0, (x_t - over(alpha, x_t) * x0) / over(sigma, x_t))

    def decode(self, state: Tensor) -> Tensor:
        """States are data."""
        return state

    def encode(self, x: Tensor) -> Tensor:
        """Data are states."""
        return x


class GaussianPrior(ExactPrior):
    """The exact denoiser of N(mean, covariance): mean (d,), covariance (d, d)."""

    def __init__(
        self, mean: Tensor, covariance: Tensor, schedule: Literal["vp", "flow"] = "vp"
    ) -> None:
        super().__init__(_GaussianDenoiser(mean, covariance), len(mean), schedule)
        self.mean, self.covariance = mean.double(), covariance.double()

    def conditional(self, matrix: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Mean (d,) and covariance (d, d) of x given matrix x = target (d_h,), float64."""
        a, s = matrix.double(), self.covariance
        gain = torch.linalg.solve(a @ s @ a.T, a @ s).T
        return self.mean + gain @ (target.double() - a @ self.mean), s - gain @ a @ s


class _Linear(nn.Module):
    matrix: Tensor

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        self.register_buffer("matrix", matrix.float())

    def forward(self, x: Tensor) -> Tensor:
        return (x[:, None, :] * self.matrix).sum(-1)


class LinearExtractor(Extractor):
    """phi(x) = A x with A (d_h, d): its fibers are affine subspaces."""

    def __init__(self, matrix: Tensor) -> None:
        self.network = _Linear(matrix)
        self.matrix = matrix
        self.feature_size = len(matrix)
        self.input_shape = (matrix.shape[1],)

    def features(self, x: Tensor) -> Tensor:
        """(n, d) -> (n, d_h)."""
        features: Tensor = self.network(x)
        return features


def gaussian_problem(
    n: int, d: int = 8, d_h: int = 3, seed: int = 0, schedule: Literal["vp", "flow"] = "vp"
) -> Problem:
    """N draws for one query of a random correlated Gaussian and a random linear phi."""
    generator = torch.Generator().manual_seed(seed)
    root = torch.randn(d, d, generator=generator) / d**0.5
    covariance = root @ root.T + 0.1 * torch.eye(d)
    mean = torch.randn(d, generator=generator)
    prior = GaussianPrior(mean, covariance, schedule)
    extractor = LinearExtractor(torch.randn(d_h, d, generator=generator) / d**0.5)
    white = torch.randn(d, generator=generator)
    query = mean + torch.linalg.cholesky(covariance) @ white
    target = extractor.features(query[None])
    return Problem(extractor, prior, query.expand(n, -1), target.expand(n, -1))


def wasserstein_to_gaussian(samples: Tensor, mean: Tensor, covariance: Tensor) -> float:
    """W2 between the Gaussian fitted to samples (n, d) and N(mean, covariance), float64.

    W2^2 = |m - mean|^2 + tr(C) + tr(covariance) - 2 tr((covariance^1/2 C covariance^1/2)^1/2).
    """
    x = samples.double()
    fitted = torch.cov(x.T)
    values, vectors = torch.linalg.eigh(covariance)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    cross = torch.linalg.eigvalsh(root @ fitted @ root).clamp(min=0).sqrt().sum()
    squared = (x.mean(0) - mean).square().sum() + fitted.trace() + covariance.trace() - 2 * cross
    return float(squared.clamp(min=0).sqrt())
