"""Do draws lie among real data, and do they cover it? Balls to the k-th nearest neighbour.

    precision  share of draws inside the ball of some real row          (Kynkaanniemi et al.,
    recall     share of real rows inside the ball of some draw           NeurIPS 2019)
    density    real balls around a draw, over k; above 1 where draws     (Naeem et al.,
               crowd among real rows                                     ICML 2020)
    coverage   share of real balls that hold a draw

A collapsed generator has high precision and low recall; a scattered one the reverse. Precision and
recall are torch-fidelity's, in float64; a row on the surface of a ball is inside, in all four.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fiber_audit import UsageError

from .moments import Array, matrix


@dataclass(frozen=True)
class Neighbourhood:
    """The four numbers; all but density lie in [0, 1], and higher is better for each."""

    precision: float
    recall: float
    density: float
    coverage: float


def precision_recall(draws: Any, real: Any, k: int = 3) -> tuple[float, float]:
    """(precision, recall) of draws (n, d) among real rows (m, d)."""
    import torch
    from torch_fidelity.metric_prc import (
        KEY_METRIC_PRECISION,
        KEY_METRIC_RECALL,
        prc_features_to_metric,
    )

    a, b = _pair(draws, real, k)
    found = prc_features_to_metric(
        torch.from_numpy(a), torch.from_numpy(b), prc_neighborhood=k, verbose=False
    )
    return found[KEY_METRIC_PRECISION], found[KEY_METRIC_RECALL]


def density_coverage(draws: Any, real: Any, k: int = 5) -> tuple[float, float]:
    """(density, coverage) of draws (n, d) among real rows (m, d)."""
    from scipy.spatial.distance import cdist

    a, b = _pair(draws, real, k)
    radii = np.partition(cdist(b, b), k, axis=1)[:, k]  # the nearest row is the row itself
    inside = cdist(b, a) <= radii[:, None]
    return float(inside.sum() / (k * len(a))), float(inside.any(axis=1).mean())


def neighbourhood(draws: Any, real: Any, k: int = 3, k_density: int = 5) -> Neighbourhood:
    """All four, with the published numbers of neighbours.

    >>> real = [[0.0], [1.0], [2.0], [3.0], [4.0], [5.0]]
    >>> neighbourhood(real, real)
    Neighbourhood(precision=1.0, recall=1.0, density=1.2, coverage=1.0)
    """
    return Neighbourhood(
        *precision_recall(draws, real, k), *density_coverage(draws, real, k_density)
    )


def _pair(draws: Any, real: Any, k: int) -> tuple[Array, Array]:
    a, b = matrix(draws, "draws"), matrix(real, "real")
    if a.shape[1] != b.shape[1]:
        raise UsageError(
            f"draws have {a.shape[1]} features and real rows {b.shape[1]}: "
            "take both from one extractor."
        )
    if k < 1:
        raise UsageError(f"k = {k}: a ball reaches to the first neighbour at least.")
    if min(len(a), len(b)) <= k:
        raise UsageError(
            f"{len(a)} draws and {len(b)} real rows: the {k}-th neighbour needs more than {k} of "
            "each; add queries or lower the number of neighbours."
        )
    centre = b.mean(axis=0)
    return a - centre, b - centre
