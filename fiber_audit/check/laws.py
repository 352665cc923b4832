"""The named laws: curved fibers, fibers in several parts, and a network with rejection as truth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from .gaussian import LinearExtractor
from .nonlinear import FormulaExtractor, Law, MixturePrior, along, between, rejected

On = Literal["vp", "flow"]


class _Norm(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return (x.square().sum(1, keepdim=True) + 1e-12).sqrt()


class _Product(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x[:, :1] * x[:, 1:2]


class _Banana(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x[:, :1].square() + 0.5 * x[:, 1:2]


class _NormAndSum(nn.Module):
    """|x| and the sum of the coordinates: the fiber in three dimensions is a circle."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([_Norm()(x), x.sum(1, keepdim=True)], dim=1)


def _gaussian(mean: list[float], spread: list[float], schedule: On) -> MixturePrior:
    covariance = torch.diag(torch.tensor(spread).square())
    return MixturePrior(torch.ones(1), torch.tensor([mean]), covariance[None], schedule)


def _first_is_positive(x: Tensor) -> Tensor:
    return (x[:, 0] > 0).long()


def _circle(radius: float) -> Tensor:
    angle = torch.linspace(0, 2 * torch.pi, 4001, dtype=torch.float64)
    return radius * torch.stack([angle.cos(), angle.sin()], dim=1)


def ring(schedule: On = "vp") -> Law:
    """The norm |x| under a Gaussian: two arcs, a third of the draws in one."""
    prior = _gaussian([0.15, 0.0], [1.0, 0.5], schedule)
    phi = FormulaExtractor(_Norm(), 2, 1)
    exact = along(prior, phi, [_circle(2.4)])
    return Law("ring", prior, phi, torch.tensor([2.4]), exact, _first_is_positive)


def product(schedule: On = "vp") -> Law:
    """The product x1 x2: two branches of a hyperbola, a fifth of the draws on one."""
    prior = _gaussian([0.4, 0.3], [1.0, 1.0], schedule)
    phi = FormulaExtractor(_Product(), 2, 1)
    x = torch.logspace(-1.6, 1.2, 4001, base=10, dtype=torch.float64)
    branch = torch.stack([x, 1 / x], dim=1)
    exact = along(prior, phi, [branch, -branch])
    return Law("product", prior, phi, torch.ones(1), exact, _first_is_positive)


def banana(schedule: On = "vp") -> Law:
    """The bend x1^2 + x2 / 2: a parabola, in one part with two ends."""
    prior = _gaussian([0.3, 0.0], [1.0, 1.0], schedule)
    phi = FormulaExtractor(_Banana(), 2, 1)
    x = torch.linspace(-4, 4, 8001, dtype=torch.float64)
    curve = torch.stack([x, 2 * (1.5 - x**2)], dim=1)
    exact = along(prior, phi, [curve])
    return Law("banana", prior, phi, torch.tensor([1.5]), exact, _first_is_positive)


def three_arcs(schedule: On = "vp") -> Law:
    """The norm |x| under three bumps of unequal weight on the ring."""
    angle = torch.tensor([0.3, 2.2, 4.4])
    means = 1.5 * torch.stack([angle.cos(), angle.sin()], dim=1)
    prior = MixturePrior(
        torch.tensor([0.55, 0.3, 0.15]), means, 0.16 * torch.eye(2).expand(3, 2, 2), schedule
    )
    phi = FormulaExtractor(_Norm(), 2, 1)
    exact = along(prior, phi, [_circle(1.7)])

    def part(x: Tensor) -> Tensor:
        return (x.double() @ means.double().T).argmax(1)

    return Law("three-arcs", prior, phi, torch.tensor([1.7]), exact, part, parts=3)


def circle(schedule: On = "vp") -> Law:
    """The norm |x| and the sum of x in three dimensions: two features, a circle in space."""
    prior = _gaussian([0.4, 0.0, -0.2], [1.0, 0.6, 0.8], schedule)
    phi = FormulaExtractor(_NormAndSum(), 3, 2)
    u = torch.tensor([1.0, -1.0, 0.0], dtype=torch.float64) / 2**0.5
    v = torch.tensor([1.0, 1.0, -2.0], dtype=torch.float64) / 6**0.5
    radius, total = 1.6, 0.6
    centre = torch.full((3,), total / 3, dtype=torch.float64)
    flat = _circle((radius**2 - total**2 / 3) ** 0.5)
    exact = along(prior, phi, [centre + flat @ torch.stack([u, v])])
    return Law("circle", prior, phi, torch.tensor([radius, total]), exact, _first_is_positive)


def two_bumps(schedule: On = "vp") -> Law:
    """A mixture of two in two dimensions and one linear feature: a sixth of the draws in one."""
    means = torch.tensor([[-1.2, 0.9], [1.2, -0.9]])
    prior = MixturePrior(
        torch.tensor([0.5, 0.5]), means, 0.25 * torch.eye(2).expand(2, 2, 2), schedule
    )
    phi = LinearExtractor(torch.tensor([[1.0, 1.0]]))
    target = torch.tensor([1.2])
    exact = between(prior, phi.matrix, target)
    return Law("two-bumps", prior, phi, target, exact, _first_is_positive)


def four_bumps(schedule: On = "vp") -> Law:
    """A mixture of four in eight dimensions, three linear features, almost all in one bump."""
    g = torch.Generator().manual_seed(3)
    means = 1.5 * torch.randn(4, 8, generator=g)
    roots = torch.randn(4, 8, 8, generator=g) / 8**0.5
    covariances = 0.2 * roots @ roots.mT + 0.1 * torch.eye(8)
    prior = MixturePrior(torch.tensor([0.1, 0.2, 0.3, 0.4]), means, covariances, schedule)
    phi = LinearExtractor(torch.randn(3, 8, generator=g) / 8**0.5)
    target = phi.features(means[1:2] + 0.3 * torch.randn(1, 8, generator=g))[0]
    exact = between(prior, phi.matrix, target)

    def part(x: Tensor) -> Tensor:
        return torch.cdist(x.double(), means.double()).argmin(1)

    return Law("four-bumps", prior, phi, target, exact, part, parts=4)


def network(schedule: On = "vp", seed: int = 4) -> Law:
    """A random network of three inputs under a mixture; the truth is found by rejection."""
    g = torch.Generator().manual_seed(seed)
    means = torch.randn(2, 3, generator=g)
    prior = MixturePrior(
        torch.tensor([0.4, 0.6]), means, 0.4 * torch.eye(3).expand(2, 3, 3), schedule
    )
    module = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 1))
    for parameter in module.parameters():
        scale = 1.2 if parameter.ndim > 1 else 0.5
        parameter.data = scale * torch.randn(parameter.shape, generator=g)
    phi = FormulaExtractor(module.requires_grad_(False), 3, 1)
    values = phi.features(prior.draw(20_000, g).float())
    target = values.quantile(0.8, dim=0)
    exact = rejected(prior, phi, target, 0.02 * float(values.std()))
    middle = means.double().mean(0)
    across = (means[1] - means[0]).double()

    def part(x: Tensor) -> Tensor:
        return ((x.double() - middle) @ across > 0).long()

    return Law("network", prior, phi, target, exact, part)


LAWS: dict[str, Callable[[On], Law]] = {
    "ring": ring,
    "product": product,
    "two-bumps": two_bumps,
    "four-bumps": four_bumps,
    "banana": banana,
    "three-arcs": three_arcs,
    "circle": circle,
    "network": network,
}
"""Name -> the law on a schedule."""
