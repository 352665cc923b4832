"""The prior: a mixture of Gaussians is measured, and a network learns what it lacks.

The training is short: longer ones lower the error on held-out pictures, too, but their draws are
worse (the model card has the numbers). Dropout, and steps that are not small, make draws too narrow
by some hundredths: that is measured on draws of as many steps as are usual, and made up for by the
scale of the components.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from fiber_audit.fitting import Say, train_averaged

from ..components import COMPONENTS, Components
from ..velocity import Velocity
from .recipes import Radiographs

BATCH, STEPS, DROPOUT = 256, 1_500, 0.1
CALIBRATION, TIMES = 2_000, 51


def errors(net: Velocity, z: Tensor, weight: Tensor, g: torch.Generator) -> Tensor:
    """(n,): squared error of the velocity, at middle times more often than at others.

    Half of the pictures are shown as usual ones, half to the law of both sides, as they are or
    mirrored.
    """
    either = torch.rand(len(z), generator=g) < 0.5
    turn = either & (torch.rand(len(z), generator=g) < 0.5)
    z = torch.where(turn[:, None], z * net.gaussians.parity, z)
    noise = torch.randn(z.shape, generator=g)
    t = torch.randn(len(z), generator=g).mul(1.2).sigmoid()
    z_t = torch.lerp(z, noise, t[:, None])
    found = torch.empty_like(z)
    for law in (False, True):
        mine = either == law
        some = z_t[mine], t[mine]
        known, shares = net.gaussians(*some, law)
        found[mine] = known + net.lacking(*some, known, shares, law)
    return ((found - (noise - z)).square() * weight).mean(1)


def train_prior(
    seen: Radiographs,
    held_out: Radiographs,
    seed: int,
    say: Say,
    steps: int = STEPS,
    components: int = COMPONENTS,
) -> tuple[Components, Velocity]:
    """The components, and the averaged network.

    Coarse components count for more in the error than fine ones, by the root of their deviation.
    """
    parts = Components(components, seen.size)
    parts.measure(seen.x)
    weight = parts.std.sqrt() / parts.std.sqrt().mean()
    z, z_held = parts.encode(seen.x), parts.encode(held_out.x).repeat(4, 1)

    def build() -> Velocity:
        net = Velocity(dropout=DROPOUT, components=components)
        net.gaussians.measure(z, seen.labels, parts.parity)
        return net

    def loss(net: Velocity, g: torch.Generator) -> Tensor:
        index = torch.randint(len(z), (BATCH,), generator=g)
        return errors(net, z[index], weight, g).mean()

    @torch.no_grad()
    def check(net: Velocity) -> str:
        a, b = (
            errors(net, some, weight, torch.Generator().manual_seed(1)).mean()
            for some in (z[: len(z_held)], z_held)
        )
        return f"seen {a:.4f} held out {b:.4f}"

    net = train_averaged(build, loss, steps, say, seed=seed, check=check)
    calibrate(parts, net, torch.Generator().manual_seed(seed))
    return parts, net


@torch.no_grad()
def calibrate(parts: Components, net: Velocity, g: torch.Generator) -> None:
    """Give draws of both sides the mean and deviation of the data, component by component."""
    z = torch.randn(CALIBRATION, len(parts.std), generator=g)
    for t, s in pairwise(torch.linspace(1, 0, TIMES).tolist()):
        z = z + (s - t) * net(z, z.new_full((len(z),), t), either=True)
    parts.std /= z.std(0)
    parts.mean -= (torch.where(parts.parity > 0, z.mean(0), 0.0) * parts.std) @ parts.basis
