"""Conjugate gradients on many small systems at once, without forming a matrix.

Source: Hestenes and Stiefel, 1952. Rows stop by themselves: at their tolerance, or where the
curvature is not positive (the Jacobian of a trained denoiser is only nearly symmetric).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class Solution(NamedTuple):
    """W (n, k) with A w = b; the image B w, summed on the way; |A w - b| and iterations, (n,)."""

    w: Tensor
    image: Tensor
    residual: Tensor
    iterations: Tensor


Operator = Callable[[Tensor], tuple[Tensor, Tensor]]
"""P -> (A p, B p): A p is (n, k); B p, of any shape, is a by-product of A p."""


def solve(
    operator: Operator, b: Tensor, damping: Tensor, tolerance: float, iterations: int
) -> Solution:
    """Solve (A + lambda I) w = b for each row.

    b: (n, k). damping: (n,) lambda as a multiple of the first Rayleigh quotient of A.
    A row stops where |residual| <= tolerance |b|, and after `iterations` at the latest.
    """
    w, r = torch.zeros_like(b), b.clone()
    p, rr = r.clone(), b.square().sum(1)
    goal = tolerance**2 * rr
    active = rr > 0
    used = torch.zeros(len(b), dtype=torch.long, device=b.device)
    shift: Tensor | None = None
    image: Tensor | None = None
    for _ in range(iterations):
        if not active.any():
            break
        a_p, b_p = operator(p)
        pp = p.square().sum(1)
        curvature = (p * a_p).sum(1)
        if shift is None:
            shift = damping * (curvature / pp.clamp(min=1e-30)).clamp(min=0)
        curvature = curvature + shift * pp
        active = active & (curvature > 1e-12 * pp) & curvature.isfinite()
        step = torch.where(active, rr / curvature.where(active, 1.0), 0.0)[:, None]
        w = w + step * p
        moved = step.reshape(-1, *[1] * (b_p.ndim - 1)) * b_p
        image = moved if image is None else image + moved
        r = r - step * (a_p + shift[:, None] * p)
        used += active
        rr_next = r.square().sum(1)
        active = active & (rr_next > goal)
        p = r + torch.where(active, rr_next / rr.clamp(min=1e-30), 0.0)[:, None] * p
        rr = torch.where(active, rr_next, rr)
    if image is None:
        _, b_p = operator(p)
        image = torch.zeros_like(b_p)
    return Solution(w, image, r.norm(dim=1), used)
