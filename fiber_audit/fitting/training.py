"""One training loop for every network: AdamW, warm-up and cosine, averaged weights.

Step k sees what depends on (seed, k) only; with what a checkpoint holds, a killed training ends
with the same weights as an unbroken one. In a step nothing waits for the device: its numbers are
looked at when a line is said and when a checkpoint is written.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import chain

import torch
from torch import Tensor, nn

from ..durations import duration
from ..errors import DivergedError

BETAS, DECAY = (0.9, 0.99), 1e-4
EVERY = 10.0
"""Seconds between two lines of progress."""


@dataclass(frozen=True)
class Regime:
    """How weights are trained.

    path: of the fit, for messages. steps: batches of the whole training; batch: items of each.
    learning_rate: its peak. ema: how slowly the averaged weights follow. clip_norm: of the gradient
    of all weights together. hours: a limit, 0 for none. compile: by torch.compile. advice: what
    helps where the numbers explode.
    """

    path: str
    steps: int
    batch: int
    learning_rate: float
    ema: float
    clip_norm: float = 1.0
    hours: float = 0.0
    compile: bool = False
    advice: str = "lower learning_rate"


@dataclass
class Training:
    """What a fit is on the way: all of it is in a checkpoint.

    Weights that need no gradient are left as they are.

    average: the network with averaged weights, which is what is kept in the end. step: steps taken;
    seconds: spent on them. loss: mean of the steps since the last line; broken: the first step
    whose loss was not finite, or -1, and lost: that loss, both on the device. saved: step of the
    last checkpoint, or -1.
    """

    regime: Regime
    network: nn.Module
    device: str
    step: int = 0
    seconds: float = 0.0
    loss: float = math.nan
    saved: int = -1
    average: nn.Module = field(init=False)
    weights: list[Tensor] = field(init=False)
    optimizer: torch.optim.AdamW = field(init=False)
    broken: Tensor = field(init=False)
    lost: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.network.to(self.device)
        self.weights = _trained(self.network)
        self.average = deepcopy(self.network)
        self._averages = _trained(self.average)
        self.average.requires_grad_(False)
        self.optimizer = torch.optim.AdamW(
            self.weights, betas=BETAS, weight_decay=DECAY, fused=True
        )
        self.broken = torch.full((), -1, device=self.device)
        self.lost = torch.full((), math.nan, device=self.device)

    @property
    def progress(self) -> float:
        """How far it is, 0 to 1: in steps, or in hours where they are limited."""
        spent = self.seconds / (3600 * self.regime.hours) if self.regime.hours else 0.0
        return min(1.0, max(self.step / self.regime.steps, spent))

    @property
    def learning_rate(self) -> float:
        """Linear warm-up over 2 % of the steps, 500 at most, then a cosine to zero."""
        warm = max(1, min(500, self.regime.steps // 50))
        rise = min(1.0, (self.step + 1) / warm)
        return self.regime.learning_rate * rise * 0.5 * (1 + math.cos(math.pi * self.progress))

    def average_in(self) -> None:
        """Let the averaged weights follow by one step."""
        decay = min(self.regime.ema, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(self._averages, self.weights, 1 - decay)

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
        at, loss = (broken, float(self.lost)) if broken >= 0 else (self.step, self.loss)
        kept = f"step {self.saved}" if self.saved >= 0 else "no step"
        raise DivergedError(
            f"{self.regime.path}: the training left the finite numbers at step {at} (loss "
            f"{loss}); its last good checkpoint is of {kept}; {self.regime.advice}, and give "
            f"it a path of its own."
        )


def train(
    state: Training, loss: Callable[[int], Tensor], say: Callable[[str], None]
) -> Iterator[Training]:
    """Train to the end, and yield after every step: the caller writes checkpoints and samples.

    loss: step -> a number that the network's weights are to lower. What it does depends on the
    step alone.

    Raises:
        DivergedError: the training left the finite numbers.
    """
    regime = state.regime
    if regime.compile:
        state.network.compile()
    total, count = torch.zeros((), device=state.device), 0
    told = began = time.monotonic()
    before, first = state.seconds, state.step
    while state.progress < 1:
        for group in state.optimizer.param_groups:
            group["lr"] = state.learning_rate
        found = loss(state.step)
        state.optimizer.zero_grad(set_to_none=True)
        found.backward()
        nn.utils.clip_grad_norm_(state.weights, regime.clip_norm)
        state.optimizer.step()
        with torch.no_grad():
            state.average_in()
            total, count = total + found.detach(), count + 1
            fresh = (state.broken < 0) & ~found.detach().isfinite()
            state.broken = torch.where(fresh, state.step, state.broken)
            state.lost = torch.where(fresh, found.detach(), state.lost)
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


def _trained(network: nn.Module) -> list[Tensor]:
    return [weight for weight in network.parameters() if weight.requires_grad]


def _line(state: Training, steps: int, seconds: float) -> str:
    share, regime = state.progress, state.regime
    rate = steps / max(seconds, 1e-9)
    left = (regime.steps - state.step) / rate
    if regime.hours:
        left = min(left, 3600 * regime.hours - state.seconds)
    return (
        f"step {state.step} of {regime.steps} ({share:.0%}), loss {state.loss:.4f}, "
        f"{rate * regime.batch:.0f} items/s, {duration(max(left, 0.0))} left"
    )
