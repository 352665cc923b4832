"""A mixture of Gaussians, one a class: its velocity is known, and a network has less to learn."""

from __future__ import annotations

import torch
from torch import Tensor, nn

LEAST = 1e-3


class Mixture(nn.Module):
    """Exact v(z_t, t) = E[eps - z | z_t] and P(class | z_t), for z_t = (1 - t) z + t eps.

    Classes are alike frequent. Each covariance has `rank` directions with a variance of their own,
    and one variance for all others; with components - 1 of them it is any covariance.
    """

    means: Tensor
    bases: Tensor
    variances: Tensor
    rest: Tensor

    def __init__(self, classes: int, components: int, rank: int) -> None:
        super().__init__()
        self.register_buffer("means", torch.zeros(classes, components))
        self.register_buffer("bases", torch.zeros(classes, rank, components))
        self.register_buffer("variances", torch.ones(classes, rank))
        self.register_buffer("rest", torch.ones(classes))

    def measure(self, z: Tensor, classes: Tensor, shared: float = 0.0) -> None:
        """From components (n, d) and their classes (n,), in float64; no variance below LEAST.

        shared: by how much of the way each covariance is drawn to the mean one, as wide as itself:
        against chance where a class has few items. Their mean stays what it is.
        """
        rank, each = self.variances.shape[1], range(len(self.means))
        covariances = torch.stack([z[classes == c].double().T.cov(correction=0) for c in each])
        widths = covariances.diagonal(dim1=1, dim2=2).mean(1)
        mean = covariances.mean(0) / widths.mean()
        for c in each:
            found = torch.lerp(covariances[c], widths[c] * mean, shared)
            values, vectors = torch.linalg.eigh(found)
            self.means[c] = z[classes == c].double().mean(0)
            self.bases[c] = vectors.flip(1).T[:rank]
            self.variances[c] = values.flip(0)[:rank].clamp(min=LEAST)
            self.rest[c] = values.flip(0)[rank:].mean().clamp(min=LEAST)

    def forward(self, z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """(n, d), times (n,) in [0, 1] -> velocity (n, d), and the classes' shares (n, classes)."""
        velocities, log = self.by_class(z, t)
        shares = log.softmax(1)
        return torch.einsum("nc,ncd->nd", shares, velocities), shares

    def by_class(self, z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Each class alone: its velocity (n, classes, d), its log density but for a constant."""
        s, a = t[:, None, None], 1 - t[:, None, None]
        y = z[:, None] - a * self.means  # (n, classes, d)
        inner = torch.einsum("ncd,crd->ncr", y, self.bases)
        whole = a.square() * self.variances + s.square()
        whole_rest = a.square() * self.rest[:, None] + s.square()
        share, share_rest = (
            (s - a * self.variances) / whole,
            (s - a * self.rest[:, None]) / whole_rest,
        )
        back = torch.einsum("ncr,crd->ncd", (share - share_rest) * inner, self.bases)
        v = share_rest * y + back - self.means
        others = y.square().sum(2) - inner.square().sum(2)
        left = y.shape[2] - inner.shape[2]
        log = (inner.square() / whole + whole.log()).sum(2) + others / whole_rest[..., 0]
        return v, -0.5 * (log + left * whole_rest[..., 0].log())
