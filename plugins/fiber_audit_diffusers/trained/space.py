"""Where a trained prior lives: pixels, the columns of a table, or an autoencoder's latents."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from fiber_audit import WeightsError

from .networks import multiple_of
from .recipe import Recipe

FILE = "normalisation.safetensors"
RESIDUE = 1e-12
"""Of the largest number of a column: less spread than this is rounding, in float64."""


class Space(nn.Module):
    """Data space (n, *data_shape) to the states of a prior (n, *state_shape), and back.

    Calling it decodes, so that a hook on it counts the decodings.
    """

    state_shape: tuple[int, ...]
    clip: tuple[float, float] | None = None
    data_range: tuple[float, float] | None = (0.0, 1.0)
    lossless: bool = True
    measured: tuple[str, ...] = ()
    """Names of the tensors that come from the training data."""

    @abstractmethod
    def encode(self, x: Tensor) -> Tensor:
        """Data -> state."""

    @abstractmethod
    def forward(self, state: Tensor) -> Tensor:
        """State -> data, differentiable, not clamped."""

    def measure(self, batches: Iterable[Tensor]) -> None:
        """Learn what has to be known of the training data; by default nothing."""

    def save(self, folder: Path) -> None:
        """Write what was measured."""
        if self.measured:
            state = self.state_dict()
            found = {name: state[name].cpu().contiguous() for name in self.measured}
            save_file(found, folder / FILE)

    def load(self, folder: Path) -> None:
        """Read what was measured.

        Raises:
            WeightsError: the file holds other tensors, or of other shapes.
        """
        if self.measured:
            found, own = load_file(folder / FILE), self.state_dict()
            shapes = {name: tuple(value.shape) for name, value in found.items()}
            wanted = {name: tuple(own[name].shape) for name in self.measured}
            if shapes != wanted:
                raise WeightsError(
                    f"{folder / FILE}: holds {shapes or 'nothing'}, not {wanted}; delete the "
                    f"folder, and run: fiber-audit fit SUITE"
                )
            self.load_state_dict(found, strict=False)


class Pixels(Space):
    """Pictures in [-1, 1]; a side that the network cannot halve gets a rim, and loses it again.

    The rim is on the right and at the bottom and repeats the edge, so that the network learns it
    like any other part of the picture. patch > 1 folds patches into channels, for a unet.
    """

    clip = (-1.0, 1.0)

    def __init__(self, recipe: Recipe, data_shape: tuple[int, ...]) -> None:
        super().__init__()
        channels, self.height, self.width = data_shape
        unit = multiple_of(recipe)
        height, width = (-(-side // unit) * unit for side in (self.height, self.width))
        if recipe.network == "dit":  # diffusers' knows squares only
            height = width = max(height, width)
        self.rim = (0, width - self.width, 0, height - self.height)
        self.patch = recipe.patch if recipe.network == "unet" else 1
        p = self.patch
        self.state_shape = (channels * p * p, height // p, width // p)

    def encode(self, x: Tensor) -> Tensor:
        """(n, c, h, w) in [0, 1] -> state in [-1, 1]."""
        x = x * 2 - 1
        if any(self.rim):
            x = F.pad(x, self.rim, mode="replicate")
        return pixel_unshuffle(x, self.patch) if self.patch > 1 else x

    def forward(self, state: Tensor) -> Tensor:
        """State in [-1, 1] -> (n, c, h, w) in [0, 1]."""
        x = pixel_shuffle(state, self.patch) if self.patch > 1 else state
        return (x[..., : self.height, : self.width] + 1) / 2


class Columns(Space):
    """The columns of a table, each less its mean and by its standard deviation."""

    data_range = None
    measured = ("mean", "std")
    mean: Tensor
    std: Tensor

    def __init__(self, data_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.state_shape = tuple(data_shape)
        self.register_buffer("mean", torch.zeros(data_shape))
        self.register_buffer("std", torch.ones(data_shape))

    def encode(self, x: Tensor) -> Tensor:
        """Columns -> standardised."""
        return (x - self.mean) / self.std

    def forward(self, state: Tensor) -> Tensor:
        """Standardised -> columns."""
        return state * self.std + self.mean

    def measure(self, batches: Iterable[Tensor]) -> None:
        """Mean and standard deviation of each column; 1 for a constant one."""
        mean, std = moments(batches, along=(0,), residue=RESIDUE)
        self.mean.copy_(mean)
        self.std.copy_(std)


def moments(
    batches: Iterable[Tensor], along: tuple[int, ...], residue: float
) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation over some dimensions of all batches, in float64.

    residue: share of the largest number; where the deviation is not above it, it is rounding, and
    1 is returned.
    """
    count, total, square, size = 0, torch.zeros(()), torch.zeros(()), torch.zeros(())
    center: Tensor | None = None
    for batch in batches:
        rows = batch.detach().cpu().double()
        size = torch.maximum(size, rows.abs().amax(along))
        if center is None:  # shifted sums: no digits are lost where the mean is large
            center = rows.mean(along, keepdim=True)
        rows = rows - center
        count += rows.numel() // rows.sum(along).numel()
        total, square = total + rows.sum(along), square + rows.square().sum(along)
    assert center is not None
    mean = total / count
    std = (square / count - mean.square()).clamp(min=0).sqrt()
    least = (residue * size).clamp(min=torch.finfo(torch.float32).tiny)
    return mean + center.reshape(mean.shape), torch.where(std > least, std, 1.0)
