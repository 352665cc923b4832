"""mlf: a multilevel flow, whose coarse dimensions are the features and whose rest is free.

    (u, v) = f(z)                    u, the coarse level, as many dimensions as features
    zeta = (r(u - P h; h), d(v; u, h))
    G(zeta; h): u = P h + r^-1(zeta_u; h), v = d^-1(zeta_v; u, h), z = f^-1(u, v)

f knows nothing of h: it has to find in z what the features say of it, and the supervised term
holds it to that.

    loss = -log p(z | h) + w |u - P h|

Three choices are ours, where the source leaves room. It has four flows; ours are three, since a
fourth, on u alone, is no more than the last blocks of f. The density of the coarse level is that of
what it misses the features by, so that being precise is easy. P is the identity where u has as many
dimensions as h; where the state is too small for that, P h are the leading principal components of
the training data's features. h enters three times: as the goal of u, and beside the halves that the
couplings of r and d leave alone.

Source: Rousselot, Wendebourg, Köthe, arXiv 2603.21782: blocks = 20 in each, width = 512,
coarse = 48 of 54, learning_rate = 1e-3, batch = 512, 250 epochs. Images are flattened.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fiber_audit import UsageError
from fiber_audit.contracts import Count, NonNegative, NonNegativeInt, Positive

from .coupling import Flow, all_in_one, split_of
from .generator import Generator
from .nf import FlowGenerator
from .sampler import Conditional


class Levels(nn.Module):
    """f, then r on the coarse level and d on the rest; exact backwards.

    Args:
        f: states to (u, v), unconditional.
        r: what u misses P h by to noise, given h.
        d: v to noise, given (u, h).
        coarse: dimensions of u.
        features: dimensions of h, as many or more.
    """

    projection: Tensor

    def __init__(self, f: Flow, r: Flow, d: Flow, coarse: int, features: int) -> None:
        super().__init__()
        self.f, self.r, self.d = f, r, d
        self.coarse = coarse
        self.register_buffer("projection", torch.eye(coarse, features))

    def forward(self, z: Tensor, h: Tensor, backwards: bool = False) -> tuple[Tensor, Tensor]:
        """(n, size) -> the other side and log |det| of the step taken, (n,)."""
        if not backwards:
            y, j_f = self.f(z)
            zeta, j = self.noise_of(y, h)
            return zeta, j_f + j
        zeta_u, zeta_v = self.parts(z)
        missed, j_r = self.r(zeta_u, h, backwards=True)
        u = self.goal(h) + missed
        v, j_d = self.d(zeta_v, torch.cat([u, h], 1), backwards=True)
        state, j_f = self.f(torch.cat([u, v], 1), backwards=True)
        return state, j_f + j_r + j_d

    def noise_of(self, y: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Both levels (u, v) -> zeta and log |det|."""
        u, v = self.parts(y)
        zeta_u, j_r = self.r(u - self.goal(h), h)
        zeta_v, j_d = self.d(v, torch.cat([u, h], 1))
        return torch.cat([zeta_u, zeta_v], 1), j_r + j_d

    def parts(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """The coarse level and the rest."""
        return y[:, : self.coarse], y[:, self.coarse :]

    def goal(self, h: Tensor) -> Tensor:
        """P h, (n, coarse)."""
        return h @ self.projection.T


class MultilevelGenerator(FlowGenerator):
    """p(z | h), level by level.

    Args:
        network: see `Levels`.
        state_shape: shape of one state.
        weight: w, how much the regression counts beside the likelihood in nats.
    """

    network: Levels

    def __init__(self, network: Levels, state_shape: tuple[int, ...], weight: float) -> None:
        super().__init__(network, state_shape)
        self.weight = weight

    def prepare(self, z: Tensor, h: Tensor) -> None:
        """Choose the directions of h that the coarse level regresses, if it cannot have all."""
        coarse, features = self.network.projection.shape
        if coarse < features:
            _, directions = torch.linalg.eigh(h.T.cov())  # ascending
            self.network.projection.copy_(directions[:, -coarse:].T)

    def loss(self, z: Tensor, h: Tensor, generator: torch.Generator) -> Tensor:
        """Likelihood and regression."""
        y, j_f = self.network.f(z.flatten(1))
        zeta, j = self.network.noise_of(y, h)
        missed = self.network.parts(y)[0] - self.network.goal(h)
        return zeta.square().sum(1) / 2 - j_f - j + self.weight * missed.norm(dim=1)


@dataclass(frozen=True, kw_only=True)
class MultilevelFlow(Conditional):
    """A flow in two levels: a coarse one that regresses the features, and the rest given it.

    Args:
        blocks: coupling blocks of each of its three flows.
        width: width of the hidden layer of each block's subnetwork.
        coarse: dimensions of the coarse level, fewer than a state has and no more than there are
            features; 0 takes as many as there are features, but leaves one in nine.
        regression_weight: weight of the distance between the coarse level and the features.
    """

    blocks: Count = 8
    width: Count = 192
    coarse: NonNegativeInt = 0
    regression_weight: NonNegative = 10.0
    learning_rate: Positive = 3e-3
    clip_norm: Positive = 3.0

    def build(self, state_shape: tuple[int, ...], features: int) -> Generator:
        """All three flows, at first rotations."""
        size = math.prod(state_shape)
        coarse = split_of(self.coarse, size, features, "coarse")
        if coarse > features:
            raise UsageError(
                f"coarse = {coarse}: the coarse level stands for the features, of which "
                f"there are {features}; choose at most as many."
            )
        f = all_in_one(size, 0, self.blocks, self.width)
        r = all_in_one(coarse, features, self.blocks, self.width)
        d = all_in_one(size - coarse, coarse + features, self.blocks, self.width)
        levels = Levels(f, r, d, coarse, features)
        return MultilevelGenerator(levels, state_shape, self.regression_weight)
