"""The Fréchet distance of two sets of features, exact and fast for few rows and for many.

    FD = |mu_a - mu_b|^2 + tr S_a + tr S_b - 2 tr (S_a S_b)^1/2

in squared feature units (Dowson & Landau 1982; as FID: Heusel et al., NeurIPS 2017, Eq. 6).

Notation
    mu, S   mean (d,) and covariance (d, d) of a set of n rows
    R       any root of a covariance, R'R = S
    |M|_*   nuclear norm, the sum of the singular values

For any roots, tr (S_a S_b)^1/2 = |R_a R_b'|_*: both are the sum of the square roots of the
eigenvalues of S_a S_b. Centred rows A / sqrt(n - 1) are a root, and a Householder reflection that
takes the constant vector to the first axis leaves n - 1 of them, so with few rows

    n < d        singular values of R_a R_b', n - 1 square: exact, though the covariances are not
                 of full rank
    n >= d       eigenvalues of S_a S_b through the Cholesky factor of S_b (LAPACK's symmetric
                 generalised problem), unless a covariance is singular or nearly so
    otherwise    the fallback: singular values of R_a R_b', with R from a QR decomposition of the
                 rows; if only moments are known, from the eigenvectors above rounding

Never a square root of a matrix, nor the eigenvalues of a matrix that is not symmetric. A set
without spread leaves |mu_a - mu_b|^2 + tr S of the other. Matrices of tiny or huge numbers are
brought to size 1 by a power of two, which is exact, before anything is squared again.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from scipy import linalg

from fiber_audit import UsageError

from .moments import Array, Moments, centred, matrix, too_large

EPSILON = float(np.finfo(np.float64).eps)
ROUNDING = 1e-9
"""Distances from -ROUNDING (tr S_a + tr S_b) to 0 are rounding and are returned as 0."""
ORDINARY = 250
"""Binary exponents of matrices up to which their fourth powers are float64, above and below."""
ACCURACY = 1e-12
"""Eigenvalues are trusted up to this relative error of the trace term."""


def frechet_distance(features_a: Any, features_b: Any, *, allow_unequal: bool = False) -> float:
    """Fréchet distance of two sets of features (n, d): 0 is the same mean and covariance.

    The estimate is biased upwards by about 1 / n (see `sampling_error.extrapolate`), so sets of
    different sizes are refused unless `allow_unequal`, and distances at different n must not be
    compared. Float64 throughout, whatever the type of the features.

    Raises:
        UsageError: below two rows, different d, different n, or features that are not finite.

    >>> frechet_distance([[0.0], [2.0]], [[1.0], [5.0]])   # (1 - 3)^2 + (sqrt 2 - sqrt 8)^2
    6.0
    """
    a, b = matrix(features_a, "features_a"), matrix(features_b, "features_b")
    _check(len(a), len(b), a.shape[1], b.shape[1], allow_unequal)
    (mean_a, a), (mean_b, b) = centred(a), centred(b)
    free_a, free_b = len(a) - 1, len(b) - 1
    cross = trace_term(a, b) / np.sqrt(free_a * free_b)
    return _assemble(mean_a, mean_b, np.vdot(a, a) / free_a, np.vdot(b, b) / free_b, cross)


def frechet_distance_of_moments(a: Moments, b: Moments, *, allow_unequal: bool = False) -> float:
    """Fréchet distance from mergeable moments alone, e.g. of shards or of published statistics.

    With singular covariances rounding in M2 limits the accuracy to about 1e-7 of the trace; where
    the rows are at hand, `frechet_distance` is exact.

    >>> unit = np.eye(2)
    >>> a, b = Moments.given([0, 0], unit, 9), Moments.given([3, 4], unit, 9)
    >>> round(frechet_distance_of_moments(a, b), 12)
    25.0
    """
    _check(a.n, b.n, len(a.mean), len(b.mean), allow_unequal)
    s_a, s_b = a.covariance, b.covariance
    cross = _generalised(s_a, s_b)
    if cross is None:
        cross = _nuclear(_spectral_root(s_a) @ _spectral_root(s_b).T)
    return _assemble(a.mean, b.mean, np.trace(s_a), np.trace(s_b), cross, tolerance=1e-6)


def trace_term(a: Array, b: Array) -> float:
    """The trace of (A'A B'B)^1/2 for centred rows A (n, d) and B (m, d)."""
    if min(len(a), len(b)) >= a.shape[1]:
        fast = _generalised(a.T @ a, b.T @ b)
        if fast is not None:
            return fast
    product = _root(a) @ _root(b).T
    product = _reflected(product) if len(a) <= a.shape[1] else product
    product = _reflected(product.T).T if len(b) <= b.shape[1] else product
    return _nuclear(product)


def _root(rows: Array) -> Array:
    """R with R'R = A'A: the rows themselves, or if they are many, (d, d) from A = Q R."""
    n, d = rows.shape
    if n <= d:
        return rows
    (r,) = linalg.qr(rows, mode="r", check_finite=False)
    root: Array = r[:d]
    return root


def _reflected(product: Array) -> Array:
    """Centred rows, n -> n - 1: reflect the constant vector to the first row, which is then 0."""
    reflected: Array = product[1:] + product[0] / (np.sqrt(len(product)) - 1)
    return reflected


def _nuclear(product: Array) -> float:
    """|M|_*, exact to rounding for any rank.

    Through the eigenvalues of the Gram matrix, which take two thirds of the time, where those are
    accurate; else through the singular values.
    """
    if not product.any():
        return 0.0
    product, size = _tamed(product)
    wide = product.shape[0] < product.shape[1]
    gram = product @ product.T if wide else product.T @ product
    values = linalg.eigvalsh(gram, check_finite=False)
    fast = _sum_of_roots(values, values[-1])
    if fast is not None:
        return size * fast
    return size * float(linalg.svd(product, compute_uv=False, check_finite=False).sum())


def _generalised(s_a: Array, s_b: Array) -> float | None:
    """The trace term from the eigenvalues of S_a S_b, or None where they are not accurate.

    LAPACK's sygv of type 2 solves S_a S_b v = l v through the symmetric L' S_a L, S_b = L L'.
    """
    if not (s_a.any() and s_b.any()):
        return 0.0
    (s_a, size_a), (s_b, size_b) = _tamed(s_a), _tamed(s_b)
    try:
        values = linalg.eigvalsh(
            s_a,
            s_b,
            type=2,
            driver="gv",  # type: ignore[arg-type]  # which the stubs lack
            check_finite=False,
        )
    except linalg.LinAlgError:
        return None
    found = _sum_of_roots(values, _largest_eigenvalue(s_a) * _largest_eigenvalue(s_b))
    return None if found is None else found * np.sqrt(size_a) * np.sqrt(size_b)


def _tamed(x: Array) -> tuple[Array, float]:
    """(x / size, size), where size is 1, or for an x that is tiny or huge its own power of four.

    >>> _tamed(np.array([[24.0, 0.0]]))
    (array([[24.,  0.]]), 1.0)
    >>> _tamed(np.array([[24 * 4.0**200, 0.0]]))[0]
    array([[0.375, 0.   ]])
    """
    exponent = math.frexp(np.abs(x).max())[1]
    if abs(exponent) <= ORDINARY:
        return x, 1.0
    size = 2.0 ** max(exponent + exponent % 2, -1000)
    return x / size, size


def _largest_eigenvalue(covariance: Array, iterations: int = 20) -> float:
    """About |S|, from below, by the power method: an order of magnitude is all that is needed."""
    v = covariance[np.argmax(np.diagonal(covariance))]
    for _ in range(iterations):
        v = covariance @ (v / np.linalg.norm(v))
    return float(np.linalg.norm(v))


def _sum_of_roots(values: Array, size: float) -> float | None:
    """Sum of sqrt(values) for ascending eigenvalues, or None where rounding spoils it.

    size: of the numbers that the eigenvalues were computed from; for a product, that of its
    factors, however small their product is. Each eigenvalue l has an error of about eps size, so
    its root has eps size / (2 sqrt l): the sum of these, for the eigenvalues found, is an estimate
    of the error of the whole.
    """
    if not values[0] > len(values) * EPSILON * size:
        return None
    roots = np.sqrt(values)
    error = (EPSILON * size / 2 / roots).sum()
    return float(roots.sum()) if error <= ACCURACY * roots.sum() else None


def _spectral_root(covariance: Array) -> Array:
    """R (r, d) from the eigenvectors whose eigenvalue is above rounding."""
    values, vectors = linalg.eigh(covariance, check_finite=False)
    keep = values > max(len(values) * EPSILON * values[-1], 0)
    root: Array = np.sqrt(values[keep])[:, None] * vectors[:, keep].T
    return root


def _assemble(
    mean_a: Array,
    mean_b: Array,
    trace_a: float,
    trace_b: float,
    cross: float,
    tolerance: float = ROUNDING,
) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        difference = mean_a - mean_b
        value = float(difference @ difference + trace_a + trace_b - 2 * cross)
    if not np.isfinite(value):
        raise too_large()
    if value < -tolerance * float(trace_a + trace_b):
        warnings.warn(
            f"a Fréchet distance of {value:.3g} is below rounding: the features span too many "
            "magnitudes for float64, and it is returned as 0.",
            stacklevel=3,
        )
    return max(value, 0.0)


def _check(n_a: int, n_b: int, d_a: int, d_b: int, allow_unequal: bool) -> None:
    if d_a != d_b:
        raise UsageError(f"the sets have {d_a} and {d_b} features: take both from one extractor.")
    if min(n_a, n_b) < 2:
        raise UsageError(f"the sets have {n_a} and {n_b} rows: a covariance needs at least 2.")
    if n_a != n_b and not allow_unequal:
        raise UsageError(
            f"the sets have {n_a} and {n_b} rows: a Fréchet distance depends on n, so take as many "
            "of each, or pass allow_unequal=True and say so beside the number."
        )
