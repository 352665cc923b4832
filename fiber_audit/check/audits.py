"""Tiny audits without a network, for metrics to measure: 6 queries, 3 draws each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..contracts import Dataset, Extractor, Metric, Part, Prediction, Prior, Statistic
from ..contracts.observations import Observations
from ..measuring.layout import laid_out
from ..measuring.scene import Scene, observe, whole
from ..schedule import FlowSchedule
from .gaussian import LinearExtractor

QUERIES, DRAWS, CLASSES = 6, 3, 2


class Rows(Dataset):
    """Some rows as queries, with labels, and as the reference."""

    def __init__(self, data: Tensor) -> None:
        self.data, self.data_shape = data, tuple(data.shape[1:])
        self.ids = tuple(f"row-{i}" for i in range(len(data)))
        self.labels = torch.arange(len(data)) % CLASSES

    def load(self, indices: Sequence[int]) -> Tensor:
        """The rows themselves."""
        return self.data[list(indices)]

    def reference(self, n: int, generator: torch.Generator) -> Tensor:
        """Rows with replacement."""
        return self.data[torch.randint(len(self.data), (n,), generator=generator)]


class Lossless(Prior):
    """States are data; its prediction is the state itself, since metrics do not ask for one."""

    lossless = True

    def __init__(self, shape: tuple[int, ...], data_range: tuple[float, float] | None) -> None:
        self.network = nn.Identity()
        self.schedule = FlowSchedule()
        self.state_shape, self.data_range = shape, data_range

    def predict(self, x_t: Tensor, t: Tensor) -> Prediction:
        """The state is clean."""
        return Prediction(x_t, torch.zeros_like(x_t))

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


def table_audit() -> Scene:
    """Rows of 8 numbers, of which the extractor sees 3."""
    data = torch.randn((QUERIES * (1 + 2 * DRAWS), 8), generator=_generator())
    return _scene(data, LinearExtractor(torch.eye(8)[:3]), None)


def image_audit() -> Scene:
    """Images of 3 x 28 x 28, of which the extractor sees the mean colour."""
    data = torch.rand((QUERIES * (1 + 2 * DRAWS), 3, 28, 28), generator=_generator())
    return _scene(data, ChannelMeans(), (0.0, 1.0))


def seen_in(
    metric: Metric, scene: Scene, lost: Sequence[int] = (), extractor: str = "phi"
) -> Observations:
    """What a metric is given to summarise of one scene; lost are rows of draws to take away.

    Rows that `scene.unguided_finite` marks are taken from the prior's own draws.
    """
    assert scene.draws is not None
    q = len(scene.ids)
    k = len(scene.draws) // q
    gone = np.zeros((q, k), dtype=bool)
    gone.reshape(-1)[list(lost)] = True

    absent: dict[Part, NDArray[np.bool_] | None] = {"draws": gone, "unguided": None}
    if scene.unguided_finite is not None:
        absent["unguided"] = ~scene.unguided_finite.cpu().numpy().reshape(q, k)

    def arranged(part: Part, array: Tensor) -> NDArray[np.generic]:
        rows = array.numpy()
        return laid_out(rows, k, absent[part]) if part in absent else rows

    wanted = [(part, name) for part, names in metric.needs.whole.items() for name in names]
    features = whole([*wanted, ("queries", "")], scene)
    observed = observe(metric, scene, type(metric).__name__)
    return Observations(
        audit=f"{extractor}/prior/sampler",
        extractor=extractor,
        prior="prior",
        sampler="sampler",
        ids=tuple(scene.ids),
        labels=None if scene.labels is None else scene.labels.numpy(),
        per_query=k,
        targets=scene.targets.cpu().numpy(),
        lost=gone,
        lossless=scene.prior.lossless,
        data_range=scene.prior.data_range,
        seed=scene.seed,
        observed={(part, name): arranged(part, x) for (part, name), x in observed.items()},
        whole={(part, name): arranged(part, x) for (part, name), x in features.items()},
        reported={n: laid_out(x.cpu().numpy(), k, gone) for n, x in scene.diagnostics.items()},
    )


def measure(metric: Metric, scene: Scene, lost: Sequence[int] = ()) -> list[Statistic]:
    """Both halves of a metric on one scene, as the host does it."""
    return list(metric.summarise(seen_in(metric, scene, lost)))


def _scene(data: Tensor, extractor: Extractor, data_range: tuple[float, float] | None) -> Scene:
    rows = QUERIES * DRAWS
    queries, drawn, free = data.split([QUERIES, rows, rows])
    dataset = Rows(queries)
    return Scene(
        ids=dataset.ids,
        queries=queries,
        labels=dataset.labels,
        extractor=extractor,
        prior=Lossless(tuple(data.shape[1:]), data_range),
        dataset=dataset,
        named=lambda name: extractor,
        draws=drawn,
        unguided=free,
    )


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)
