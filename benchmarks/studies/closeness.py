"""How near are draws to held-out data, beside other real ones, in the features of a network?"""

from __future__ import annotations

from fiber_audit_diffusers.trained.kernel_distance import kernel_distance
from torch import Tensor


def biased(x: Tensor, y: Tensor) -> float:
    """The squared distance with all pairs, (x . y / d + 1)^3, in float64; at least 0."""
    x, y = x.double(), y.double()
    xx, yy, xy = ((a @ b.T / x.shape[1] + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    return float(xx.mean() + yy.mean() - 2 * xy.mean())


def closeness(draws: Tensor, other: Tensor, real: Tensor, gaussian: Tensor) -> dict[str, float]:
    """Features (n, d) of draws, of other real data and of a Gaussian, each against real ones.

    distance, stderr, real and gaussian are unbiased kernel distances (KID); ratio is that of the
    biased ones of draws and of other real data.
    """
    kid, floor, mark = (kernel_distance(x, real) for x in (draws, other, gaussian))
    assert kid is not None
    assert floor is not None
    assert mark is not None
    ours, theirs = biased(draws, real), biased(other, real)
    return {
        "distance": kid.value,
        "stderr": kid.stderr,
        "real": floor.value,
        "gaussian": mark.value,
        "biased": ours,
        "biased_real": theirs,
        "ratio": ours / theirs,
    }
