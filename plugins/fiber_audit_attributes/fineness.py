"""An attribute of images: how much of them is fine detail."""

from __future__ import annotations

import torch
from torch import Tensor

from fiber_audit.contracts import Attribute, Fraction

from .brightness import images

TINY = 1e-12


class HighFrequencyEnergy(Attribute):
    """`high-frequency`: log10 of the share of an image's energy above a frequency, (n,).

    Energy is the squared Fourier amplitude of gray values without their mean. A definition.

    Args:
        above: in units of the highest frequency of a row, half a cycle per pixel.
    """

    unit = "log10 share"

    def __init__(self, above: Fraction = 0.5) -> None:
        self.above = above

    def read(self, x: Tensor) -> Tensor:
        """Images (n, c, h, w) -> (n,)."""
        gray = images(x, "high-frequency").double().mean(dim=1)
        energy = torch.fft.rfft2(gray - gray.mean(dim=(1, 2), keepdim=True)).abs() ** 2
        height, width = gray.shape[1:]
        rows = torch.fft.fftfreq(height, dtype=torch.float64, device=x.device)[:, None]
        columns = torch.fft.rfftfreq(width, dtype=torch.float64, device=x.device)[None]
        # of a real image the frequencies that rfft2 leaves out mirror those that it gives
        inner = (columns > 0) & ((columns < 0.5) | (width % 2 == 1))
        energy = energy * torch.where(inner, 2.0, 1.0)
        fine = torch.sqrt(rows**2 + columns**2) > self.above / 2
        whole = energy.sum(dim=(1, 2))
        return ((energy * fine).sum(dim=(1, 2)) / (whole + TINY) + TINY).log10()
