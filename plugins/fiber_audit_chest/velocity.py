"""The network of the priors: a mixture of Gaussians says what it can, and blocks correct it."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from fiber_audit.fitting import Mixture, ResidualBlock

from .components import COMPONENTS

LABELS, GROUPS = 2, 2
"""Gaussians of each label: of the half of its chests that is near its mean, and of the other."""
SHARED = 0.6
"""How far each covariance is drawn to the mean one of its label: some are of 600 pictures."""
FREQUENCIES = 32


class Gaussians(nn.Module):
    """The exact velocity where chests of each label are a mixture of Gaussians.

    One Gaussian of so many components has its draws all alike far from the mean, and chests are
    not: so a label has two, of any covariance. Mirrored chests are the same under other signs of
    the odd components, so that the law of both sides is exactly symmetric, and knows of a state
    how likely it shows which side.
    """

    frequent: Tensor
    parity: Tensor

    def __init__(self, components: int = COMPONENTS) -> None:
        super().__init__()
        made = (Mixture(GROUPS, components, components - 1) for _ in range(LABELS))
        self.labels = nn.ModuleList(made)
        self.register_buffer("frequent", torch.full((LABELS,), 1 / LABELS))
        self.register_buffer("parity", torch.ones(components))

    def measure(self, z: Tensor, labels: Tensor, parity: Tensor) -> None:
        """From components (n, 192) of chests as they usually face, and their labels (n,)."""
        for label, mixture in enumerate(self._mixtures()):
            mine = z[labels == label]
            far = (mine - mine.mean(0)).square().sum(1)
            mixture.measure(mine, far.argsort().argsort() * GROUPS // len(mine), SHARED)
        self.frequent.copy_(labels.bincount(minlength=LABELS) / len(labels))
        self.parity.copy_(parity)

    def forward(self, z: Tensor, t: Tensor, either: bool) -> tuple[Tensor, Tensor]:
        """(n, 192), times (n,) in [0, 1] -> velocity (n, 192), and shares of Gaussians (n, 8).

        either: mirrored chests are drawn, too. Their shares come last, and are 0 if not.
        """
        velocities, log = self._usual(z, t)
        if not either:
            shares = log.softmax(1)
            v = torch.einsum("nc,ncd->nd", shares, velocities)
            return v, torch.cat([shares, torch.zeros_like(shares)], dim=1)
        others, log_others = self._usual(z * self.parity, t)
        shares = torch.cat([log, log_others], dim=1).softmax(1)
        both = torch.cat([velocities, others * self.parity], dim=1)
        return torch.einsum("nc,ncd->nd", shares, both), shares

    def _mixtures(self) -> list[Mixture]:
        return [part for part in self.labels if isinstance(part, Mixture)]

    def _usual(self, z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Each Gaussian of chests as they usually face: velocity (n, 4, 192), log density."""
        found = [mixture.by_class(z, t) for mixture in self._mixtures()]
        logs = [log + share.log() for (_, log), share in zip(found, self.frequent, strict=True)]
        return torch.cat([v for v, _ in found], dim=1), torch.cat(logs, dim=1)


class Velocity(nn.Module):
    """v(z_t, t) = E[eps - z | z_t] of normalised components z; one network, two laws.

    either: of chests of both sides alike, or, if not, as they usually face.
    """

    def __init__(
        self,
        width: int = 384,
        depth: int = 4,
        dropout: float = 0.0,
        components: int = COMPONENTS,
    ) -> None:
        super().__init__()
        self.gaussians = Gaussians(components)
        told = 2 * FREQUENCIES + 2 * LABELS * GROUPS + 1
        self.condition = nn.Sequential(
            nn.Linear(told, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU()
        )
        self.inlet = nn.Linear(2 * components, width)
        self.blocks = nn.ModuleList(ResidualBlock(width, dropout) for _ in range(depth))
        last = nn.Linear(width, components)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.outlet = nn.Sequential(nn.LayerNorm(width), nn.SiLU(), last)

    def forward(self, z: Tensor, t: Tensor, either: bool) -> Tensor:
        """(n, 192), times (n,) in [0, 1] (1 = noise) -> (n, 192).

        Of both sides: what blocks say of a state and of its mirror image, mirrored back, is
        averaged, so that the law is exactly symmetric.
        """
        known, shares = self.gaussians(z, t, either)
        if not either:
            return known + self.lacking(z, t, known, shares, either)
        turn = self.gaussians.parity
        turned = z * turn, t, known * turn, shares.roll(shares.shape[1] // 2, 1)
        z, t, both, shares = map(torch.cat, zip((z, t, known, shares), turned, strict=True))
        a, b = self.lacking(z, t, both, shares, either).chunk(2)
        return known + (a + b * turn) / 2

    def lacking(
        self,
        z: Tensor,
        t: Tensor,
        known: Tensor,
        shares: Tensor,
        either: bool,
    ) -> Tensor:
        """What the velocity of the Gaussians lacks, by the blocks alone."""
        frequency = torch.exp(torch.linspace(0, math.log(300), FREQUENCIES, device=z.device))
        angle = t[:, None] * frequency
        told = [angle.sin(), angle.cos(), shares, torch.full_like(t, either)[:, None]]
        condition = self.condition(torch.cat(told, dim=1))
        hidden = self.inlet(torch.cat([z, known], dim=1))
        for block in self.blocks:
            hidden = block(hidden, condition)
        found: Tensor = self.outlet(hidden)
        return found
