"""The loss of one step: how wrong the network is at noisy states."""

from __future__ import annotations

import torch
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor

from fiber_audit.sampling import over

from .batches import Batches
from .networks import answer
from .objective import Objective
from .recipe import Recipe


def loss_of(
    network: ModelMixin, objective: Objective, batches: Batches, recipe: Recipe, step: int
) -> Tensor:
    """The mean squared error of the network's answers at one step's noisy states."""
    x0 = batches.at(step)
    generator = batches.generator(step, "noise", x0.device)
    eps = torch.randn(x0.shape, generator=generator, device=x0.device)
    strata = torch.arange(len(x0), device=x0.device)  # one time in each n-th of (0, 1)
    u = (strata + torch.rand(len(x0), generator=generator, device=x0.device)) / len(x0)
    t = objective.times(u.clamp(1e-6, 1 - 1e-6))
    alpha, sigma = (over(share, x0) for share in objective.shares(t))
    x_t, target = alpha * x0 + sigma * eps, objective.target(x0, eps, alpha, sigma)
    if recipe.network == "unet":
        x_t = x_t.contiguous(memory_format=torch.channels_last)
    half = recipe.precision == "bfloat16"
    with torch.autocast(x0.device.type, torch.bfloat16, enabled=half):
        found = answer(network, x_t, objective.network_time(t))
    return (found.float() - target).square().mean()
