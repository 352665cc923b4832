"""Tiny audits without a network, for metrics to measure: 6 queries, 3 draws each."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..context import Context
from ..contracts import Dataset, Draws, Extractor, Prediction, Prior, Queries
from ..schedule import FlowSchedule
from ..testing import LinearExtractor

QUERIES, DRAWS, CLASSES = 6, 3, 2


@dataclass(frozen=True)
class Rows(Dataset):
    """Some rows as queries, with labels, and as the reference."""

    data: Tensor

    def __post_init__(self) -> None:
        """A dataset says the shape of one row."""
        object.__setattr__(self, "data_shape", tuple(self.data.shape[1:]))

    def queries(self) -> Queries:
        """Every row."""
        ids = tuple(f"row-{i}" for i in range(len(self.data)))
        return Queries(self.data, ids, torch.arange(len(self.data)) % CLASSES)

    def reference(self, n: int, generator: torch.Generator) -> Tensor:
        """Rows with replacement."""
        return self.data[torch.randint(len(self.data), (n,), generator=generator)]


class Lossless(Prior):
    """States are data; it predicts nothing, since metrics do not ask it to."""

    lossless = True

    def __init__(self, shape: tuple[int, ...], data_range: tuple[float, float] | None) -> None:
        self.network = nn.Identity()
        self.schedule = FlowSchedule()
        self.state_shape, self.data_range = shape, data_range

    def predict(self, x_t: Tensor, t: Tensor) -> Prediction:
        """Never called."""
        raise NotImplementedError

    def decode(self, state: Tensor) -> Tensor:
        """States are data."""
        return state

    def encode(self, x: Tensor) -> Tensor:
        """Data are states."""
        return x


class ChannelMeans(Extractor):
    """The mean of each colour channel."""

    feature_size = 3

    def __init__(self) -> None:
        self.network = nn.AdaptiveAvgPool2d(1)

    def features(self, x: Tensor) -> Tensor:
        """(n, 3, h, w) -> (n, 3)."""
        means: Tensor = self.network(x)
        return means.flatten(1)


def table_audit() -> Context:
    """Rows of 8 numbers, of which the extractor sees 3."""
    data = torch.randn((QUERIES * (1 + 2 * DRAWS), 8), generator=_generator())
    return _audit(data, LinearExtractor(torch.eye(8)[:3]), None)


def image_audit() -> Context:
    """Images of 3 x 28 x 28, of which the extractor sees the mean colour."""
    data = torch.rand((QUERIES * (1 + 2 * DRAWS), 3, 28, 28), generator=_generator())
    return _audit(data, ChannelMeans(), (0.0, 1.0))


def _audit(data: Tensor, extractor: Extractor, data_range: tuple[float, float] | None) -> Context:
    rows = QUERIES * DRAWS
    queries, drawn, free = data.split([QUERIES, rows, rows])
    finite, path = torch.ones(rows, dtype=torch.bool), torch.zeros(rows, 0)
    dataset = Rows(queries)
    return Context(
        audit="phi/prior/sampler",
        extractor_name="phi",
        prior_name="prior",
        sampler_name="sampler",
        extractor=extractor,
        prior=Lossless(tuple(data.shape[1:]), data_range),
        dataset=dataset,
        queries=dataset.queries(),
        targets=extractor.features(queries),
        draws=Draws(drawn, drawn, finite, path),
        unguided=free,
        named_extractor=lambda name: extractor,
    )


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)
