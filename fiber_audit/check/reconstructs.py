"""Does a prior hold real data: is decode(encode(x)) near x?"""

from __future__ import annotations

import torch
from torch import Tensor

from ..contracts import Prior

FACTORS = (0.125, 0.25, 0.5, 2, 4, 8)
"""Of a state, as a scaling factor that was left out would make it."""
CLEARLY = 0.6
"""A scaled state is better if its reconstruction misses by this share of what the state's does."""


@torch.no_grad()
def reconstruction_problem(prior: Prior, data: Tensor, states: Tensor) -> str | None:
    """One sentence where decode(encode(x)) is far from x, or nearer for a scaled state.

    data: (n, *data_shape). states: what encode makes of them.
    """
    spread = data.double().transpose(0, 1).flatten(1).var(dim=1, correction=0).mean().sqrt()
    if prior.lossless or not spread > 0:
        return None

    def gap(factor: float) -> float:
        found = prior.decode(factor * states)
        return float((found - data).double().square().mean().sqrt() / spread)

    as_is = gap(1.0)
    gaps = {gap(factor): factor for factor in FACTORS} if as_is > CLEARLY else {}
    misses = f"decode(encode(x)) misses real data by {as_is:.2g} of their spread (RMS)"
    if gaps and min(gaps) < CLEARLY * as_is:
        return (
            f"{misses}, and states {gaps[min(gaps)]:g} times as large by {min(gaps):.2g}; apply "
            f"the model's scaling factor in encode() and in decode()."
        )
    if not as_is <= 1:
        return f"{misses}, and their mean by 1; use the autoencoder that its network was made for."
    return None
