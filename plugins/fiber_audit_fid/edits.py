"""Controlled edits of a set of images: does a metric notice what was done to the data?

Each edit has a strength in [0, 1]; at 0 it changes nothing. Images are (n, c, h, w) in [0, 1].

    mode_drop      a share of the classes is replaced by images of the others
    recolour       channels are exchanged, per image at random; gray images are inverted
    texture_swap   the amplitude spectrum comes from another image, the phase (shape) stays
    blur           Gaussian, up to a tenth of the side
    duplicates     a share of the images is replaced by copies of the rest
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from fiber_audit.errors import UsageError

from .choices import EditName

Edit = Callable[[Tensor, Tensor | None, float, Generator], Tensor]
"""(images, labels or None, strength, generator) -> as many images."""


def mode_drop(x: Tensor, labels: Tensor | None, strength: float, generator: Generator) -> Tensor:
    """Replace the images of a random share of the classes by random images of the others."""
    if labels is None:
        raise UsageError("mode_drop: the queries have no labels; leave this edit out.")
    classes = labels.unique()
    count = min(round(strength * len(classes)), len(classes) - 1)
    dropped = classes[torch.randperm(len(classes), generator=generator)[:count]]
    return _replaced(x, torch.isin(labels, dropped), generator)


def recolour(x: Tensor, labels: Tensor | None, strength: float, generator: Generator) -> Tensor:
    """Blend each image with itself in other channels (a permutation that is not the identity)."""
    n, c = x.shape[:2]
    if c == 1:
        return torch.lerp(x, 1 - x, strength)
    orders = torch.tensor(list(itertools.permutations(range(c)))[1:])
    chosen = orders[torch.randint(len(orders), (n,), generator=generator)]
    return torch.lerp(x, x[torch.arange(n)[:, None], chosen], strength)


def texture_swap(x: Tensor, labels: Tensor | None, strength: float, generator: Generator) -> Tensor:
    """Give each image the amplitudes of another one; phases, and with them edges, stay."""
    spectrum = torch.fft.fft2(x)
    shift = 1 + int(torch.randint(max(len(x) - 1, 1), (1,), generator=generator))
    amplitude = torch.lerp(spectrum.abs(), spectrum.abs().roll(shift, 0), strength)
    return torch.fft.ifft2(torch.polar(amplitude, spectrum.angle())).real.clamp(0, 1)


def blur(x: Tensor, labels: Tensor | None, strength: float, generator: Generator) -> Tensor:
    """Gaussian blur with a standard deviation of strength / 10 of the shorter side."""
    sigma = strength * min(x.shape[-2:]) / 10
    if sigma == 0:
        return x
    reach = min(int(3 * sigma) + 1, min(x.shape[-2:]) - 1)
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma).square())
    kernel = (kernel / kernel.sum()).to(x)
    channels = x.shape[1]
    padded = F.pad(x, (reach, reach, reach, reach), mode="reflect")
    rows = kernel.expand(channels, 1, 1, -1)
    found = F.conv2d(padded, rows, groups=channels)
    return F.conv2d(found, rows.transpose(2, 3), groups=channels)


def duplicates(x: Tensor, labels: Tensor | None, strength: float, generator: Generator) -> Tensor:
    """Replace a random share of the images by copies of the rest; at least one image is left."""
    n = len(x)
    gone = torch.randperm(n, generator=generator)[: min(round(strength * n), n - 1)]
    replaced = torch.zeros(n, dtype=torch.bool)
    replaced[gone] = True
    return _replaced(x, replaced, generator)


def _replaced(x: Tensor, rows: Tensor, generator: Generator) -> Tensor:
    """Replace rows (a mask) by random ones of the others."""
    rest = (~rows).nonzero().flatten()
    pick = torch.randint(len(rest), (int(rows.sum()),), generator=generator)
    found = x.clone()
    found[rows] = x[rest[pick]]
    return found


EDITS: dict[EditName, Edit] = {
    "mode_drop": mode_drop,
    "recolour": recolour,
    "texture_swap": texture_swap,
    "blur": blur,
    "duplicates": duplicates,
}
