"""Second order in time from two means: the extrapolation of DPM-Solver++ (2M)."""

from __future__ import annotations

from torch import Tensor

from fiber_audit import Schedule


def log_snr(schedule: Schedule, t: Tensor) -> Tensor:
    """log(alpha / sigma), the natural time of a diffusion; finite at alpha = 0."""
    return (schedule.alpha(t).clamp(min=1e-6) / schedule.sigma(t)).log()


def extrapolated(x0: Tensor, before: Tensor, r: Tensor, t: Tensor, s: Tensor) -> Tensor:
    """E[x_0 | x_t], extrapolated linearly in log(alpha / sigma) to the middle of the step to s.

    before is E[x_0 | x_r] of the step before; r, t, s are log(alpha / sigma) of its, this and the
    next time, increasing. A first-order step with it has second order. Source: Lu et al.,
    DPM-Solver++, 2022, algorithm 2.

    >>> import torch
    >>> r, t, s = torch.tensor([0.0, 1.0, 3.0])
    >>> extrapolated(torch.tensor([1.0]), torch.tensor([0.0]), r, t, s)
    tensor([2.])
    """
    if t <= r:
        return x0
    return x0 + (0.5 * (s - t) / (t - r)).to(x0) * (x0 - before)
