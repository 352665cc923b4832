"""What the prior does not say of itself, measured once for each prior, extractor and grid.

From draws x_0 of the prior, noised to every time t of the grid:

    v_t = E |x_0 - x0(x_t)|^2 / d                the variance that a step has to add (1)
    D_t = [E e e' - E J V J']_+                  what the linear model of the features misses (2)

with e = W'(phi(x_0) - phi(x0(x_t))), and [.]_+ the positive part. W are the directions in feature
space that are looked at: all, or the principal ones of the draws where there are too many.

Source of (1): Bao et al., Analytic-DPM, ICLR 2022. A prior whose steps lack it is under-dispersed.
(2) is ours: where phi is curved over the width of the posterior, J V J' is not the variance of the
features, at worst zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from fiber_audit.contracts import Extractor, Prior, Problem, data_of
from fiber_audit.sampling import Noise, denoised, derive_seed, over, unguided

from .sight import View, looked

ROOT = "twisted calibration"
PROBES = 8
STEPS = 100
"""Of the unguided draws that calibrate, with fresh noise as in DDPM."""
SPREAD = 1e-6
"""A direction whose variance is below this share of the mean one is constant: it is left out."""


class Level(NamedTuple):
    """A time of the grid: v_t, a number, and D_t (m, m)."""

    variance: float
    missed: Tensor
    probes: Tensor


@dataclass(frozen=True)
class Calibration:
    """directions W (d_h, m) as from `principal`; a level for each time of the grid but the last."""

    directions: Tensor
    levels: tuple[Level, ...]


@torch.no_grad()
def calibrated(
    extractor: Extractor, prior: Prior, times: Tensor, directions: int, draws: int
) -> Calibration:
    """Measure Eq. (1) and (2) at times (T,) with noise; the same at every call."""
    prior = prior.select(torch.zeros(draws, dtype=torch.int64))
    noise = Noise([derive_seed(ROOT, i) for i in range(draws)])
    x0 = unguided(prior, noise, steps=STEPS, eta=1.0)
    data = data_of(prior, x0)
    features = extractor.features(data)
    w = principal(features, directions)
    view = View(Problem(extractor, prior, data, features), w)
    levels = []
    for t in times:
        z = noise.normal(prior.state_shape, like=x0)
        x = over(prior.schedule.alpha(t), x0) * x0 + over(prior.schedule.sigma(t), x0) * z
        errors = x0 - denoised(prior, x, t).x0
        probes = torch.cat([errors[:PROBES], -errors[:PROBES]])
        seen = looked(view, x, t, probes)
        variance = float(errors.square().mean())
        missed = seen.residual.T @ seen.residual / draws - seen.spread.mean(0)
        levels.append(Level(variance, positive(missed), probes))
    return Calibration(w, tuple(levels))


def principal(features: Tensor, most: int) -> Tensor:
    """At most so many principal directions of features (n, d_h): (d_h, m).

    All have one length, with which the features they show have unit variance in the mean.

    >>> principal(torch.tensor([[3.0, 5.0], [-3.0, 5.0]]), 8).abs()
    tensor([[0.3333],
            [0.0000]])
    """
    centred = (features - features.mean(0)).double()
    variance, basis = torch.linalg.eigh(centred.T @ centred / len(features))
    variance, basis = variance.flip(0)[:most], basis.flip(1)[:, :most]
    kept = variance > SPREAD * variance.mean()
    return (basis[:, kept] / variance[kept].mean().sqrt()).to(features)


def positive(matrix: Tensor) -> Tensor:
    """The positive part of a symmetric matrix (m, m).

    >>> positive(torch.tensor([[2.0, 0.0], [0.0, -1.0]]))
    tensor([[2., 0.],
            [0., 0.]])
    """
    values, vectors = torch.linalg.eigh((matrix + matrix.mT) / 2)
    return (vectors * values.clamp(min=0)) @ vectors.mT
