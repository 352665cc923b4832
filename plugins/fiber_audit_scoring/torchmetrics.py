"""The fiber loss as a torchmetrics Metric, for training loops that log with it.

Needs ``pip install torchmetrics``; nothing else in fiber-audit imports this module.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric

from fiber_audit import rms
from fiber_audit.contracts import Extractor


class FiberLoss(Metric):
    """Mean over draws of the root mean square of phi(draw) - target; lower is better.

    extractor: phi; its network moves with the metric. Sums are float64, so that the value does not
    depend on how the draws are split into batches or processes.
    """

    is_differentiable = True
    higher_is_better = False
    full_state_update = False
    plot_lower_bound = 0.0

    total: Tensor
    count: Tensor

    def __init__(self, extractor: Extractor) -> None:
        super().__init__()
        self.extractor, self.network = extractor, extractor.network
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, draws: Tensor, targets: Tensor) -> None:
        """Add draws (n, ...) in data space with their targets (n, d)."""
        losses = rms(self.extractor.features(draws) - targets)
        self.total = self.total + losses.double().sum()
        self.count = self.count + len(losses)

    def compute(self) -> Tensor:
        """The mean so far, a float64 scalar."""
        return self.total / self.count
