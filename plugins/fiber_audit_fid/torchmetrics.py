"""The Fréchet distance as a torchmetrics Metric, exact where there are fewer images than features.

Needs ``pip install torchmetrics``; nothing else in fiber-audit imports this module.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain

import torch
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from fiber_audit import DataError, UsageError
from fiber_audit.contracts import Extractor

from .choices import ImageRange
from .frechet import frechet_distance

OVERSHOOT = 1e-3
"""How far beyond [0, 1] rounding may carry a pixel."""


class FrechetDistance(Metric):
    """Fréchet distance of the features of generated and real images; lower is better.

    extractor: whose features. Its network is used where it is, in eval mode, and left as it was:
    the metric may be moved, cast or trained without touching it. Features are kept, not moments:
    exact for any rank, at n x d numbers of memory. The two sets must be of one size, unless
    `allow_unequal`. reset_real_features: whether reset() forgets the real images too.
    image_range: "unit" takes floats in [0, 1], "uint8" integers from 0 to 255; others are refused.
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False
    plot_lower_bound = 0.0

    real: list[Tensor] | Tensor
    generated: list[Tensor] | Tensor

    def __init__(
        self,
        extractor: Extractor,
        *,
        allow_unequal: bool = False,
        reset_real_features: bool = True,
        image_range: ImageRange = "unit",
    ) -> None:
        super().__init__()
        self._held = (extractor,)  # in a tuple, for a Module would adopt an attribute that is one
        self.allow_unequal, self.reset_real_features = allow_unequal, reset_real_features
        self.image_range = image_range
        self.add_state("real", [], dist_reduce_fx="cat")
        self.add_state("generated", [], dist_reduce_fx="cat")

    @property
    def extractor(self) -> Extractor:
        """Whose features are compared."""
        return self._held[0]

    def update(self, images: Tensor, real: bool) -> None:
        """Add images (n, 3, h, w) in the metric's image range.

        Raises:
            DataError: they are in another range.
            UsageError: the metric is synced.
        """
        kept = self.real if real else self.generated
        if isinstance(kept, Tensor):  # of all processes
            raise UsageError("the metric is synced: call unsync() before more images are added.")
        kept.append(self._features(images))

    def forward(self, images: Tensor, real: bool) -> Tensor:
        """Add images once, and tell their distance to as many of the other kind that came first.

        Raises:
            UsageError: below two of either kind; the images are added all the same.
        """
        self.update(images, real)
        kinds = ("real", "generated") if real else ("generated", "real")
        batch, beside = getattr(self, kinds[0])[-1], getattr(self, kinds[1])
        beside = dim_zero_cat(beside) if len(beside) else batch[:0]
        if not self.allow_unequal:
            size = min(len(batch), len(beside))
            batch, beside = batch[:size], beside[:size]
        if min(len(batch), len(beside)) < 2:
            raise UsageError(
                f"forward() sees {len(batch)} {kinds[0]} beside {len(beside)} {kinds[1]} images: a "
                "distance needs two of each; add the first ones with update()."
            )
        found = self._distance(batch, beside)
        self._forward_cache = found  # type: ignore[assignment]  # for what logs metrics
        return found

    def compute(self) -> Tensor:
        """The distance so far, a float64 scalar."""
        kinds = self.real, self.generated
        if not all(len(kept) for kept in kinds):
            raise UsageError("no images of one kind: call update() with real=True and real=False.")
        return self._distance(*(dim_zero_cat(kept) for kept in kinds))

    def reset(self) -> None:
        """Forget the images; the real ones only if `reset_real_features`."""
        if self._is_synced:  # what is kept are this process's own
            self.unsync()
        kept = list(self.real)
        super().reset()
        if not self.reset_real_features:
            self.real = kept

    def _distance(self, a: Tensor, b: Tensor) -> Tensor:
        found = frechet_distance(a.cpu(), b.cpu(), allow_unequal=self.allow_unequal)
        return torch.tensor(found, dtype=torch.float64)

    def _features(self, images: Tensor) -> Tensor:
        network = self.extractor.network
        place = next(chain(network.parameters(), network.buffers()), images)
        with torch.no_grad(), _in_eval_mode(network):
            features = self.extractor.features(self._in_unit_range(images).to(place.device))
        return features.to(self.device)

    def _in_unit_range(self, images: Tensor) -> Tensor:
        if self.image_range == "uint8":
            if images.dtype != torch.uint8:
                raise DataError(
                    f"images are {images.dtype}: this metric takes uint8, from 0 to 255; for "
                    "floats in [0, 1] make it with image_range='unit'."
                )
            return images.float() / 255
        if not images.is_floating_point():
            raise DataError(
                f"images are {images.dtype}: this metric takes floats in [0, 1]; for uint8 make it "
                "with image_range='uint8'."
            )
        low, high = (float(end) for end in images.aminmax()) if images.numel() else (0, 1)
        if not (low >= -OVERSHOOT and high <= 1 + OVERSHOOT):
            raise DataError(
                f"images are in [{low:.3g}, {high:.3g}]: this metric takes floats in [0, 1]; "
                "divide by 255 what is in [0, 255], and clamp what overshoots."
            )
        return images


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
