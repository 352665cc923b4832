"""The fiber loss of a training: how far fresh draws are from the features that they should have."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from fiber_audit.contracts import Extractor, Prior, data_of
from fiber_audit.sampling import rms

from .generator import Fresh, Generator
from .pairs import Batch
from .standard import Standard


@dataclass(frozen=True)
class FiberLoss:
    """Eq. (1) of `recipe.py`, in units of the spread of a feature."""

    extractor: Extractor
    prior: Prior
    standard: Standard

    def rows(self, fresh: Fresh, targets: Tensor) -> Tensor:
        """The weighted loss of each row, (n,); its gradient reaches the generator."""
        found = self.extractor.features(data_of(self.prior, self.standard.to_state(fresh.z)))
        return fresh.weight * rms(found - targets) / self.standard.unit

    def of(self, network: Generator, batch: Batch, generator: torch.Generator) -> Tensor:
        """The mean over the batch of what `Generator.fresh` gives."""
        z = self.standard.from_state(batch.states)
        h = self.standard.condition(batch.features)
        return self.rows(network.fresh(z, h, generator), batch.features).mean()
