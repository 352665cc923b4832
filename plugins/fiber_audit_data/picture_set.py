"""Encoded pictures somewhere, as a dataset: what folders, shards and collections have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import IO, Literal, Protocol, TypeVar

import torch
from torch import Tensor

from fiber_audit import DataError
from fiber_audit.contracts import Dataset

from .order import All, first
from .pictures import Unreadable, decoded, is_grey
from .resize import Look

T = TypeVar("T")
OnError = Literal["raise", "skip"]
SHOWN = 10
"""Pictures left out that are named."""


class Source(Protocol):
    """Where encoded pictures are, each under a name of its own."""

    def open(self, name: str) -> IO[bytes]:
        """Its bytes. Raises OSError, or Unreadable where there are none."""

    def stamp(self, name: str) -> str:
        """Path, size and time of the file that it is in."""

    def place(self, name: str) -> str:
        """Where a person finds it."""


class PictureSet(Dataset):
    """The first n of some pictures, in data space; only what is asked for is decoded.

    With on_error = "raise" nothing is decoded here, and `load` names a damaged picture. With "skip"
    pictures are decoded here, in order, until n whole ones are found, for a cut JPEG has a header
    as good as any; `facts` tells which were left out.

    names: of all pictures, in the order in which queries are taken. Those after the queries are
    `others`, from which reference data come. what: ends a sentence, "pictures in photos". stored:
    the same names in the order in which queries are to stand, where that is another one.

    Raises:
        DataError: there are fewer than n.
    """

    def __init__(
        self,
        source: Source,
        names: Sequence[str],
        n: All,
        look: Look,
        on_error: OnError,
        what: str,
        stored: Sequence[str] | None = None,
    ) -> None:
        self.source, self.look, self.skips = source, look, on_error == "skip"
        self.left_out: dict[str, str] = {}
        found = self._whole(names, n) if self.skips else names
        self.ids = tuple(first(found, n, f"{what}{self._told(' (', ')')}"))
        if stored is not None:
            chosen = {*self.ids}
            self.ids = tuple(name for name in stored if name in chosen)
        gone = {*self.ids, *self.left_out}
        self.others = [name for name in names if name not in gone]
        if look.channels == "auto":
            self.look = replace(look, channels="grey" if self._all_grey() else "rgb")
        self.data_shape = self.look.shape
        self.facts: Mapping[str, str] = {
            "pictures": f"{len(self.ids)} of {len(names)} {what}",
            "fitted": str(self.look),
            **({"left out": self._told()} if self.left_out else {}),
        }

    def load(self, indices: Sequence[int]) -> Tensor:
        """Pictures (len(indices), channels, height, width) in [0, 1]; read as they are stored."""
        names = [self.ids[i] for i in indices]
        rows = torch.empty(len(names), *self.data_shape)
        for row in sorted(range(len(names)), key=lambda row: indices[row]):
            rows[row] = self._row(names[row])
        return rows

    def stamp(self, index: int) -> str:
        """Path, size and time of the file; "" where it is missing."""
        try:
            return self.source.stamp(self.ids[index])
        except OSError:
            return ""

    def reference(self, n: int, generator: torch.Generator) -> Tensor | None:
        """N pictures that are no queries; None unless there are n, and as many as queries.

        With fewer, a reference sample of one a query would show the same few again and again.
        """
        count = len(self.others)
        if count < max(n, len(self)):
            return None
        rows: list[Tensor] = []
        for place in torch.randperm(count, generator=generator).tolist():
            if len(rows) == n:
                break
            try:
                rows.append(self._row(self.others[place]))
            except DataError:
                if not self.skips:
                    raise
        return torch.stack(rows) if len(rows) == n else None

    def _row(self, name: str) -> Tensor:
        try:
            return self._read(name, self.look.of)
        except Unreadable as error:
            raise DataError(
                f"{self.source.place(name)}: cannot be used ({error}); mend it, take it away, or "
                f'set on_error = "skip".'
            ) from error

    def _read(self, name: str, work: Callable[[IO[bytes]], T]) -> T:
        try:
            with self.source.open(name) as file:
                return work(file)
        except OSError as error:
            raise Unreadable((error.strerror or str(error)).lower()) from error

    def _whole(self, names: Sequence[str], n: All) -> list[str]:
        found: list[str] = []
        for name in names:
            if len(found) == n:
                break
            try:
                self._read(name, lambda file: decoded(file, self.look.alpha))
                found.append(name)
            except Unreadable as error:
                self.left_out[name] = str(error)
        return found

    def _all_grey(self) -> bool:
        for name in self.ids:
            try:
                if not self._read(name, is_grey):
                    return False
            except Unreadable:
                self._row(name)  # says so
        return True

    def _told(self, before: str = "", after: str = "") -> str:
        if not self.left_out:
            return ""
        some = [f"{name} ({why})" for name, why in [*self.left_out.items()][:SHOWN]]
        more = len(self.left_out) - len(some)
        some += [f"and {more} more"] if more else []
        files = "file" if len(self.left_out) == 1 else "files"
        return f"{before}{len(self.left_out)} {files} left out: {', '.join(some)}{after}"
