"""The colouring of the Color MNIST benchmark, whose fibers are known.

Source: Rousselot, Wendebourg, Köthe, arXiv 2603.21782, section 4.1; the data set is a variant of
Rombach, Esser, Ommer 2020.

Notation
    m    gray digit, (n, 1, 28, 28) float32 in [0, 1]
    c    background colour, (n, 3) float32; channels independent, each from a Gaussian mixture
    fg   foreground colour, (c + 0.5) mod 1, so |fg - c| = 0.5 in every channel
    x    coloured digit, (1 - m) c + m fg, clipped to [0, 1]
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

WEIGHTS = (0.6, 0.35, 0.05)
MEANS = (0.7, 0.5, 0.1)
STDS = (0.08, 0.015, 0.02)


def sample_colours(n: int, generator: torch.Generator) -> Tensor:
    """Draw n background colours from the benchmark's mixture: (n, 3) float32 in [0, 1]."""
    weights = torch.tensor(WEIGHTS).expand(n * 3, -1)
    component = torch.multinomial(weights, 1, generator=generator).view(n, 3)
    noise = torch.randn(n, 3, generator=generator)
    return (torch.tensor(MEANS)[component] + torch.tensor(STDS)[component] * noise).clamp(0, 1)


def foreground_of(c: Tensor) -> Tensor:
    """The foreground that belongs to a background, (c + 0.5) mod 1.

    >>> foreground_of(torch.tensor([0.25, 0.75]))
    tensor([0.7500, 0.2500])
    """
    return (c + 0.5) % 1


def colorize(m: Tensor, c: Tensor, fg: Tensor | None = None) -> Tensor:
    """Paint gray digits m (n, 1, h, w) with backgrounds c (n, 3): (n, 3, h, w) in [0, 1].

    fg (n, 3) replaces the foreground that belongs to c; the out-of-distribution control uses it.
    """
    back = c[:, :, None, None]
    front = (foreground_of(c) if fg is None else fg)[:, :, None, None]
    return ((1 - m) * back + m * front).clamp(0, 1)


def background_of(x: Tensor) -> Tensor:
    """The background colour, as the mean of the first pixel column: (n, c, h, w) -> (n, c)."""
    return x[..., 0].mean(dim=-1)


def decolorize(x: Tensor) -> Tensor:
    """Undo colorize: (n, 3, h, w) in [0, 1] -> (n, 1, h, w), differentiable in x.

    The foreground is half a turn away from the background in every channel, so the digit is
    |x - c| / 0.5 averaged over channels.

    >>> m = torch.zeros(1, 1, 2, 2); m[..., 1] = 0.8
    >>> decolorize(colorize(m, torch.tensor([[0.7, 0.5, 0.1]])))[0, 0, 0]
    tensor([0.0000, 0.8000])
    """
    c = background_of(x)[:, :, None, None]
    return ((x - c).abs() / 0.5).mean(dim=1, keepdim=True)


def colour_cdf(edges: Tensor) -> Tensor:
    """Cumulative distribution of one channel of the background at edges, float64 in [0, 1].

    The clipping to [0, 1] is included: all mass lies between edges 0 and 1.

    >>> round(colour_cdf(torch.tensor([0.5], dtype=torch.float64)).item(), 4)
    0.2287
    """
    z = edges.double()
    total = torch.zeros_like(z)
    for weight, mean, std in zip(WEIGHTS, MEANS, STDS, strict=True):
        total += weight * 0.5 * (1 + torch.erf((z - mean) / (std * math.sqrt(2))))
    return torch.where(z <= 0, 0.0, torch.where(z >= 1, 1.0, total))
