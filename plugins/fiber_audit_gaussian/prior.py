"""The prior `gaussian`: mean and covariance of the user's own data, and nothing else."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fiber_audit import DataError, WeightsError
from fiber_audit.contracts import Dataset, Fitting, NonNegativeInt, Prediction, Prior
from fiber_audit.loading import digest_of, fingerprint
from fiber_audit.sampling import FlowSchedule, derive_seed, noise_of

from . import artefact
from .denoiser import Denoiser
from .moments import moments_of, rank_for

CHUNK = 256
RESIDUE = 1e-12
"""Of the largest number of a column: less spread than this is rounding, in float64."""
WORDS = "a Gaussian fitted to the data: blurry, the floor that a trained prior must beat"


class Scaling(nn.Module):
    """State = (x - center) / scale: [0, 1] to [-1, 1] for pictures, standardised columns else.

    Calling it decodes, so that a hook on it counts the decodings.
    """

    center: Tensor
    scale: Tensor

    def __init__(self, center: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.register_buffer("center", center)
        self.register_buffer("scale", scale)

    def forward(self, state: Tensor) -> Tensor:
        """State -> data space."""
        return state * self.scale + self.center

    def encode(self, x: Tensor) -> Tensor:
        """Data space -> state."""
        return (x - self.center) / self.scale


class GaussianPrior(Prior):
    """A Gaussian with mean and covariance of your data, fitted by `fiber-audit fit` in seconds.

    Its denoiser is exact. It knows which numbers go together and nothing more: pictures drawn from
    it are blurred mixtures. It lets you try an audit before you train anything, on pictures as on
    tables, and is the mark that a trained prior must beat. Paths are straight (a flow schedule):
    they begin in pure noise, whose law does not depend on the data, and allow any number of steps.

    Args:
        path: folder of the fit.
        rank: principal components to keep; the variance of all others is spread evenly. 0: all up
            to 4,096 dimensions, 512 above, and half of what the items span where they are fewer
            than the dimensions.
    """

    lossless = True

    def __init__(self, path: str, rank: NonNegativeInt = 0) -> None:
        found = artefact.read(Path(path).expanduser())
        if found is None:
            raise WeightsError(f"{path}: nothing is fitted there; run: fiber-audit fit SUITE")
        if found.facts["rank"] != rank:
            raise WeightsError(
                f"{path}: was fitted with other options (rank {found.facts['rank']}, not {rank}); "
                f"set them so, or run: fiber-audit fit SUITE"
            )
        part = found.tensors
        self.network = Denoiser(part["mean"], part["vectors"], part["values"], part["rest"]).eval()
        self.scaling = Scaling(part["center"], part["scale"]).eval()
        self.schedule = FlowSchedule()
        self.state_shape = tuple(found.facts["shape"])
        self.data_range = (0.0, 1.0) if len(self.state_shape) == 3 else None
        self.weights_sha256 = digest_of(self.modules, "gaussian")
        count, items = len(part["values"]), found.facts["items"]
        self.facts = {"prior": WORDS, "fitted to": f"{items:,} items, {count:,} components"}

    def predict(self, x_t: Tensor, t: Tensor) -> Prediction:
        """The exact posterior means."""
        x0 = self.network(x_t, self.schedule.alpha(t), self.schedule.sigma(t))
        return Prediction(x0, noise_of(self.schedule, x_t, x0, t))

    def decode(self, state: Tensor) -> Tensor:
        """State -> data space."""
        return self.scaling(state)

    def encode(self, x: Tensor) -> Tensor:
        """Data space -> state."""
        return self.scaling.encode(x)

    @classmethod
    def fit(cls, task: Fitting, **options: Any) -> None:
        """Fit to the data; at once if these data were fitted with these options.

        Raises:
            DataError: fewer than two items, or one of them is not finite.
        """
        chosen = inspect.signature(cls).bind(**options)
        chosen.apply_defaults()
        folder, rank = Path(chosen.arguments["path"]).expanduser(), chosen.arguments["rank"]
        digest, data = fingerprint(task.data), task.data
        before = artefact.read(folder)
        if before and (before.facts["rank"], before.facts["digest"]) == (rank, digest):
            task.say(f"{folder}: is fitted already")
            return
        if len(data) < 2:
            raise DataError(f"{len(data)} training items: a covariance needs at least 2.")
        shape, d = tuple(data.data_shape), prod(data.data_shape)
        generator = torch.Generator().manual_seed(derive_seed(task.seed, "subspace"))
        scaling = _scaling(data)
        found = moments_of(
            lambda: (scaling.encode(x).flatten(1) for x in _chunks(data)),
            d,
            rank_for(len(data), d, rank),
            generator,
        )
        tensors = {
            "mean": found.mean,
            "vectors": found.vectors,
            "values": found.values,
            "rest": torch.tensor(found.rest),
            "center": scaling.center,
            "scale": scaling.scale,
        }
        facts = {"rank": rank, "digest": digest, "items": len(data), "shape": shape}
        artefact.Fitted(tensors, facts).write(folder)
        task.say(f"{folder}: fitted to {len(data):,} items, {len(found.values):,} components")


def _chunks(data: Dataset) -> Iterator[Tensor]:
    """All items in float64."""
    for first in range(0, len(data), CHUNK):
        found = data.load(range(first, min(first + CHUNK, len(data)))).double()
        if not found.isfinite().all():
            raise DataError(f"{data.ids[first]} or one of the next {CHUNK}: not finite; mend it.")
        yield found


def _scaling(data: Dataset) -> Scaling:
    """[0, 1] to [-1, 1] for pictures; mean and deviation of each column of a table.

    A constant column is divided by 1.
    """
    if len(data.data_shape) == 3:
        return Scaling(torch.tensor(0.5), torch.tensor(0.5))
    n, mean, square, size = 0, torch.zeros(()), torch.zeros(()), torch.zeros(())
    for x in _chunks(data):  # Welford's way, chunk by chunk
        n, before = n + len(x), mean
        mean = mean + (x - mean).sum(0) / n
        square = square + ((x - before) * (x - mean)).sum(0)
        size = torch.maximum(size, x.abs().amax(0))
    std = (square / (n - 1)).sqrt()
    least = (RESIDUE * size).clamp(min=torch.finfo(torch.float32).tiny)
    return Scaling(mean, torch.where(std > least, std, 1.0))
