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

With corrections the end of a walk is no draw yet: a second network moves it, as often as there are
corrections, by what its features lack (`correction.py`). The fiber loss then trains that one alone,
through all corrections, and the density the walk alone, so that neither is paid for with the other.
A correction costs one evaluation of decoder and phi.
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

from fiber_audit import UsageError
from fiber_audit.contracts import Count, NonNegativeInt, Positive, Prediction
from fiber_audit.sampling import Schedule, noise_of, over, step

from .correction import Correction
from .generator import Fresh, Generator, normal
from .mlp_network import ConditionalMLP
from .sampler import Conditional
from .unet import ConditionalUNet

GRID = 2.0
"""The power of the time grid in fits that do not say it."""


class Denoiser(Generator):
    """Learns E[z | z_t, h] at all noise levels.

    Args:
        network: z_t, t, h -> what it predicts, shaped like z_t.
        state_shape: shape of one state.
        features: size of h.
        options: how it learns and walks.
    """

    schedule: Schedule
    features_of: Callable[[Tensor], Tensor]

    def __init__(
        self,
        network: nn.Module,
        state_shape: tuple[int, ...],
        features: int,
        options: "Denoising",
    ) -> None:
        super().__init__()
        self.network, self.state_shape = network, state_shape
        self.corrections = options.corrections
        self.correction = (
            Correction(prod(state_shape), features) if self.corrections else nn.Identity()
        )
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
        """Keep the map from z to its h, for corrections."""
        self.features_of = features_of

    def begin(self, weights: Mapping[str, Tensor]) -> None:
        """Take over a fit; from one without corrections, they change nothing at first."""
        own = {n: w for n, w in self.state_dict().items() if n.startswith("correction.")}
        super().begin({**own, **weights})

    def predict(self, z_t: Tensor, t: Tensor, h: Tensor) -> Prediction:
        """E[z | z_t, h] and E[eps | z_t, h], by one evaluation of the network."""
        return self.read(z_t, t, self.network(z_t, t, h))

    def corrected(self, z: Tensor, h: Tensor) -> Tensor:
        """A draw from the end of a walk; differentiable."""
        for _ in range(self.corrections):
            z = z + self.correction(z, h, h - self.features_of(z))
        return z

    def noisy(self, z: Tensor, eps: Tensor, t: Tensor) -> Tensor:
        """z_t of these states and this noise."""
        return over(self.schedule.alpha(t), z) * z + over(self.schedule.sigma(t), z) * eps

    def loss(self, z: Tensor, h: Tensor, generator: torch.Generator) -> Tensor:
        """Error of what the network says at a random time."""
        t, eps = self.times(len(z), generator), normal(z, generator)
        z_t = self.noisy(z, eps, t)
        wrong = self.network(z_t, t, h) - self.goal(z, eps, t)
        norm = wrong.flatten(1).norm(dim=1)
        return norm if self.error == "norm" else norm.square()

    def fresh(self, z: Tensor, h: Tensor, generator: torch.Generator) -> Fresh:
        """What the fiber loss looks at: see the head of this file."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.corrections):
            found = self._found(z, h, generator)
        return found._replace(z=self.corrected(found.z, h))

    def _found(self, z: Tensor, h: Tensor, generator: torch.Generator) -> Fresh:
        if self.through == "sampler":
            end = self.walked(normal(z, generator), h, self.fiber_steps, self.fiber_last)
            return Fresh(end, torch.ones_like(h[:, 0]))
        t, eps = self.times(len(z), generator), normal(z, generator)
        x0 = self.predict(self.noisy(z, eps, t), t, h).x0
        known = self.schedule.alpha(t).square()
        return Fresh(x0, known / (known + self.schedule.sigma(t).square()))

    @property
    def noise_shape(self) -> tuple[int, ...]:
        """A noisy state's."""
        return self.state_shape

    def draw(self, zeta: Tensor, h: Tensor) -> Tensor:
        """One walk per row, and its corrections."""
        return self.corrected(self.walked(zeta, h, self.steps), h)

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
                x0, said = self.predict(z, t.to(z).expand(len(z)), h)
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
        corrections: moves of the end of a walk by what its features lack, each at the cost of one
            evaluation of decoder and extractor; a network of their own learns them.
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
    corrections: NonNegativeInt = 0
    power: Positive = GRID
    steps: Count = 30
    learning_rate: Positive = 2e-3
    fiber_batch: Count = 32

    def __post_init__(self) -> None:
        """Refuse corrections that nothing trains.

        Raises:
            UsageError: there is no fiber loss, or a number is not finite.
        """
        super().__post_init__()
        if self.corrections and not self.fiber_weight:
            raise UsageError(
                f"corrections = {self.corrections}: they learn from the fiber loss alone; give a "
                "fiber_weight above 0."
            )

    def build(self, state_shape: tuple[int, ...], features: int) -> Generator:
        """The denoiser; before training its network says 0.

        Raises:
            UsageError: more steps than the schedule has.
        """
        self.denoiser.schedule.times(self.steps, self.power)
        return self.denoiser(self.network(state_shape, features), state_shape, features, self)

    @property
    def identity(self) -> dict[str, Any]:
        """See `Recipe`; fits without these options are those that were made before them."""
        found = super().identity
        if not self.corrections:
            del found["corrections"]
        if self.power == GRID or not self.fiber_weight:  # a fit without a fiber loss does not walk
            del found["power"]
        return found

    def network(self, state_shape: tuple[int, ...], features: int) -> nn.Module:
        """The network for states of this shape."""
        if len(state_shape) == 3:
            return ConditionalUNet(state_shape, features, self.width or 32, self.blocks or 1)
        return ConditionalMLP(state_shape, features, self.width or 256, self.blocks or 4)
