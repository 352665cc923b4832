"""The Fréchet distance as a torchmetrics Metric, exact where there are fewer images than features.

Needs ``pip install torchmetrics``; nothing else in fiber-audit imports this module.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from fiber_audit.contracts import Extractor

from .frechet import frechet_distance


class FrechetDistance(Metric):
    """Fréchet distance of the features of generated and real images; lower is better.

    extractor: whose features; its network moves with the metric. Features are kept, not moments:
    exact for any rank, at n x d numbers of memory. The two sets must be of one size, unless
    `allow_unequal`. reset_real_features: whether reset() forgets the real images too.
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
    ) -> None:
        super().__init__()
        self.extractor, self.network = extractor, extractor.network
        self.allow_unequal, self.reset_real_features = allow_unequal, reset_real_features
        self.add_state("real", [], dist_reduce_fx="cat")
        self.add_state("generated", [], dist_reduce_fx="cat")

    def update(self, images: Tensor, real: bool) -> None:
        """Add images (n, 3, h, w) float32 in [0, 1]."""
        with torch.no_grad():
            features = self.extractor.features(images)
        kept = self.real if real else self.generated
        assert isinstance(kept, list)  # a tensor only after reduction over processes
        kept.append(features)

    def compute(self) -> Tensor:
        """The distance so far, a float64 scalar."""
        found = [dim_zero_cat(rows).cpu().numpy() for rows in (self.real, self.generated)]
        distance = frechet_distance(*found, allow_unequal=self.allow_unequal)
        return torch.tensor(distance, dtype=torch.float64)

    def reset(self) -> None:
        """Forget the images; the real ones only if `reset_real_features`."""
        kept = list(self.real)
        super().reset()
        if not self.reset_real_features:
            self.real = kept
