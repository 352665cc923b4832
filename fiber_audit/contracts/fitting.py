"""What has to be learned before it can be used: a component that can be fitted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from .drawing import Extractor, Prior
    from .running import Dataset


@dataclass(frozen=True)
class Fitting:
    """What `fit` is handed.

    data: the training data, loaded on demand. device: a torch device. seed: root of all randomness.
    say: tells a person one line of progress. extractor, prior: the pair that a sampler is fitted
    to, frozen and on the device; None where a prior is fitted.
    """

    data: Dataset
    device: str
    seed: int
    say: Callable[[str], None]
    extractor: Extractor | None = None
    prior: Prior | None = None


@runtime_checkable
class Fittable(Protocol):
    """A factory of a prior or a sampler that is fitted to data by `fiber-audit fit`.

    A sampler is fitted to every extractor and prior that it draws from, one after the other.
    It has an option `path`, a folder of its own. `fit` leaves there, whole or not at all, what
    its constructor reads, and beside it what it needs to go on after it was killed. The constructor
    raises WeightsError, with the command that mends it, where nothing is fitted, or with other
    options than its own.
    """

    def fit(self, task: Fitting, **options: Any) -> None:
        """Fit with these options (all that the constructor takes); at once if that is done."""
