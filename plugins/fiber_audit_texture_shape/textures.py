"""The eight textures: random fields of unit variance, each with directions and scales of its own.

A field is a plane wave of random amplitude and phase, turned and scaled at random, or noise of a
band of wavelengths. Given turn and scale it is Gaussian, so that a generative model of textures can
be a mixture of Gaussians. `inked` makes gray values of a field.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

SIZE = 32
TURN, SCALE = math.radians(4), 0.05
"""Largest change of orientation and of scale, either way."""
DARK, LIGHT, CONTRAST = 0.3, 1.0, 2.5
"""Gray values that fields run between, and how fast; the background is 0."""

WAVE = 5.5
WAVES = {"rows": 90, "columns": 0, "rising": 45, "falling": 135}
"""Plane waves of 5.5 pixels: the direction that they run in, in degrees, from right to down."""
BANDS = {
    "weave": ((4.5, 7.0), 8, 0.0),
    "spots": ((6.5, 9.0), 45, -0.7),
    "fine noise": ((3.8, 5.0), 45, 0.0),
    "coarse noise": ((10.0, 32.0), 45, 0.0),
}
"""Noise: wavelengths, how far its directions are from rows and columns, in degrees, and a mean."""
NAMES = (*WAVES, *BANDS)


def fields(kinds: Tensor, generator: torch.Generator) -> Tensor:
    """One field per kind: (n,) int64, places in `NAMES` -> (n, 1, 32, 32), about 0.

    The random numbers of a row depend on its place in the batch, and on no kind.
    """
    n = len(kinds)
    turn, zoom = torch.rand((2, n, 1, 1), generator=generator) * 2 - 1
    a, b = torch.randn((2, n, 1, 1), generator=generator)
    white = torch.randn((n, 2 * SIZE, 2 * SIZE), generator=generator)
    at = torch.arange(SIZE, dtype=torch.float32) - (SIZE - 1) / 2
    found = torch.empty(n, SIZE, SIZE)
    for place, name in enumerate(NAMES):
        mine = kinds == place
        if name in WAVES:
            angle = math.radians(WAVES[name]) + TURN * turn[mine]
            along = (at * angle.cos() + at[:, None] * angle.sin()) * (1 + SCALE * zoom[mine])
            phase = 2 * math.pi * along / WAVE
            found[mine] = a[mine] * phase.cos() + b[mine] * phase.sin()
        elif mine.any():  # there is no FFT of nothing
            found[mine] = _noise(*BANDS[name], white[mine])
    return found[:, None]


def _noise(band: tuple[float, float], within: float, mean: float, white: Tensor) -> Tensor:
    """Noise of a band (n, 32, 32); white noise (n, 64, 64), of which a part is shown."""
    y, x = torch.fft.fftfreq(2 * SIZE)[:, None], torch.fft.rfftfreq(2 * SIZE)[None]
    length = 1 / torch.sqrt(y**2 + x**2).clamp(min=1e-6)
    off = torch.rad2deg(torch.atan2(torch.minimum(x, y.abs()), torch.maximum(x, y.abs())))
    kept = ((length >= band[0]) & (length <= band[1]) & (off <= within)).float()
    found = torch.fft.irfft2(torch.fft.rfft2(white) * kept, s=(2 * SIZE, 2 * SIZE))
    power = 2 * kept.sum() - kept[:, 0].sum() - kept[:, -1].sum()  # rfft2 leaves mirrored ones out
    return mean + found[:, :SIZE, :SIZE] / (power / (2 * SIZE) ** 2).sqrt()


def inked(field: Tensor) -> Tensor:
    """Fields -> gray values between DARK and LIGHT."""
    middle, reach = (LIGHT + DARK) / 2, (LIGHT - DARK) / 2
    return middle + reach * torch.tanh(CONTRAST * field)


def field_of(gray: Tensor) -> Tensor:
    """The inverse of `inked`, as far as gray values tell."""
    middle, reach = (LIGHT + DARK) / 2, (LIGHT - DARK) / 2
    return torch.atanh(((gray - middle) / reach).clamp(-0.98, 0.98)) / CONTRAST
