"""The fiber loss as a torchmetrics Metric, for training loops that log with it.

Needs ``pip install torchmetrics``; nothing else in fiber-audit imports this module.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain

import torch
from torch import Tensor, nn
from torchmetrics import Metric

from fiber_audit import DataError
from fiber_audit.contracts import Extractor
from fiber_audit.sampling import rms

OVERSHOOT = 1e-3
"""How far beyond [0, 1] rounding may carry a pixel."""


class FiberLoss(Metric):
    """Mean over draws of the root mean square of phi(draw) - target; lower is better.

    extractor: phi. Its network is used where it is, in eval mode, and left as it was: neither
    train(), to(), set_dtype() nor state_dict() of the metric, or of a module that holds it, reach
    it.
    draws: data space, as phi takes it: images (n, c, h, w) float in [0, 1], or tables (n, d).
    Sums are float64, so that the value does not depend on how the draws are split into batches or
    processes.
    """

    is_differentiable = True
    higher_is_better = False
    full_state_update = False
    plot_lower_bound = 0.0

    total: Tensor
    count: Tensor

    def __init__(self, extractor: Extractor) -> None:
        super().__init__()
        self._held = (extractor,)  # in a tuple, for a Module would adopt an attribute that is one
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    @property
    def extractor(self) -> Extractor:
        """What the metric was made with."""
        return self._held[0]

    def update(self, draws: Tensor, targets: Tensor) -> None:
        """Add draws (n, ...) in data space with their targets (n, d).

        Raises:
            DataError: images are not float in [0, 1], or a draw has no target of its own.
        """
        _refuse_other_ranges(draws)
        network = self.extractor.network
        where = next(chain(network.parameters(), network.buffers()), draws).device
        with _in_eval_mode(network):
            features = self.extractor.features(draws.to(where))
        if features.shape != targets.shape:
            raise DataError(
                f"targets are {tuple(targets.shape)}, but the draws have features "
                f"{tuple(features.shape)}; give each draw its target."
            )
        losses = rms(features - targets.to(where)).double()
        self.total = self.total + losses.sum().to(self.total.device)
        self.count = self.count + len(losses)

    def compute(self) -> Tensor:
        """The mean so far, a float64 scalar."""
        return self.total / self.count


def _refuse_other_ranges(draws: Tensor) -> None:
    if not draws.is_floating_point():
        raise DataError(f"draws are {draws.dtype}; give floats, images in [0, 1]: divide by 255.")
    if draws.ndim == 4 and len(draws):
        low, high = (float(end) for end in draws.detach().aminmax())
        if not (low >= -OVERSHOOT and high <= 1 + OVERSHOOT):
            raise DataError(
                f"draws are images in [{low:.3g}, {high:.3g}]; give them in [0, 1]: divide by 255 "
                f"what is in [0, 255], and clamp what overshoots."
            )


@contextmanager
def _in_eval_mode(network: nn.Module) -> Iterator[None]:
    """Evaluate a network of any mode, and leave each of its modules in the mode it had."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
