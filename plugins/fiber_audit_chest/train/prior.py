"""The prior: flow matching on principal components, each picture either way round.

Dropout keeps it from reciting and makes its draws too narrow, by a tenth or so: that is measured on
draws, and made up for by the scale of the components.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from fiber_audit.fitting import Say, train_averaged

from ..velocity import Components, Velocity

BATCH = 256
STEPS = 5_000
DROPOUT = 0.1
CALIBRATION = 2_000


def errors(
    net: Velocity, parts: Components, z: Tensor, weight: Tensor, g: torch.Generator
) -> Tensor:
    """(n,): squared error of the velocity, at middle times more often than at others.

    Half of the pictures are mirrored, and half of all are shown without saying which.
    """
    facing = torch.randint(2, (len(z),), generator=g).mul(2).sub(1).float()
    z = torch.where(facing[:, None] < 0, z * parts.parity, z)
    told = facing * torch.randint(2, (len(z),), generator=g)
    noise = torch.randn(z.shape, generator=g)
    t = torch.randn(len(z), generator=g).mul(1.2).sigmoid()
    z_t = torch.lerp(z, noise, t[:, None])
    return ((net(z_t, t, told) - (noise - z)).square() * weight).mean(1)


def train_prior(x: Tensor, held_out: Tensor, seed: int, say: Say) -> tuple[Components, Velocity]:
    """From masked radiographs (n, 1, 28, 28) in [0, 1]: components, and the averaged network.

    Coarse components count for more in the error than fine ones, by the root of their deviation.
    """
    parts = Components()
    parts.measure(x)
    weight = parts.std.sqrt() / parts.std.sqrt().mean()
    z, z_held = parts.encode(x), parts.encode(held_out).repeat(4, 1)

    def loss(net: Velocity, g: torch.Generator) -> Tensor:
        index = torch.randint(len(z), (BATCH,), generator=g)
        return errors(net, parts, z[index], weight, g).mean()

    @torch.no_grad()
    def check(net: Velocity) -> str:
        seen, held = (
            errors(net, parts, some, weight, torch.Generator().manual_seed(1)).mean()
            for some in (z[: len(z_held)], z_held)
        )
        return f"seen {seen:.4f} held out {held:.4f}"

    net = train_averaged(
        lambda: Velocity(dropout=DROPOUT), loss, STEPS, say, seed=seed, check=check
    )
    calibrate(parts, net, torch.Generator().manual_seed(seed))
    return parts, net


@torch.no_grad()
def calibrate(parts: Components, net: Velocity, g: torch.Generator) -> None:
    """Give draws of both sides the mean and deviation of the data, component by component."""
    z = torch.randn(CALIBRATION, len(parts.std), generator=g)
    both = torch.zeros(CALIBRATION)
    for t, s in pairwise(torch.linspace(1, 0, 51).tolist()):
        z = z + (s - t) * net(z, torch.full_like(both, t), both)
    parts.std /= z.std(0)
    parts.mean -= (torch.where(parts.parity > 0, z.mean(0), 0.0) * parts.std) @ parts.basis
