"""Draws that stay in a local minimum are noised again, and drawn again from there.

Row by row: whether a draw comes again, with which noise, and whether it is kept depend on it alone.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from fiber_audit.contracts import Draws
from fiber_audit.sampling import Noise, Schedule, over

STUCK = 0.05
"""A draw is stuck that keeps more of the fiber loss of the prior's mean before any guidance."""
BACK = 1.5
"""sigma / alpha to which it is noised."""


def stuck(draws: Draws) -> Tensor:
    """The numbers of the draws (k,) that have not come down, though they are finite."""
    if not draws.path.shape[1]:
        return torch.zeros(0, dtype=torch.int64)
    far = draws.path[:, -1] > STUCK * draws.diagnostics["begun"]
    return (far & draws.finite).nonzero().flatten()


def noised_again(
    schedule: Schedule, states: Tensor, noise: Noise, times: Tensor
) -> tuple[Tensor, Tensor]:
    """Clean states (k, ...) at the first time of the grid up to BACK, and the grid from there."""
    late = times[schedule.sigma(times) <= BACK * schedule.alpha(times)]
    alpha, sigma = schedule.alpha(late[0]), schedule.sigma(late[0])
    z = noise.normal(states.shape[1:], like=states)
    return over(alpha, states) * states + over(sigma, states) * z, late


def patched(draws: Draws, rows: Tensor, others: Draws) -> Draws:
    """Draws with others in their rows (k,), where those are finite and nearer to their fiber.

    The path keeps its columns: the last is that of the draw that is kept.
    """
    nearer = others.finite & (others.path[:, -1] < draws.path[rows, -1])
    place, data, states = rows[nearer], draws.data.clone(), draws.states.clone()
    path, named = draws.path.clone(), {k: v.clone() for k, v in draws.diagnostics.items()}
    data[place], states[place] = others.data[nearer], others.states[nearer]
    path[place, -1] = others.path[nearer, -1]
    for name in named.keys() & {"saturation"}:
        named[name][place] = others.diagnostics[name][nearer]
    named["restarted"][rows] += 1
    return replace(draws, data=data, states=states, path=path, diagnostics=named)
