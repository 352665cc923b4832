"""Extractor, prior and sampler: what draws are made of, and where.

Words and symbols, used everywhere

    phi    extractor, the frozen network under audit          features(x) -> (n, d)
    x      a point of data space: images (n, c, h, w) float32 in [0, 1], or tables (n, d)
    h      target features of a query, (n, d)
    state  a point of the prior's own space, (n, *state_shape); decode(state) = x
    x_t    a noisy state, x_t = alpha(t) x_0 + sigma(t) eps; t = 0 is data, t = 1 is noise
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, NamedTuple

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image
    from torch import Tensor, nn

    from ..noise import Noise
    from ..schedule import Schedule


class Extractor(ABC):
    """The network under audit. Frozen, in eval mode, per-sample, differentiable in its input.

    It resizes and normalises by itself, differentiably: it is always given data space.
    """

    network: nn.Module
    """Called exactly once per evaluation of phi; evaluations are counted by a hook on it."""
    feature_size: int
    """d, the number of features."""
    input_shape: tuple[int, ...] | None = None
    """Shape of one input without the batch, or None for any."""
    weights_sha256: str = ""
    """Digest of everything learned; part of the identity of a unit. Empty: nothing is learned."""
    facts: Mapping[str, str] = {}
    """What a reader of the report should know of it: name -> a few words, say the preprocessing."""

    @abstractmethod
    def features(self, x: Tensor) -> Tensor:
        """Data space (n, ...) -> features (n, d) float32."""

    def features_of_picture(self, picture: Image) -> Tensor | None:
        """(1, d), by the preprocessing that the network's own library has for a picture.

        None where no library has one. `fiber-audit check` holds `features` against it.
        """
        return None

    def to(self, device: torch.device | str) -> Extractor:
        """Move the network; returns self."""
        self.network.to(device)
        return self


class Prediction(NamedTuple):
    """What a prior knows at a noisy state: E[x_0 | x_t] and E[eps | x_t], shaped like x_t."""

    x0: Tensor
    eps: Tensor


class Prior(ABC):
    """A generative model of the data, whatever its network predicts."""

    network: nn.Module
    """The denoiser: called exactly once per predict(); a hook on it counts evaluations."""
    schedule: Schedule
    state_shape: tuple[int, ...]
    clip: tuple[float, float] | None = None
    """Valid range of a clean state; samplers clip E[x_0 | x_t] to it."""
    data_range: tuple[float, float] | None = (0.0, 1.0)
    """Range of data space; finished draws are clamped to it. None for tables."""
    weights_sha256: str = ""
    facts: Mapping[str, str] = {}
    """What a reader of the report should know of it: name -> a few words."""

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        """Name -> every network that the prior owns: denoiser, decoder, text encoder.

        All are frozen, in eval mode, moved and part of its identity. By default the modules among
        its attributes.
        """
        from torch import nn

        return {name: value for name, value in vars(self).items() if isinstance(value, nn.Module)}

    @abstractmethod
    def predict(self, x_t: Tensor, t: Tensor) -> Prediction:
        """Noisy states (n, *state_shape) and times (n,) in (0, 1] -> Prediction.

        Differentiable in x_t; not clipped.
        """

    @abstractmethod
    def decode(self, state: Tensor) -> Tensor:
        """State -> data space, differentiable, not clamped."""

    @abstractmethod
    def encode(self, x: Tensor) -> Tensor:
        """Data space -> state; decode(encode(x)) is the reconstruction of x."""

    lossless: bool = False
    """True where decode(encode(x)) = x to rounding, so that no reconstruction gap exists."""

    def select(self, rows: Tensor) -> Prior:
        """The prior of some rows of a problem; itself, unless it depends on the row."""
        return self

    def to(self, device: torch.device | str) -> Prior:
        """Move all its modules; returns self."""
        for module in self.modules.values():
            module.to(device)
        return self


def data_of(prior: Prior, state: Tensor) -> Tensor:
    """What a draw of a state (n, *state_shape) is: decode(state), clamped to the data range."""
    x = prior.decode(state)
    return x if prior.data_range is None else x.clamp(*prior.data_range)


@dataclass(frozen=True)
class Problem:
    """Where to draw: one row per draw.

    queries: (n, *data_shape), the query of each draw. Only a sampler that says so may look at
    them (a sampler that copies its query is on the fiber and learns nothing).
    targets: (n, d), the features to reach.
    """

    extractor: Extractor
    prior: Prior
    queries: Tensor
    targets: Tensor

    def features(self, state: Tensor) -> Tensor:
        """Features of what a draw of this state is: (n, *state_shape) -> (n, d), differentiable.

        They are those of the finished draw: what lies beyond the data range is clamped first.
        """
        return self.extractor.features(data_of(self.prior, state))

    def select(self, rows: Tensor) -> Problem:
        """The sub-problem of some draws; rows is an index or a mask over draws."""
        prior = self.prior.select(rows)
        return Problem(self.extractor, prior, self.queries[rows], self.targets[rows])


@dataclass(frozen=True)
class Draws:
    """Finished draws, row by row.

    Build them with `fiber_audit.sampling.Trail`, or with its `finish` where there is no loop.

    data: (n, *data_shape) in data space, clamped to the prior's data range.
    states: (n, *state_shape), what was decoded.
    finite: (n,) bool, False where a draw left the finite numbers at any step.
    path: (n, k) fiber loss (RMS) along the way, oldest first; k may be 0. Never a statistic:
        what metrics see is measured on `data`.
    diagnostics: name -> (n,) float, e.g. saturation, corrections refused.
    """

    data: Tensor
    states: Tensor
    finite: Tensor
    path: Tensor
    diagnostics: Mapping[str, Tensor] = field(default_factory=dict)


class Learned(NamedTuple):
    """What a sampler has learned for one extractor and one prior.

    digest: part of the identity of its draws; "" where nothing is learned. seconds: that learning
    it took, once. network: of its own, called once per evaluation of a row; counted as the prior's.
    """

    digest: str = ""
    seconds: float = 0.0
    network: nn.Module | None = None


class Sampler(ABC):
    """Draws from the prior restricted to the fiber of each row's target."""

    guided: ClassVar[bool] = True
    """False for a sampler that ignores the target (the null)."""

    def prepare(self, extractor: Extractor, prior: Prior) -> Learned:
        """Load or compute what draws from this pair need, once; its cost is not that of a draw.

        Called before the first draw, in every process. By default nothing is learned.

        Raises:
            WeightsError: it has to be fitted first, or was fitted to another pair.
        """
        return Learned()

    @abstractmethod
    def sample(self, problem: Problem, noise: Noise) -> Draws:
        """One draw per row of the problem, from one generator per row of the noise.

        A draw depends on its own row and its own generator only: batch size, order and sharding
        change nothing but rounding.
        """
