"""The law of Causal MNIST: a cause that is noisy, and a colour that goes with it by chance.

Source: Arjovsky, Bottou, Gulrajani, Lopez-Paz, "Invariant risk minimization", arXiv 1907.02893.

    y      label: whether the digit is below 5, wrong in a quarter of all cases
    c      colour: y, but for a share e of all cases; e = .2 and .1 in training, .9 in the test
    x      the digit in channel c; the other channel is zero

The digit tells y in 75 % of all cases, everywhere. The colour does so in 80 % and 90 % of the cases
in training and in 10 % in the test.
"""

from __future__ import annotations

import torch
from torch import Tensor

NOISE = 0.25
SHAPE = (2, 14, 14)


def labelled(numbers: Tensor, generator: torch.Generator) -> Tensor:
    """Digits (n,) from 0 to 9 -> labels (n,) int64, 0 or 1."""
    return _turned((numbers < 5).long(), NOISE, generator)


def coloured(labels: Tensor, e: float, generator: torch.Generator) -> Tensor:
    """Labels (n,) -> colours (n,) int64: the label, but for a share e."""
    return _turned(labels, e, generator)


def painted(images: Tensor, colours: Tensor) -> Tensor:
    """Gray digits (n, 14, 14) in colours (n,) -> (n, 2, 14, 14).

    >>> painted(torch.ones(1, 1, 1), torch.tensor([1])).flatten()
    tensor([0., 1.])
    """
    x = images.new_zeros(len(images), 2, *images.shape[1:])
    x[torch.arange(len(images)), colours] = images
    return x


def colour_of(x: Tensor) -> Tensor:
    """(n, 2, 14, 14) -> the channel that holds more, (n,) int64.

    >>> colour_of(painted(torch.ones(2, 3, 3), torch.tensor([1, 0])))
    tensor([1, 0])
    """
    held = x.flatten(2).sum(2)
    return (held[:, 1] > held[:, 0]).long()


def _turned(bits: Tensor, share: float, generator: torch.Generator) -> Tensor:
    flips = torch.rand(len(bits), generator=generator) < share
    return torch.where(flips, 1 - bits, bits)
