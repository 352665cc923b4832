"""The step from t to s, of second order where it can be."""

from __future__ import annotations

from torch import Tensor

from fiber_audit import Schedule, over


def log_snr(schedule: Schedule, t: Tensor) -> Tensor:
    """log(alpha / sigma), the natural time of a diffusion."""
    return (schedule.alpha(t).clamp(min=1e-6) / schedule.sigma(t)).log()


def second_order_step(
    schedule: Schedule, x: Tensor, x0: Tensor, before: tuple[Tensor, Tensor], t: Tensor, s: Tensor
) -> Tensor:
    """DPM-Solver++ (2M): extrapolate x0 linearly in log(alpha / sigma) to the middle of the step.

    before: time and x0 of the step before. s must not be 0. Source: Lu et al., 2022, algorithm 2.

    >>> import torch; from fiber_audit import FlowSchedule
    >>> x, x0, r, t, s = torch.ones(1, 1), torch.zeros(1, 1), *torch.tensor([0.9, 0.8, 0.4])
    >>> second_order_step(FlowSchedule(), x, x0, (r, x0), t, s)   # x0 is constant: exact
    tensor([[0.5000]])
    """
    r, x0_r = before
    ahead = log_snr(schedule, s) - log_snr(schedule, t)
    behind = log_snr(schedule, t) - log_snr(schedule, r)
    middle = x0 + over(0.5 * ahead / behind, x0) * (x0 - x0_r)
    scale = schedule.sigma(s) / schedule.sigma(t)
    return over(scale, x) * x + over(schedule.alpha(s) - scale * schedule.alpha(t), x) * middle
