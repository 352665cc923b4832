"""The exact denoiser of a mixture of Gaussians, and of a colour that is one of two.

State (z, c): z (n, d) is drawn from component k with probability w_k of the label, then from
N(m_k, C_k) with C_k = V_k diag(values_k) V_k' + rest_k (I - V_k V_k'); c is 1 with the probability
that the label gives it, else -1. Given the label both are independent, so that

    E[z | z_t] = sum_k p(k | z_t) (m_k + alpha C_k (alpha^2 C_k + sigma^2 I)^-1 (z_t - alpha m_k))
    E[c | c_t] = tanh(alpha c_t / sigma^2 + log odds / 2)

with p(k | z_t) proportional to w_k N(z_t; alpha m_k, alpha^2 C_k + sigma^2 I).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fiber_audit.sampling import over

SMALLEST = 1e-12
"""Of a variance."""


class Mixture(nn.Module):
    """K components of rank r in d dimensions; weights (2, K) and odds (2,) by label."""

    weights: Tensor
    odds: Tensor
    means: Tensor
    vectors: Tensor
    values: Tensor
    rest: Tensor

    def __init__(self, components: int, d: int, rank: int) -> None:
        super().__init__()
        self.register_buffer("weights", torch.full((2, components), 1 / components))
        self.register_buffer("odds", torch.ones(2))
        self.register_buffer("means", torch.zeros(components, d))
        self.register_buffer("vectors", torch.zeros(components, d, rank))
        self.register_buffer("values", torch.ones(components, rank))
        self.register_buffer("rest", torch.ones(components))

    def forward(self, x_t: Tensor, alpha: Tensor, sigma: Tensor, label: int) -> Tensor:
        """Noisy states (n, d + 1) with shares (n,) -> E[x_0 | x_t], shaped alike."""
        alpha, sigma = over(alpha, x_t), over(sigma, x_t)
        noise = sigma.square().clamp(min=SMALLEST)
        z = self.digit(x_t[:, :-1], alpha, noise, self.weights[label].log())
        bias = self.odds[label].log() / 2
        return torch.cat([z, (alpha * x_t[:, -1:] / noise + bias).tanh()], dim=1)

    def digit(self, z: Tensor, alpha: Tensor, noise: Tensor, log_weights: Tensor) -> Tensor:
        """E[z_0 | z_t] of states (n, d), shares (n, 1) and variances of the noise (n, 1)."""
        rank, d = self.vectors.shape[2], z.shape[1]
        flat = self.vectors.permute(1, 0, 2).flatten(1)  # (d, K r)
        offsets = torch.einsum("kd,kdr->kr", self.means, self.vectors)
        along = (z @ flat).unflatten(1, (-1, rank)) - alpha[:, :, None] * offsets
        square = (
            z.square().sum(1, keepdim=True)
            - 2 * alpha * (z @ self.means.T)
            + alpha.square() * self.means.square().sum(1)
        )
        left = (square - along.square().sum(2)).clamp(min=0)
        wide = alpha[:, :, None].square() * self.values + noise[:, :, None]
        narrow = alpha.square() * self.rest + noise
        likelihood = (
            (along.square() / wide + wide.log()).sum(2) + left / narrow + (d - rank) * narrow.log()
        )
        share = (log_weights - likelihood / 2).softmax(1)
        elsewhere = alpha * self.rest / narrow
        gain = alpha[:, :, None] * self.values / wide - elsewhere[:, :, None]
        kept = share * elsewhere
        return (
            (share - alpha * kept) @ self.means
            + kept.sum(1, keepdim=True) * z
            + (share[:, :, None] * gain * along).flatten(1) @ flat.T
        )
