"""Generators that walk from noise to data: what the diffusion and the flow share.

Notation, beside that of `generator.py`

    t      time, 1 is noise and 0 is data, (n,)
    z_t    alpha(t) z + sigma(t) eps, a noisy state; eps is standard normal
    x0     the network's E[z | z_t, h]

The paper trains these without a fiber loss, since a draw takes many evaluations. Here are two:

    estimate   of x0 at a noisy version of the row's own z, one evaluation, weighted by
               alpha^2 / (alpha^2 + sigma^2): the share that z_t knows of a z of unit variance.
               Where that is little, x0 is a mean of many draws, and no draw itself.
    sampler    of the end of a walk from noise, through its last few steps; those before are taken
               as they come (Clark et al., "Directly Fine-Tuning Diffusion Models on Differentiable
               Rewards", ICLR 2024, DRaFT-K). The walk has to be as good as that of a draw: through
               all of four steps, the loss of those falls, but not that of draws.

With feedback the network is shown its own estimate before, x0', and what that one lacks,

    h,   asinh((h - phi(decode(x0'))) / RESOLUTION),   x0'

which is a function of what it knows: the law that it learns is the same, but it sees where it errs.
In a draw x0' is that of the step before, zeros in the first; in training half of a batch has zeros,
a quarter that of a first pass, and a quarter that of a second (self-conditioning: Chen, Zhang,
Hinton, "Analog Bits", ICLR 2023, who stop at the first: shown no second one, a network mends it as
if it were a first, which shows halfway through a draw). No gradient goes through what it is shown.
phi is evaluated once for every step but the first.
"""
# options are read from real annotations, so they are not postponed here

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from fiber_audit.contracts import Count, NonNegativeInt, Positive, Prediction
from fiber_audit.sampling import Schedule, noise_of, over, step

from .generator import Fresh, Generator, normal
from .mlp_network import ConditionalMLP
from .sampler import Conditional
from .unet import ConditionalUNet

GRID = 2.0
"""The power of the time grid in fits that do not say it."""
RESOLUTION = 0.05
"""Of what an estimate lacks, in deviations of a feature: linear below it, logarithmic above."""


class Denoiser(Generator):
    """Learns E[z | z_t, h] at all noise levels.

    Args:
        network: z_t, t, h -> what it predicts, shaped like z_t.
        state_shape: shape of one state.
        options: how it learns and walks.
    """

    schedule: Schedule
    features_of: Callable[[Tensor], Tensor]

    def __init__(
        self, network: nn.Module, state_shape: tuple[int, ...], options: "Denoising"
    ) -> None:
        super().__init__()
        self.network, self.state_shape = network, state_shape
        self.feedback = options.feedback
        self.power = options.power
        self.error, self.steps = options.error, options.steps
        self.through = options.fiber_through
        self.fiber_steps, self.fiber_last = options.fiber_steps, options.fiber_last

    @abstractmethod
    def times(self, n: int, generator: torch.Generator) -> Tensor:
        """Times of the loss, (n,) float32 in (0, 1], where the generator is."""

    @abstractmethod
    def goal(self, z: Tensor, eps: Tensor, t: Tensor) -> Tensor:
        """What the network should say of z_t."""

    @abstractmethod
    def read(self, z_t: Tensor, t: Tensor, said: Tensor) -> Prediction:
        """E[z | z_t, h] and E[eps | z_t, h] from what the network said."""

    def meet(self, features_of: Callable[[Tensor], Tensor]) -> None:
        """Keep the map from z to its h, for feedback."""
        self.features_of = features_of

    def begin(self, weights: Mapping[str, Tensor]) -> None:
        """Take over a fit; from one without feedback, what is shown counts nothing at first."""
        name = "network.features.weight"
        own, other = self.state_dict()[name], weights.get(name)
        if self.feedback and other is not None and other.shape[1] < own.shape[1]:
            more = own.shape[1] - other.shape[1]
            weights = {**weights, name: nn.functional.pad(other, (0, more))}
        super().begin(weights)

    def predict(
        self, z_t: Tensor, t: Tensor, h: Tensor, before: Tensor | None = None
    ) -> Prediction:
        """E[z | z_t, h] and E[eps | z_t, h], by one evaluation of the network.

        before: an earlier E[z | z_t, h], which counts with feedback alone.
        """
        return self.read(z_t, t, self.network(z_t, t, self.told(h, before)))

    @torch.no_grad()
    def told(self, h: Tensor, before: Tensor | None = None) -> Tensor:
        """What the network is told: h, and with feedback what it is shown of an estimate."""
        if not self.feedback:
            return h
        if before is None:
            return nn.functional.pad(h, (0, h.shape[1] + prod(self.state_shape)))
        lacks = torch.asinh((h - self.features_of(before)) / RESOLUTION)
        return torch.cat([h, lacks, before.flatten(1)], dim=1)

    def noisy(self, z: Tensor, eps: Tensor, t: Tensor) -> Tensor:
        """z_t of these states and this noise."""
        return over(self.schedule.alpha(t), z) * z + over(self.schedule.sigma(t), z) * eps

    def loss(self, z: Tensor, h: Tensor, generator: torch.Generator) -> Tensor:
        """Error of what the network says at a random time."""
        t, eps = self.times(len(z), generator), normal(z, generator)
        z_t = self.noisy(z, eps, t)
        wrong = self.network(z_t, t, self._told_some(z_t, t, h)) - self.goal(z, eps, t)
        norm = wrong.flatten(1).norm(dim=1)
        return norm if self.error == "norm" else norm.square()

    def fresh(self, z: Tensor, h: Tensor, generator: torch.Generator) -> Fresh:
        """What the fiber loss looks at: see the head of this file."""
        if self.through == "sampler":
            end = self.walked(normal(z, generator), h, self.fiber_steps, self.fiber_last)
            return Fresh(end, torch.ones_like(h[:, 0]))
        t, eps = self.times(len(z), generator), normal(z, generator)
        z_t = self.noisy(z, eps, t)
        before = self._asked(z_t, t, self.told(h)) if self.feedback else None
        x0 = self.predict(z_t, t, h, before).x0
        known = self.schedule.alpha(t).square()
        return Fresh(x0, known / (known + self.schedule.sigma(t).square()))

    def _told_some(self, z_t: Tensor, t: Tensor, h: Tensor) -> Tensor:
        """What a batch is told: half of no estimate, a quarter of a first, the rest of a second."""
        told = self.told(h)
        for share in (2, 4) if self.feedback else ():
            some = slice(len(h) // share)
            told[some] = self.told(h[some], self._asked(z_t[some], t[some], told[some]))
        return told

    @torch.no_grad()
    def _asked(self, z_t: Tensor, t: Tensor, told: Tensor) -> Tensor:
        return self.read(z_t, t, self.network(z_t, t, told)).x0

    @property
    def noise_shape(self) -> tuple[int, ...]:
        """A noisy state's."""
        return self.state_shape

    def draw(self, zeta: Tensor, h: Tensor) -> Tensor:
        """One walk per row."""
        return self.walked(zeta, h, self.steps)

    def walked(self, eps: Tensor, h: Tensor, steps: int, last: int | None = None) -> Tensor:
        """From noise (n, *state_shape) to data; differentiable, through the last steps or all.

        x0 is extrapolated to the middle of a step, in log(alpha / sigma), from the step before:
        Lu et al., "DPM-Solver++", 2022, the multistep solver of second order.
        """
        times = self.schedule.times(steps, self.power)
        z, before, r = over(self.schedule.sigma(times[0]), eps) * eps, None, times[0]
        learns = torch.is_grad_enabled()
        for left, (t, s) in zip(range(steps, 0, -1), pairwise(times), strict=True):
            with torch.set_grad_enabled(learns and (last is None or left <= last)):
                x0, said = self.predict(z, t.to(z).expand(len(z)), h, before)
                ahead = x0
                if before is not None and s > 0:
                    ahead = x0 + over(self._stride(r, t, s), x0) * (x0 - before)
                    said = noise_of(self.schedule, z, ahead, t)
                z, before, r = step(self.schedule, ahead, said, t, s), x0, t
        return z

    def _stride(self, r: Tensor, t: Tensor, s: Tensor) -> Tensor:
        """How much of the change of x0 from r to t is expected from t to halfway to s."""
        early, now, late = (
            (self.schedule.alpha(u).clamp(min=1e-6) / self.schedule.sigma(u)).log()
            for u in (r, t, s)
        )
        return 0.5 * (late - now) / (now - early)


@dataclass(frozen=True, kw_only=True)
class Denoising(Conditional):
    """A denoiser with its network: a residual perceptron, or a UNet where states are images.

    Args:
        width: of the perceptron's residual stream, 256, or channels of the UNet's finest level, 32.
            0 is the number named here.
        blocks: residual blocks of the perceptron, 4, or of each level of the UNet, 1. 0 likewise.
        error: what is made small: "norm", the paper's unsquared norm, or "square", the norm
            squared.
        fiber_through: what stands for a draw in the fiber loss: "estimate" or "sampler".
        fiber_steps: evaluations of the network for a draw in training, for "sampler".
        fiber_last: how many of them, the last, the fiber loss reaches the weights through.
        feedback: whether the network is shown what its estimate before lacks; each step of a draw
            then evaluates decoder and extractor once.
        power: of the time grid of a walk, in training and of a draw: 1 is even, 2 finer near data.
        steps: evaluations of the network for a draw.
    """

    denoiser: ClassVar[type[Denoiser]]
    drawing: ClassVar[frozenset[str]] = frozenset({"steps"})

    width: NonNegativeInt = 0
    blocks: NonNegativeInt = 0
    error: Literal["norm", "square"] = "norm"
    fiber_through: Literal["estimate", "sampler"] = "sampler"
    fiber_steps: Count = 10
    fiber_last: Count = 3
    feedback: bool = False
    power: Positive = GRID
    steps: Count = 30
    learning_rate: Positive = 2e-3
    fiber_batch: Count = 32

    def build(self, state_shape: tuple[int, ...], features: int) -> Generator:
        """The denoiser; before training its network says 0.

        Raises:
            UsageError: more steps than the schedule has.
        """
        self.denoiser.schedule.times(self.steps, self.power)
        shown = features + prod(state_shape) if self.feedback else 0
        return self.denoiser(self.network(state_shape, features + shown), state_shape, self)

    @property
    def identity(self) -> dict[str, Any]:
        """See `Recipe`; fits without these options are those that were made before them."""
        found = super().identity
        if not self.feedback:
            del found["feedback"]
        if self.power == GRID or not self.fiber_weight:  # a fit without a fiber loss does not walk
            del found["power"]
        return found

    def network(self, state_shape: tuple[int, ...], features: int) -> nn.Module:
        """The network for states of this shape."""
        if len(state_shape) == 3:
            return ConditionalUNet(state_shape, features, self.width or 32, self.blocks or 1)
        return ConditionalMLP(state_shape, features, self.width or 256, self.blocks or 4)
