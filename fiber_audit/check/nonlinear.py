"""Problems whose fibers are curved or in several parts, with exact draws of the truth.

If x ~ p, then x given phi(x) = h has, along the fiber, the density of the coarea formula,

    p(x | h)  proportional to  p(x) / sqrt(det J J'),    J the Jacobian of phi at x.

A good sampler reaches the fiber, visits every part of it, and gives each part its weight.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor, nn

from ..contracts import Extractor, Problem
from ..schedule import over
from .gaussian import ExactPrior


class _MixtureDenoiser(nn.Module):
    """E[x_0 | x_t] of a Gaussian mixture, through the eigenbases of its covariances."""

    weights: Tensor
    means: Tensor
    bases: Tensor
    variances: Tensor

    def __init__(self, weights: Tensor, means: Tensor, covariances: Tensor) -> None:
        super().__init__()
        variances, bases = torch.linalg.eigh(covariances.double())
        self.register_buffer("weights", weights.float())
        self.register_buffer("means", means.float())
        self.register_buffer("bases", bases.float())
        self.register_buffer("variances", variances.float())

    def forward(self, x_t: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        a, s = over(alpha, x_t)[..., None], over(sigma, x_t)[..., None]
        spread = a**2 * self.variances + s**2
        centred = x_t[:, None] - a * self.means
        # elementwise sums, not matmul: rows must not depend on the batch size
        coordinates = (centred[..., None] * self.bases).sum(2)
        log = self.weights.log() - 0.5 * (coordinates**2 / spread + spread.log()).sum(2)
        shrunk = a * self.variances / spread * coordinates
        each = self.means + (shrunk[:, :, None] * self.bases).sum(3)
        return (log.softmax(1)[..., None] * each).sum(1)


class MixturePrior(ExactPrior):
    """The exact denoiser of a mixture: weights (k,), means (k, d), covariances (k, d, d)."""

    def __init__(
        self,
        weights: Tensor,
        means: Tensor,
        covariances: Tensor,
        schedule: Literal["vp", "flow"] = "vp",
    ) -> None:
        denoiser = _MixtureDenoiser(weights, means, covariances)
        super().__init__(denoiser, means.shape[1], schedule)
        self.weights, self.means = weights.double(), means.double()
        self.covariances = covariances.double()

    def density(self, x: Tensor) -> Tensor:
        """p(x), (n, d) -> (n,) float64."""
        normal = torch.distributions.MultivariateNormal(self.means, self.covariances)
        return (self.weights.log() + normal.log_prob(x.double()[:, None])).exp().sum(1)

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Exact draws, (n, d) float64."""
        k = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        z = torch.randn(n, self.means.shape[1], dtype=torch.float64, generator=generator)
        return self.means[k] + (torch.linalg.cholesky(self.covariances)[k] @ z[..., None])[..., 0]


class FormulaExtractor(Extractor):
    """phi by a formula or a small network: module maps (n, d) to (n, d_h)."""

    def __init__(self, module: nn.Module, d: int, d_h: int) -> None:
        self.network = module
        self.feature_size = d_h
        self.input_shape = (d,)

    def features(self, x: Tensor) -> Tensor:
        """(n, d) -> (n, d_h)."""
        features: Tensor = self.network(x)
        return features


REFERENCE = 20_000
"""Exact draws that stand for the truth."""
Exact = Callable[[int, torch.Generator], Tensor]
"""Draws of the truth: a number of draws and a generator -> (n, d) float64."""


@dataclass(frozen=True, eq=False)
class Law:
    """A prior, an extractor and a target whose fiber is known.

    exact draws from the truth. part says of each of (n, d) points in which part of the fiber it is:
    (n,) int64 in [0, parts).
    """

    name: str
    prior: MixturePrior
    extractor: Extractor
    target: Tensor
    exact: Exact
    part: Callable[[Tensor], Tensor]
    parts: int = 2

    def problem(self, n: int) -> Problem:
        """N draws for a query on the fiber."""
        query = self.exact(1, torch.Generator().manual_seed(0)).float()
        return Problem(
            self.extractor, self.prior, query.expand(n, -1), self.target.float().expand(n, -1)
        )

    def weights(self, x: Tensor) -> Tensor:
        """The share of points (n, d) in each part, (parts,) float64."""
        return torch.bincount(self.part(x), minlength=self.parts).double() / len(x)

    def distances(self, x: Tensor) -> tuple[float, float]:
        """Sliced W1 and total variation of the weights of the parts, of points x (n, d)."""
        off = (self.weights(x) - self.weights(self.truth)).abs().sum() / 2
        return sliced_w1(x, self.truth), float(off)

    def floor(self, n: int, repeats: int = 10) -> tuple[float, float]:
        """The mean of `distances` over sets of n exact draws."""
        sets = (self.exact(n, torch.Generator().manual_seed(1 + i)) for i in range(repeats))
        w1, tv = torch.tensor([self.distances(x) for x in sets]).mean(0).tolist()
        return w1, tv

    @cached_property
    def truth(self) -> Tensor:
        """Many exact draws, (REFERENCE, d)."""
        return self.exact(REFERENCE, torch.Generator().manual_seed(0))


def sliced_w1(x: Tensor, y: Tensor, slices: int = 64) -> float:
    """W1 between projections of points x (n, d) and y (m, d), a mean over random directions.

    The directions are always the same. Source: Bonneel et al., Sliced and Radon Wasserstein
    Barycenters of Measures, 2015.
    """
    generator = torch.Generator().manual_seed(0)
    directions = torch.randn(x.shape[1], slices, dtype=torch.float64, generator=generator)
    directions = directions / directions.norm(dim=0)
    levels = (torch.arange(len(x), dtype=torch.float64) + 0.5) / len(x)
    ours = (x.double() @ directions).sort(0).values
    theirs = (y.double() @ directions).sort(0).values[(levels * len(y)).long()]
    return float((ours - theirs).abs().mean())


def along(prior: MixturePrior, extractor: Extractor, branches: list[Tensor]) -> Exact:
    """Exact draws from a one-dimensional fiber, given as curves of points (m, d) each.

    A piece of a curve has the weight length x density / sqrt(det J J') at its middle, and a draw
    is uniform on its piece: exact as far as the pieces are short.
    """
    first = torch.cat([b[:-1] for b in branches]).double()
    last = torch.cat([b[1:] for b in branches]).double()
    middle = ((first + last) / 2).float().requires_grad_()
    value = extractor.features(middle)
    rows = [torch.autograd.grad(f.sum(), middle, retain_graph=True)[0] for f in value.unbind(1)]
    j = torch.stack(rows, dim=1).double()
    stretch = torch.linalg.det(j @ j.mT).sqrt()
    weights = (last - first).norm(dim=1) * prior.density(middle.detach()) / stretch

    def exact(n: int, generator: torch.Generator) -> Tensor:
        i = torch.multinomial(weights, n, replacement=True, generator=generator)
        u = torch.rand(n, 1, dtype=torch.float64, generator=generator)
        return first[i] + u * (last - first)[i]

    return exact


def between(prior: MixturePrior, matrix: Tensor, target: Tensor) -> Exact:
    """Exact draws of a mixture given matrix x = target: a mixture of the conditional Gaussians."""
    a, h = matrix.double(), target.double()
    s, mu = prior.covariances, prior.means
    spread = a @ s @ a.T
    gain = torch.linalg.solve(spread, a @ s).mT
    means = mu + (gain @ (h - mu @ a.T)[..., None])[..., 0]
    covariances = s - gain @ a @ s
    seen = torch.distributions.MultivariateNormal(mu @ a.T, spread).log_prob(h)
    weights = (prior.weights.log() + seen).softmax(0)
    values, vectors = torch.linalg.eigh(covariances)
    roots = vectors * values.clamp(min=0).sqrt()[:, None]

    def exact(n: int, generator: torch.Generator) -> Tensor:
        k = torch.multinomial(weights, n, replacement=True, generator=generator)
        z = torch.randn(n, mu.shape[1], dtype=torch.float64, generator=generator)
        return means[k] + (roots[k] @ z[..., None])[..., 0]

    return exact


def rejected(prior: MixturePrior, extractor: Extractor, target: Tensor, width: float) -> Exact:
    """Draws of any fiber by rejection: draws of the prior whose features are near the target.

    width is the deviation, in features, of the Gaussian that accepts; it is the only error.
    """

    @torch.no_grad()
    def exact(n: int, generator: torch.Generator) -> Tensor:
        kept: list[Tensor] = []
        while sum(map(len, kept)) < n:
            x = prior.draw(200_000, generator)
            squared = (extractor.features(x.float()) - target).double().square().sum(1)
            chance = torch.rand(len(x), dtype=torch.float64, generator=generator)
            kept.append(x[chance < (-squared / (2 * width**2)).exp()])
        return torch.cat(kept)[:n]

    return exact
