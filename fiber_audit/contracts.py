"""The contracts between the host and its plugins: shapes, ranges, the direction of time.

Words and symbols, used everywhere

    phi    extractor, the frozen network under audit          features(x) -> (n, d)
    x      a point of data space: images (n, c, h, w) float32 in [0, 1], or tables (n, d)
    h      target features of a query, (n, d)
    state  a point of the prior's own space, (n, *state_shape); decode(state) = x
    x_t    a noisy state, x_t = alpha(t) x_0 + sigma(t) eps; t = 0 is data, t = 1 is noise

Rows are draws: every tensor's first dimension counts independent draws, and nothing may couple
them. Heavy libraries are imported by factories; this module imports no torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple

from annotated_types import Ge, Gt, Le

if TYPE_CHECKING:
    import pandas as pd
    import torch
    from torch import Tensor, nn

    from .context import Context
    from .rng import Noise
    from .schedule import Schedule

# Option types for factory signatures; a suite's values are checked against them.
Count = Annotated[int, Ge(1)]
NonNegativeInt = Annotated[int, Ge(0)]
Positive = Annotated[float, Gt(0)]
NonNegative = Annotated[float, Ge(0)]
Fraction = Annotated[float, Ge(0), Le(1)]

Axis = Literal["fidelity", "consistency", "diversity", "health"]
Better = Literal["lower", "higher", ""]


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

    @abstractmethod
    def features(self, x: Tensor) -> Tensor:
        """Data space (n, ...) -> features (n, d) float32."""

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
    """Called exactly once per predict(); evaluations are counted by a hook on it."""
    schedule: Schedule
    state_shape: tuple[int, ...]
    clip: tuple[float, float] | None = None
    """Valid range of a clean state; samplers clip E[x_0 | x_t] to it."""
    data_range: tuple[float, float] | None = (0.0, 1.0)
    """Range of data space; finished draws are clamped to it. None for tables."""
    weights_sha256: str = ""

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

    lossless: ClassVar[bool] = False
    """True where decode(encode(x)) = x to rounding, so that no reconstruction gap exists."""

    def to(self, device: torch.device | str) -> Prior:
        """Move the network; returns self."""
        self.network.to(device)
        return self


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
        """phi(decode(state)): (n, *state_shape) -> (n, d)."""
        return self.extractor.features(self.prior.decode(state))

    def select(self, rows: Tensor) -> Problem:
        """The sub-problem of some draws; rows is an index or a mask over draws."""
        return Problem(self.extractor, self.prior, self.queries[rows], self.targets[rows])


@dataclass(frozen=True)
class Draws:
    """Finished draws, row by row; build them with `fiber_audit.finish`.

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


class Sampler(ABC):
    """Draws from the prior restricted to the fiber of each row's target."""

    guided: ClassVar[bool] = True
    """False for a sampler that ignores the target (the null)."""

    @abstractmethod
    def sample(self, problem: Problem, noise: Noise) -> Draws:
        """One draw per row of the problem, from one generator per row of the noise.

        A draw depends on its own row and its own generator only: batch size, order and sharding
        change nothing but rounding.
        """


@dataclass(frozen=True)
class Measurement:
    """One number with its uncertainty.

    statistic says which number of the metric it is (mean, median, random_pairs, ceiling, ...).
    query is the query's id for a per-query value, None for a pooled one.
    n counts what the value rests on (queries, or draws: the metric's docstring says which).
    stderr, ci_low and ci_high are None where no uncertainty is defined. value is None where the
    statistic is undefined here; then message says why.
    """

    metric: str
    statistic: str
    value: float | None
    n: int
    unit: str
    axis: Axis
    better: Better
    stderr: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    query: str | None = None
    message: str = ""


class Metric(ABC):
    """A function of an audit's draws -> measurements, pooled and where sensible per query."""

    axis: Axis
    better: Better
    unit: str = ""

    @abstractmethod
    def measure(self, context: Context) -> Sequence[Measurement]:
        """Measure one audit. `fiber_audit.context.Context` lists all that is offered.

        The measurement named like the metric with statistic "mean" (or the only pooled one) is
        the headline: tables show it and conditions test it unless they name a statistic.
        """

    def suspicious(self, context: Context) -> Tensor | None:
        """(q, k) bool: draws that should not be believed; None where the metric has no opinion.

        The report flags a draw that any metric of the suite suspects.
        """
        return None


@dataclass(frozen=True)
class Queries:
    """Inputs to audit: data (n, *data_shape) in data space, n distinct ids, labels or None."""

    data: Tensor
    ids: tuple[str, ...]
    labels: Tensor | None = None

    def __len__(self) -> int:
        return len(self.ids)


class Dataset(ABC):
    """Where queries come from. Its factory takes `n` and raises DataError beyond what it has."""

    data_shape: tuple[int, ...]

    @abstractmethod
    def queries(self) -> Queries:
        """The queries of the audit; the same ones in the same order at every call."""

    def reference(self, n: int, generator: torch.Generator) -> Tensor | None:
        """N fresh samples of the data distribution, for consistency metrics; None if unknown."""
        return None


class Exporter(ABC):
    """Writes a finished run for another tool."""

    elsewhere: ClassVar[bool] = False
    """True where it logs to a service of its own, so that a contract check does not try it."""

    @abstractmethod
    def export(self, records: pd.DataFrame, run: Path, out: Path) -> Sequence[Path]:
        """Write records (the frame of `fiber_audit.records`) to out; returns the files written.

        run is the run directory. Strict formats only: no NaN, no infinity.
        """


class Executor(ABC):
    """Runs the work of a run: somewhere, in any order, each block at least once."""

    @abstractmethod
    def map(self, work: Callable[[Any], Any], blocks: Sequence[Any]) -> Iterator[Any]:
        """Yield work(block) for every block, in any order.

        Both are picklable and small: work rebuilds what it needs, and leaves its draws in the
        run directory; what it returns is a report of a few numbers.
        """


Factory = Callable[..., Any]
"""Makes one component. Its keyword arguments, with their types, are the component's options."""
