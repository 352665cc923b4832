"""Edits of single images: each has a strength in [0, 1], and at 0 it changes nothing.

    recolour       channels are exchanged, in an order of the image's own; gray images are inverted
    texture_swap   amplitudes of the spectrum change places with others of the same frequency
    blur           Gaussian, up to a tenth of the side

Images are (n, c, h, w) in [0, 1]. What is random comes from the content of the image, so that an
image is edited in the same way in any batch, order and run.

The texture of an image is in the amplitudes of its spectrum, its shapes are in the phases
(Oppenheim & Lim, 1981). texture_swap keeps every phase, and within a ring of equal frequency the
set of amplitudes; only which direction has which amplitude is drawn anew. Contrast, brightness and
smoothness stay, the pattern does not. It needs no second image, of which a batch may have none.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from hashlib import blake2b

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from fiber_audit.sampling import derive_seed

from .choices import EditName

Edit = Callable[[Tensor, float], Tensor]
"""(images, strength) -> as many images."""


def recolour(x: Tensor, strength: float) -> Tensor:
    """Blend each image with itself in other channels (a permutation that is not the identity)."""
    n, c = x.shape[:2]
    if c == 1:
        return torch.lerp(x, 1 - x, strength)
    orders = torch.tensor(list(itertools.permutations(range(c)))[1:])
    picks = [torch.randint(len(orders), (), generator=own("recolour", image)) for image in x]
    chosen = orders[torch.stack(picks)].to(x.device)
    rows = torch.arange(n, device=x.device)[:, None]
    return torch.lerp(x, x[rows, chosen], strength)


def texture_swap(x: Tensor, strength: float) -> Tensor:
    """Let amplitudes of one frequency change places; phases, and with them edges, stay."""
    spectrum = torch.fft.fft2(x)
    old = spectrum.abs()
    new = torch.stack(
        [_swapped(a, own("texture_swap", image)) for a, image in zip(old, x, strict=True)]
    )
    amplitude = torch.lerp(old, new, strength)
    return torch.fft.ifft2(torch.polar(amplitude, spectrum.angle())).real.clamp(0, 1)


def blur(x: Tensor, strength: float) -> Tensor:
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


def own(edit: str, image: Tensor) -> Generator:
    """The generator of one image (c, h, w) for one edit: the same wherever the image turns up."""
    content = blake2b(image.detach().cpu().contiguous().numpy().tobytes(), digest_size=16)
    return Generator().manual_seed(derive_seed(edit, content.hexdigest()))


def _swapped(amplitude: Tensor, generator: Generator) -> Tensor:
    """Permute amplitudes (c, h, w) of a real image within rings, the same way in all channels.

    A frequency moves with its mirror image, which has the same amplitude in a real image; those
    that are their own mirror images, the mean among them, stay.
    """
    height, width = amplitude.shape[-2:]
    down, right = (torch.fft.fftfreq(side) for side in (height, width))
    rings = (down[:, None].square() + right.square()).sqrt().mul(max(height, width)).round()
    index = torch.arange(height * width).reshape(height, width)
    mirrors = index.flip(0, 1).roll((1, 1), (0, 1)).flatten()
    half = (index.flatten() < mirrors).nonzero().flatten()
    rings = rings.flatten()[half]
    here = half[rings.argsort(stable=True)]
    there = half[(rings + torch.rand(len(rings), generator=generator)).argsort()]
    source = index.flatten().clone()
    source[here], source[mirrors[here]] = there, mirrors[there]
    return amplitude.flatten(-2)[..., source.to(amplitude.device)].reshape(amplitude.shape)


IMAGE_EDITS: dict[EditName, Edit] = {
    "recolour": recolour,
    "texture_swap": texture_swap,
    "blur": blur,
}
