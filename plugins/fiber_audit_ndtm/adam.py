"""Adam on one tensor, without a parameter: fresh state at every denoising step.

Source: Kingma and Ba, ICLR 2015, algorithm 1. Every coordinate moves on its own, so rows are
independent.
"""

from __future__ import annotations

from torch import Tensor


class Adam:
    """Call it with a point and a gradient to get the next point; (n, ...) each."""

    def __init__(self, lr: float, beta1: float = 0.9, beta2: float = 0.999) -> None:
        self.lr, self.beta1, self.beta2 = lr, beta1, beta2
        self._m: Tensor | None = None
        self._v: Tensor | None = None
        self._k = 0

    def __call__(self, u: Tensor, g: Tensor, eps: float = 1e-8) -> Tensor:
        """One step: u - lr m_hat / (sqrt(v_hat) + eps)."""
        self._k += 1
        self._m = (1 - self.beta1) * g if self._m is None else self._m.lerp(g, 1 - self.beta1)
        square = g.square()
        self._v = (
            (1 - self.beta2) * square if self._v is None else self._v.lerp(square, 1 - self.beta2)
        )
        m_hat = self._m / (1 - self.beta1**self._k)
        v_hat = self._v / (1 - self.beta2**self._k)
        return u - self.lr * m_hat / (v_hat.sqrt() + eps)
