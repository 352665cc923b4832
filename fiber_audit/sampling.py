"""What every sampler shares: the start, the clipped prediction, the unguided way, the finish."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from .contracts import Draws, Prediction, Prior, Problem
from .rng import Noise
from .schedule import noise_of, step


def start(prior: Prior, noise: Noise, t: Tensor) -> Tensor:
    """x_t at the noisiest time t of the grid: pure noise, (n, *state_shape)."""
    parameter = next(prior.network.parameters(), None)
    return noise.normal(prior.state_shape, parameter) * prior.schedule.sigma(t).to(torch.float32)


def clipped(prior: Prior, x_t: Tensor, t: Tensor, prediction: Prediction) -> Prediction:
    """Clip E[x_0 | x_t] to the prior's range and recompute eps, so that no noise is left over."""
    if prior.clip is None:
        return prediction
    x0 = prediction.x0.clamp(*prior.clip)
    return Prediction(x0, noise_of(prior.schedule, x_t, x0, t))


def at(t: Tensor, x: Tensor) -> Tensor:
    """A time of the grid as (n,) float32 beside a batch x."""
    return t.to(device=x.device, dtype=torch.float32).expand(len(x))


def unguided(
    prior: Prior, noise: Noise, steps: int = 50, eta: float = 0.0, power: float = 1.0
) -> Tensor:
    """States (n, *state_shape) drawn from the prior alone."""
    times = prior.schedule.times(steps, power)
    x = start(prior, noise, times[0])
    with torch.no_grad():
        for t, s in pairwise(times):
            x0, eps = clipped(prior, x, t, prior.predict(x, at(t, x)))
            z = noise.normal(prior.state_shape, x) if eta and s > 0 else None
            x = step(prior.schedule, x0, eps, t, s, eta, z)
    return x


def rms(difference: Tensor) -> Tensor:
    """Root mean square over the last dimension: the fiber loss in features, (..., d) -> (...).

    >>> rms(torch.tensor([[3.0, 4.0]]))
    tensor([3.5355])
    """
    return difference.square().mean(dim=-1).sqrt()


def finish(
    problem: Problem,
    states: Tensor,
    path: Sequence[Tensor] = (),
    finite: Tensor | None = None,
    diagnostics: Mapping[str, Tensor] | None = None,
) -> Draws:
    """Decode final states into Draws.

    path: fiber losses (n,) collected on the way. finite: (n,) bool so far; rows that are not
    finite here are added. Such rows are zeroed, and marked; nothing else hides them.
    """
    with torch.no_grad():
        data = problem.prior.decode(states)
    ok = states.flatten(1).isfinite().all(1) & data.flatten(1).isfinite().all(1)
    ok = ok if finite is None else ok & finite
    found = dict(diagnostics or {})
    if problem.prior.data_range is not None:
        low, high = problem.prior.data_range
        outside = (data < low - 1e-3) | (data > high + 1e-3)
        found.setdefault("saturation", outside.flatten(1).float().mean(1))
        data = data.clamp(low, high)
    mask = ok.reshape(-1, *[1] * (data.ndim - 1))
    data = torch.where(mask, data, 0.0)
    states = torch.where(ok.reshape(-1, *[1] * (states.ndim - 1)), states, 0.0)
    track = torch.stack(list(path), dim=1) if path else states.new_zeros(len(states), 0)
    return Draws(data, states, ok, track.nan_to_num(0.0, 0.0, 0.0), found)
