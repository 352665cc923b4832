"""The exact denoiser of a Gaussian: its posterior mean is linear in the noisy state."""

from __future__ import annotations

from torch import Tensor, nn

from fiber_audit.sampling import over


class Denoiser(nn.Module):
    """E[x_0 | x_t] for x_0 ~ N(m, C), x_t = alpha x_0 + sigma eps.

        E[x_0 | x_t] = m + alpha C (alpha^2 C + sigma^2 I)^-1 (x_t - alpha m)

    with C = U diag(values) U' + rest (I - U U'): a gain for each component, and one for all other
    directions.

    mean: (d,). vectors: (d, r). values: (r,). rest: ().
    """

    mean: Tensor
    vectors: Tensor
    values: Tensor
    rest: Tensor

    def __init__(self, mean: Tensor, vectors: Tensor, values: Tensor, rest: Tensor) -> None:
        super().__init__()
        for name, value in {
            "mean": mean, "vectors": vectors, "values": values, "rest": rest,
        }.items():  # fmt: skip
            self.register_buffer(name, value)

    def forward(self, x_t: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        """Noisy states (n, *state_shape) with shares (n,) -> E[x_0 | x_t], shaped alike."""
        flat = x_t.flatten(1)
        alpha, sigma = over(alpha, flat), over(sigma, flat)
        residual = flat - alpha * self.mean
        elsewhere = _gain(self.rest, alpha, sigma)
        along = (_gain(self.values, alpha, sigma) - elsewhere) * (residual @ self.vectors)
        return (self.mean + elsewhere * residual + along @ self.vectors.T).reshape(x_t.shape)


def _gain(variance: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """How much of a residual is signal: alpha c / (alpha^2 c + sigma^2).

    >>> import torch
    >>> one = torch.ones(())
    >>> _gain(one, one, 0 * one), _gain(one, one, one)
    (tensor(1.), tensor(0.5000))
    """
    return alpha * variance / (alpha.square() * variance + sigma.square())
