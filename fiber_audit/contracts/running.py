"""Dataset, exporter and executor: where queries come from, and where records and work go."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

if TYPE_CHECKING:
    import pandas as pd
    import torch
    from torch import Tensor


class Dataset(ABC):
    """Where queries come from: a sequence whose items are loaded on demand.

    Its factory takes `n` and raises DataError beyond what it has.
    """

    data_shape: tuple[int, ...]
    ids: Sequence[str]
    """A distinct id for every item, the same at every call."""
    labels: Tensor | None = None
    """(len,) int64, or None."""
    facts: Mapping[str, str] = {}
    """What a reader of the report should know of it: name -> a few words, say files left out."""

    def __len__(self) -> int:
        """How many queries there are."""
        return len(self.ids)

    @abstractmethod
    def load(self, indices: Sequence[int]) -> Tensor:
        """Items (len(indices), *data_shape) float32 in data space, in the order asked for."""

    def stamp(self, index: int) -> str:
        """What tells without decoding that an item changed: say, path, size and time of its file.

        "" where nothing does: then the item is loaded to know its content.
        """
        return ""

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
    """Runs the work of a run: somewhere, in any order, each piece at least once.

    It is a context manager: workers may be kept between calls of map() and end with the context.

    Work reads and writes the run directory ``work.run``; ``work.at(folder)`` is the same work in
    another one, say where workers share no file system. ``piece.reads`` are the files that a piece
    reads, relative to it; what is new in its folders units/ and observed/ afterwards was made.
    """

    @abstractmethod
    def map(
        self, work: Callable[[Any], Any], pieces: Sequence[Any]
    ) -> Iterator[tuple[Any, Any | Exception]]:
        """Yield (piece, work(piece)) for every piece, in any order.

        There may be a hundred thousand of them, each made when it is asked for: deal them a few at
        a time.

        Where a piece cannot be computed (work raised, its worker died, it ran out of time), yield
        the exception in place of the result; the other pieces go on. In this process, call work
        itself: it holds its components. For other processes both are picklable and small: work then
        rebuilds what it needs, and leaves its draws in the run directory; what it returns is a
        report of a few numbers. Workers end with this process, however it ends, and at once when
        the generator is closed; what they print is no part of this process's stdout.

        Raises:
            UsageError: work cannot be sent to where this executor computes.
        """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:  # noqa: B027 - may have nothing to end
        """End what map() started; by default nothing."""
