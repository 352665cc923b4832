"""An attribute that a linear probe reads, fitted on data of the user's own.

    X       standardised pixels, or columns, of the fitting rows, (n, d)
    y       a number, or for each class 1 for its rows and 0 for others, centred
    beta    (X^T X + lambda I)^-1 X^T y, by the singular values s of X
    lambda  that of least n ||y - X beta||^2 / (n - sum s^2 / (s^2 + lambda))^2, generalised
            cross-validation

Source: Golub, Heath & Wahba, "Generalized cross-validation as a method for choosing a good ridge
parameter", Technometrics 1979.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fiber_audit import DataError
from fiber_audit.contracts import Attribute, NonNegativeInt

Array = NDArray[np.float64]
SIDE = 32
"""Larger images are averaged down to this side."""
LAMBDAS = np.logspace(-2, 6, 33)


class LinearProbe(Attribute):
    """`linear-probe`: read by ridge regression on pixels or columns.

    It is fitted to two thirds of a file; the other third says how good it is.

    Args:
        data: an .npz with `inputs` (n, ...), floats in data space or uint8 images, and `values`
            (n,): integers are classes, floats are numbers.
        seed: of the division into thirds.
    """

    def __init__(self, data: str, seed: NonNegativeInt = 0) -> None:
        inputs, values = _read(Path(data))
        x = _flat(torch.from_numpy(inputs)).numpy()
        order = np.random.default_rng(seed).permutation(len(x))
        fitted, held = np.split(order, [len(order) * 2 // 3])
        self.kind: Literal["number", "class"] = (
            "class" if np.issubdtype(values.dtype, np.integer) else "number"
        )
        self.shape = inputs.shape[1:]
        if self.kind == "class":
            self.classes = np.unique(values)
            wanted = (values[:, None] == self.classes[None]).astype(np.float64)
            self.chance = float(max((values[held] == c).mean() for c in self.classes))
        else:
            wanted = values[:, None].astype(np.float64)
        self.ridge = Ridge.fitted(x[fitted], wanted[fitted])
        found = self.ridge(x[held])
        if self.kind == "class":
            self.accuracy = float((self.classes[found.argmax(1)] == values[held]).mean())
        else:
            left = ((found - wanted[held]) ** 2).sum()
            spread = ((wanted[held] - wanted[held].mean()) ** 2).sum()
            self.accuracy = float(1 - left / spread)
        digest = sha256(self.ridge.slope.tobytes() + self.ridge.centre.tobytes())
        self.weights_sha256 = digest.hexdigest()

    def read(self, x: Tensor) -> Tensor:
        """Data space (n, ...) -> a number (n,), or a class (n,) int64."""
        if tuple(x.shape[1:]) != self.shape:
            raise DataError(
                f"attribute linear-probe: was fitted to inputs of {self.shape}, but these are "
                f"{tuple(x.shape[1:])}; fit it to data of this shape."
            )
        found = self.ridge(_flat(x).cpu().numpy())
        if self.kind == "class":
            return torch.from_numpy(self.classes[found.argmax(1)].astype(np.int64)).to(x.device)
        return torch.from_numpy(found[:, 0]).to(x.device)


@dataclass(frozen=True)
class Ridge:
    """Predicts (n, m) from (n, d): (x - centre) slope + level, all float64."""

    centre: Array
    slope: Array
    level: Array

    @classmethod
    def fitted(cls, x: Array, y: Array) -> Ridge:
        """Least squares with the penalty of least generalised cross-validation."""
        centre, level = x.mean(0), y.mean(0)
        scale = np.maximum(x.std(0), 1e-6)
        u, s, vt = np.linalg.svd((x - centre) / scale, full_matrices=False)
        along, n = u.T @ (y - level), len(x)
        outside = ((y - level) ** 2).sum() - (along**2).sum()

        def criterion(penalty: float) -> float:
            kept = s**2 / (s**2 + penalty)
            left = (((1 - kept)[:, None] * along) ** 2).sum() + outside
            return float(n * left / max(n - 1 - kept.sum(), 1e-9) ** 2)

        penalty = min(LAMBDAS, key=criterion)
        slope = (vt.T @ ((s / (s**2 + penalty))[:, None] * along)) / scale[:, None]
        return cls(centre, slope, level)

    def __call__(self, x: Array) -> Array:
        """Rows (n, d) -> (n, m)."""
        return np.asarray((x - self.centre) @ self.slope + self.level)


def _flat(x: Tensor) -> Tensor:
    """Inputs (n, ...) -> (n, d) float64; large images are averaged down."""
    if x.ndim == 4 and max(x.shape[2:]) > SIDE:
        x = torch.nn.functional.adaptive_avg_pool2d(x, SIDE)
    return x.double().flatten(1)


def _read(path: Path) -> tuple[NDArray[np.float32], NDArray[np.generic]]:
    """Inputs in data space and their values.

    Raises:
        DataError: there is no such file, or it holds something else.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            inputs, values = file["inputs"], file["values"]
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"attribute linear-probe, data = '{path}': cannot be read ({error}); give an .npz with "
            f"arrays `inputs` and `values`."
        ) from error
    if len(inputs) != len(values) or values.ndim != 1 or len(inputs) < 6:
        raise DataError(
            f"attribute linear-probe, data = '{path}': inputs are {inputs.shape} and values "
            f"{values.shape}; give one value per input, of six inputs or more."
        )
    if inputs.dtype == np.uint8:
        inputs = inputs.astype(np.float32) / 255
    return np.ascontiguousarray(inputs, dtype=np.float32), values
