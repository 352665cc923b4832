"""Kernel distances of two sets of features: KID through torch-fidelity, and CMMD's Gaussian.

    MMD^2(X, Y) = E k(x, x') + E k(y, y') - 2 E k(x, y)

KID: k(x, y) = (x'y / d + 1)^3, unbiased, so it may fall a little below 0 (Binkowski et al., ICLR
2018). Its value does not depend on n, only its error does. CMMD: k(x, y) = exp(-|x - y|^2 / (2
sigma^2)), biased, times 1000 (Jayasumana et al., CVPR 2024, with sigma = 10 on CLIP embeddings).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fiber_audit import UsageError

from .moments import Array, matrix


@dataclass(frozen=True)
class OverSubsets:
    """KID over random subsets: mean and standard deviation, how many, how large."""

    mean: float
    std: float
    subsets: int
    subset_size: int


def kernel_distance(
    features_a: Any,
    features_b: Any,
    seed: int = 0,
    subsets: int = 100,
    subset_size: int = 1000,
    paired: bool = False,
) -> OverSubsets:
    """KID of two sets (n, d) in torch-fidelity's own code, in float64 and with its own seed.

    Sets of at most `subset_size` rows are compared whole, once: every subset would be the same.
    Sets of different sizes are cut to the smaller one by the subsets, and only by them.
    paired: row i of one set depends on row i of the other, as a draw does on its query. Then the
    pairs are left out of the mean of k(x, y) (the U-statistic), which keeps KID unbiased.
    """
    import torch
    from torch_fidelity.metric_kid import (
        KEY_METRIC_KID_MEAN,
        KEY_METRIC_KID_STD,
        kernel_poly,
        kid_features_to_metric,
        mmd2,
    )

    a, b = _pair(features_a, features_b)
    smallest = min(len(a), len(b))
    if subsets < 1 or subset_size < 2:
        raise UsageError(
            f"subsets = {subsets}, subset_size = {subset_size}: take at least one subset of two."
        )
    if smallest < 2:
        raise UsageError(f"the sets have {len(a)} and {len(b)} rows: KID needs at least 2.")
    if paired and len(a) != len(b):
        raise UsageError(f"the sets have {len(a)} and {len(b)} rows: pairs need as many of each.")
    size = min(smallest, subset_size)
    if len(a) == len(b) == size:
        subsets = 1
    if paired:
        rng = np.random.default_rng(seed)
        found = []
        for _ in range(subsets):
            rows = np.sort(rng.choice(len(a), size, replace=False))
            x, y = a[rows], b[rows]
            kernels = kernel_poly(x, x), kernel_poly(x, y), kernel_poly(y, y)
            found.append(mmd2(*kernels, mmd_est="u-statistic"))
        return OverSubsets(float(np.mean(found)), float(np.std(found)), subsets, size)
    result = kid_features_to_metric(
        torch.from_numpy(a),
        torch.from_numpy(b),
        kid_subsets=subsets,
        kid_subset_size=size,
        rng_seed=seed % 2**32,
        verbose=False,
    )
    return OverSubsets(result[KEY_METRIC_KID_MEAN], result[KEY_METRIC_KID_STD], subsets, size)


def gaussian_kernel_distance(
    features_a: Any, features_b: Any, sigma: float | None = None, scale: float = 1000.0
) -> float:
    """CMMD-style biased MMD^2 times scale; 0 for identical sets.

    sigma: bandwidth in feature units, 10 for CLIP embeddings as published; None takes the median
    distance within features_b, which suits any extractor and makes numbers of different reference
    sets incomparable.

    >>> gaussian_kernel_distance([[0.0], [2.0]], [[0.0], [2.0]], sigma=1.0)
    0.0
    >>> round(gaussian_kernel_distance([[0.0]], [[2.0]], sigma=1.0, scale=1.0), 4)  # 2 - 2 e^-2
    1.7293
    """
    a, b = _pair(features_a, features_b)
    if sigma is not None and sigma <= 0:
        raise UsageError(f"sigma = {sigma}: a bandwidth is above 0; leave it out for the median.")
    if sigma is None:
        within = _squared(b, b)[np.triu_indices(len(b), 1)]
        sigma = float(np.sqrt(np.median(within))) if len(within) else 0.0
        if sigma == 0.0:
            raise UsageError("most rows of features_b are the same: give sigma.")
    k_aa, k_bb, k_ab = (
        float(np.exp(-_squared(x, y) / (2 * sigma**2)).mean()) for x, y in ((a, a), (b, b), (a, b))
    )
    return max(scale * (k_aa + k_bb - 2 * k_ab), 0.0)


def _squared(a: Array, b: Array) -> Array:
    """Squared distances (n, m), by differences: exact for equal rows."""
    from scipy.spatial.distance import cdist

    distances: Array = cdist(a, b, "sqeuclidean")
    return distances


def _pair(features_a: Any, features_b: Any) -> tuple[Array, Array]:
    a, b = matrix(features_a, "features_a"), matrix(features_b, "features_b")
    if a.shape[1] != b.shape[1]:
        raise UsageError(
            f"the sets have {a.shape[1]} and {b.shape[1]} features: take both from one extractor."
        )
    return a, b
