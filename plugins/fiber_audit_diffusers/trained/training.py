"""One training loop for every network: AdamW, warm-up and cosine, averaged weights.

Step k sees a batch, times and noise that depend on (seed, k) only; with what a checkpoint holds, a
killed training ends with the same weights as an unbroken one. In a step nothing waits for the
device: its numbers are looked at when a line is said and when a checkpoint is written.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import chain

import torch
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn

from fiber_audit import DivergedError
from fiber_audit.sampling import over

from .batches import Batches
from .networks import answer
from .objective import Objective
from .recipe import Recipe

BETAS, DECAY, GRADIENT = (0.9, 0.99), 1e-4, 1.0
EVERY = 10.0
"""Seconds between two lines of progress."""


@dataclass
class Training:
    """What a fit is on the way: all of it is in a checkpoint.

    average: the network with averaged weights, which is what is kept in the end. step: steps taken;
    seconds: spent on them. loss: mean of the steps since the last line; broken: the first step
    whose loss was not finite, or -1, on the device.
    """

    recipe: Recipe
    network: ModelMixin
    device: str
    step: int = 0
    seconds: float = 0.0
    loss: float = math.nan
    average: ModelMixin = field(init=False)
    optimizer: torch.optim.AdamW = field(init=False)
    broken: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.network.to(self.device)
        if self.recipe.network == "unet":
            self.network.to(memory_format=torch.channels_last)
        self.network.requires_grad_(True)
        self.average = deepcopy(self.network).requires_grad_(False)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), betas=BETAS, weight_decay=DECAY, fused=True
        )
        self.broken = torch.full((), -1, device=self.device)

    @property
    def progress(self) -> float:
        """How far it is, 0 to 1: in steps, or in hours where they are limited."""
        spent = self.seconds / (3600 * self.recipe.hours) if self.recipe.hours else 0.0
        return min(1.0, max(self.step / self.recipe.steps, spent))

    @property
    def learning_rate(self) -> float:
        """Linear warm-up over 2 % of the steps, 500 at most, then a cosine to zero."""
        warm = max(1, min(500, self.recipe.steps // 50))
        rise = min(1.0, (self.step + 1) / warm)
        return self.recipe.learning_rate * rise * 0.5 * (1 + math.cos(math.pi * self.progress))

    def check(self) -> None:
        """Look at the numbers, which waits for the device.

        Raises:
            DivergedError: a loss or a weight is not finite.
        """
        weights = chain(self.network.parameters(), self.average.parameters())
        finite = torch.stack([value.isfinite().all() for value in weights]).all()
        broken = int(self.broken)
        if broken < 0 and bool(finite):
            return
        at = broken if broken >= 0 else self.step
        raise DivergedError(
            f"{self.recipe.path}: the training left the finite numbers at step {at} (loss "
            f"{self.loss}); lower learning_rate, or set another precision, and give it a path of "
            f"its own."
        )


def train(
    state: Training, objective: Objective, batches: Batches, say: Callable[[str], None]
) -> Iterator[Training]:
    """Train to the end, and yield after every step: the caller writes checkpoints and samples.

    Raises:
        DivergedError: the training left the finite numbers.
    """
    recipe = state.recipe
    weights, averages = list(state.network.parameters()), list(state.average.parameters())
    if recipe.compile:
        state.network.compile()
    total, count = torch.zeros((), device=state.device), 0
    told = began = time.monotonic()
    before, first = state.seconds, state.step
    while state.progress < 1:
        for group in state.optimizer.param_groups:
            group["lr"] = state.learning_rate
        loss = loss_of(state, objective, batches)
        state.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(weights, GRADIENT)
        state.optimizer.step()
        with torch.no_grad():
            decay = min(recipe.ema, (1 + state.step) / (10 + state.step))
            torch._foreach_lerp_(averages, weights, 1 - decay)
            total, count = total + loss.detach(), count + 1
            fresh = (state.broken < 0) & ~loss.detach().isfinite()
            state.broken = torch.where(fresh, state.step, state.broken)
        state.step += 1
        now = time.monotonic()
        state.seconds = before + now - began
        if now - told > EVERY or state.progress >= 1:
            state.loss = float(total) / count  # waits for the device
            state.check()
            state.seconds = before + time.monotonic() - began
            say(_line(state, state.step - first, state.seconds - before))
            told, total, count = time.monotonic(), torch.zeros_like(total), 0
        paused = time.monotonic()
        yield state
        began += time.monotonic() - paused  # what the caller does is not training


def loss_of(state: Training, objective: Objective, batches: Batches) -> Tensor:
    """The mean squared error of the network's answers at one step's noisy states."""
    x0 = batches.at(state.step)
    generator = batches.generator(state.step, "noise", x0.device)
    eps = torch.randn(x0.shape, generator=generator, device=x0.device)
    strata = torch.arange(len(x0), device=x0.device)  # one time in each n-th of (0, 1)
    u = (strata + torch.rand(len(x0), generator=generator, device=x0.device)) / len(x0)
    t = objective.times(u.clamp(1e-6, 1 - 1e-6))
    alpha, sigma = (over(share, x0) for share in objective.shares(t))
    x_t, target = alpha * x0 + sigma * eps, objective.target(x0, eps, alpha, sigma)
    if state.recipe.network == "unet":
        x_t = x_t.contiguous(memory_format=torch.channels_last)
    half = state.recipe.precision == "bfloat16"
    with torch.autocast(x0.device.type, torch.bfloat16, enabled=half):
        found = answer(state.network, x_t, objective.network_time(t))
    return (found.float() - target).square().mean()


def _line(state: Training, steps: int, seconds: float) -> str:
    share, recipe = state.progress, state.recipe
    rate = steps / max(seconds, 1e-9)
    left = (recipe.steps - state.step) / rate
    if recipe.hours:
        left = min(left, 3600 * recipe.hours - state.seconds)
    return (
        f"step {state.step} of {recipe.steps} ({share:.0%}), loss {state.loss:.4f}, "
        f"{rate * recipe.batch:.0f} items/s, {_duration(max(left, 0.0))} left"
    )


def _duration(seconds: float) -> str:
    """A length of time for a person.

    >>> _duration(42), _duration(600), _duration(9000)
    ('42 s', '10 min', '2.5 h')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
