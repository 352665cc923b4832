"""A sheet of samples, to look at while it trains: held-out pictures above rows of draws."""

from __future__ import annotations

import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import torch
from torch import Tensor

from fiber_audit.contracts import Prior, data_of
from fiber_audit.fitting import write_file
from fiber_audit.sampling import Noise, derive_seed, unguided

ACROSS, DOWN = 8, 4
STEPS = 50
EVERY = 10.0
"""Seconds between two lines of progress."""
PIXELS = 1024
"""About the width of a sheet; small pictures are enlarged without smoothing."""


def drawn(
    prior: Prior, n: int, seed: int, batch: int, say: Callable[[str], None] = lambda _: None
) -> Tensor:
    """Unguided draws (n, *data_shape) on the CPU, clamped to data space; draw i is always alike."""
    parts, told = list[Tensor](), time.monotonic()
    for first in range(0, n, batch):
        if time.monotonic() - told > EVERY:
            told = time.monotonic()
            say(f"drew {first} of {n}")
        rows = range(first, min(first + batch, n))
        noise = Noise([derive_seed(seed, "sheet", row) for row in rows])
        with torch.no_grad():
            parts.append(data_of(prior, unguided(prior, noise, steps=STEPS)))
    return torch.cat(parts).float().cpu()


def write_sheet(path: Path, real: Tensor, draws: Tensor) -> None:
    """Write a PNG: real pictures (m, c, h, w) in [0, 1] in the first row, draws below.

    Raises:
        DiskError: it cannot be written.
    """
    from PIL import Image
    from torchvision.utils import make_grid

    missing = real.new_ones((max(0, ACROSS - len(real)), *draws.shape[1:]))
    cells = torch.cat([real[:ACROSS], missing, draws])
    if cells.shape[1] not in (1, 3):
        cells = cells[:, :1]
    zoom = max(1, PIXELS // (ACROSS * cells.shape[-1]))
    cells = cells.repeat_interleave(zoom, -1).repeat_interleave(zoom, -2)
    grid = make_grid(cells, nrow=ACROSS, padding=2, pad_value=1.0)
    pixels = (grid.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    content = BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    write_file(path, content.getvalue())
