"""The kit of sampler authors: a start, the steps, the clipped prediction, and a trail of draws.

A sampler is a loop that reads like its paper:

    x, trail = start(prior, noise, times[0]), Trail(problem)
    for t, s, z in steps(prior, noise, times, eta):
        x0, eps = denoised(prior, x, t)                         # and what the paper does to them
        x = trail.add(step(prior.schedule, x0, eps, t, s, eta, z))
    return trail.finish(x)
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, pairwise

import torch
from torch import Tensor

from .blocks import BLOCK, asked, by_blocks, in_blocks, prior_in_blocks
from .contracts import Draws, Prediction, Prior, Problem
from .errors import PluginError
from .noise import Noise, derive_seed
from .schedule import FlowSchedule, Schedule, VPSchedule, noise_of, over, step

__all__ = [
    "BLOCK",
    "FlowSchedule",
    "Noise",
    "Schedule",
    "Trail",
    "VPSchedule",
    "asked",
    "at",
    "by_blocks",
    "clipped",
    "denoised",
    "derive_seed",
    "finish",
    "in_blocks",
    "noise_of",
    "over",
    "place",
    "rms",
    "start",
    "step",
    "steps",
    "unguided",
]


def place(prior: Prior) -> torch.device:
    """The device of a prior: that of its network's first parameter or buffer, or the CPU."""
    for tensor in chain(prior.network.parameters(), prior.network.buffers()):
        return tensor.device
    return torch.device("cpu")


def start(prior: Prior, noise: Noise, t: Tensor) -> Tensor:
    """x_t at the noisiest time t of the grid: pure noise, (n, *state_shape) float32."""
    return _fresh(prior, noise) * prior.schedule.sigma(t).to(torch.float32)


def steps(
    prior: Prior, noise: Noise, times: Tensor, eta: float = 0.0
) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
    """The steps (t, s, z) of a grid of times: from t to the less noisy s, with fresh noise z.

    z is (n, *state_shape) float32, or None where nothing fresh is added: at eta = 0, and in the
    step to s = 0, since a finished draw carries no noise.
    """
    for t, s in pairwise(times):
        yield t, s, _fresh(prior, noise) if eta > 0 and s > 0 else None


def _fresh(prior: Prior, noise: Noise) -> Tensor:
    return noise.normal(prior.state_shape).to(place(prior))


def at(t: Tensor, x: Tensor) -> Tensor:
    """A time of the grid as (n,) float32 beside a batch x."""
    return t.to(device=x.device, dtype=torch.float32).expand(len(x))


def clipped(prior: Prior, x_t: Tensor, t: Tensor, prediction: Prediction) -> Prediction:
    """Clip E[x_0 | x_t] to the prior's range and recompute eps, so that no noise is left over."""
    if prior.clip is None:
        return prediction
    x0 = prediction.x0.clamp(*prior.clip)
    return Prediction(x0, noise_of(prior.schedule, x_t, x0, t))


def denoised(prior: Prior, x_t: Tensor, t: Tensor) -> Prediction:
    """The clipped prediction of the prior at a time of the grid; differentiable in x_t."""
    return clipped(prior, x_t, t, prior.predict(x_t, at(t, x_t)))


def unguided(
    prior: Prior, noise: Noise, steps: int = 50, eta: float = 0.0, power: float = 1.0
) -> Tensor:
    """States (n, *state_shape) drawn from the prior alone; `finish` makes Draws of them."""
    return _drawn(prior_in_blocks(prior), noise, prior.schedule.times(steps, power), eta)


@torch.no_grad()
def _drawn(prior: Prior, noise: Noise, times: Tensor, eta: float) -> Tensor:
    x = start(prior, noise, times[0])
    for t, s, z in steps(prior, noise, times, eta):
        x0, eps = denoised(prior, x, t)
        x = step(prior.schedule, x0, eps, t, s, eta, z)
    return x


def rms(difference: Tensor) -> Tensor:
    """Root mean square over the last dimension: the fiber loss in features, (..., d) -> (...).

    >>> rms(torch.tensor([[3.0, 4.0]]))
    tensor([3.5355])
    """
    return difference.square().mean(dim=-1).sqrt()


class Trail:
    """The trail of a batch of draws: what they lost on the way, and what became of them.

    A draw that left the finite numbers is lost for good: it is marked, its state is zero from then
    on, so that it cannot poison others, and zero is all that it reports.

    lost: (n,) bool, so far.
    """

    def __init__(self, problem: Problem) -> None:
        self._prior = prior_in_blocks(problem.prior)
        self._path: list[Tensor] = []
        n = len(problem.targets)
        self.lost = torch.zeros(n, dtype=torch.bool, device=place(problem.prior))

    def add(self, x: Tensor, loss: Tensor | None = None) -> Tensor:
        """Note a step and return its states, zero where a draw is lost.

        x: (n, *state_shape) after the step. loss: (n,) fiber loss (RMS) that the step saw.

        Raises:
            PluginError: one of them has not one row per draw.
        """
        self.lost = self.lost | ~_finite(x)
        if loss is not None:
            self.lost = self.lost | ~loss.isfinite()
            self._path.append(self._kept("loss", loss))
        return self._kept("x", x)

    @torch.no_grad()
    def finish(self, x: Tensor, **diagnostics: Tensor) -> Draws:
        """Decode the final states (n, *state_shape) into Draws, clamped to the data range.

        diagnostics: name -> (n,), one number per draw. `saturation`, the share of a draw's numbers
        that had to be clamped, is added where the prior has a data range.
        """
        prior = self._prior
        data = prior.decode(x)
        self.lost = self.lost | ~_finite(x) | ~_finite(data)
        if prior.data_range is not None:
            low, high = prior.data_range
            outside = (data < low - 1e-3) | (data > high + 1e-3)
            diagnostics = {"saturation": outside.flatten(1).float().mean(1), **diagnostics}
            data = data.clamp(low, high)
        path = torch.stack(self._path, dim=1) if self._path else x.new_zeros(len(x), 0)
        return Draws(
            data=self._kept("data", data),
            states=self._kept("states", x),
            finite=~self.lost,
            path=path,
            diagnostics={name: self._kept(name, rows) for name, rows in diagnostics.items()},
        )

    def _kept(self, name: str, rows: Tensor) -> Tensor:
        """Rows (n, ...), zero where the draw is lost."""
        if rows.shape[:1] != self.lost.shape:
            shape, n = tuple(rows.shape), len(self.lost)
            raise PluginError(f"{name} has shape {shape} for {n} draws; compute it row by row.")
        return rows.masked_fill(self.lost.reshape(-1, *[1] * (rows.ndim - 1)), 0.0)


def finish(problem: Problem, states: Tensor, **diagnostics: Tensor) -> Draws:
    """Draws of final states (n, *state_shape), for a sampler that keeps no trail."""
    return Trail(problem).finish(states, **diagnostics)


def _finite(rows: Tensor) -> Tensor:
    return rows.flatten(1).isfinite().all(1)
