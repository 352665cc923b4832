"""The numeric columns of a table as queries."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from fiber_audit import DataError
from fiber_audit.contracts import Dataset, NonNegativeInt, held

from .frames import frame_of, need
from .labels import legend, numbered
from .numbers import Missing, numeric_columns, values_of, whole_rows
from .order import All, Part, first, part_of, shuffled
from .paths import path_of, stamp_of
from .scale import Scale


class NumericTable(Dataset):
    """Rows of a CSV or Parquet file; an id is the number of the row, row-0 being the first.

    Line ends of any system are read, old Macs' included. A column that holds anything but numbers
    is refused by name: leave it out with `columns`, or make it the label.

    Args:
        path: The file; .parquet is Parquet, anything else is text.
        n: How many rows, or "all".
        columns: Names of the columns; empty takes all but the label.
        units: Of the columns, in their order; shown, never converted.
        label: A column of whole numbers or texts; "" is none.
        standardise: Subtract each column's mean and divide by its standard deviation.
        mean: The means; empty takes those of all whole rows of the file.
        std: The standard deviations; empty takes those of all whole rows of the file.
        missing: What becomes of rows with an empty or infinite cell: an error, or left out.
        separator: Between the cells of a text file.
        header: The first line of a text file names the columns; else they are column-0 and so on.
        part: "held-out" is about a fifth of the rows by a hash of the id, "rest" the others.
        seed: Which n, and their order.
    """

    columns: tuple[str, ...]
    """Names of the d columns, in their order."""
    units: tuple[str, ...]
    """Of each column; "" where none was given."""
    scale: Scale
    """From natural units to data space and back."""

    def __init__(
        self,
        path: str,
        n: All = "all",
        columns: tuple[str, ...] = (),
        units: tuple[str, ...] = (),
        label: str = "",
        standardise: bool = False,
        mean: tuple[float, ...] = (),
        std: tuple[float, ...] = (),
        missing: Missing = "raise",
        separator: str = ",",
        header: bool = True,
        part: Part = "all",
        seed: NonNegativeInt = 0,
    ) -> None:
        for option, texts in {"columns": columns, "units": units}.items():
            held(option, texts, tuple[str, ...])
        for option, numbers in {"mean": mean, "std": std}.items():
            held(option, numbers, tuple[float, ...])
        self.path = path_of(path)
        frame = frame_of(self.path, separator, header)
        if label:
            need(frame, label, self.path, "label")
        self.columns = numeric_columns(frame, columns, label, self.path)
        for option, given in {"units": units, "mean": mean, "std": std}.items():
            if given and len(given) != len(self.columns):
                raise DataError(
                    f"queries.{option}: {len(given)} for {len(self.columns)} columns "
                    f"({', '.join(self.columns)}); give one for each, in this order."
                )
        self.units = units or ("",) * len(self.columns)
        whole, left_out = whole_rows(frame, self.columns, label, missing, self.path)
        self.scale = Scale.none(len(self.columns))
        natural = torch.from_numpy(values_of(whole, self.columns))
        if standardise or mean or std:
            self.scale = self._scale_of(natural, standardise, mean, std)
        self._rows = self.scale.standardised(natural)
        self._places = {f"row-{row}": place for place, row in enumerate(whole.index)}
        names = shuffled(part_of(self._places, part), seed)
        where = f"rows in {self.path}{'' if part == 'all' else f' ({part})'}"
        self.ids = tuple(first(names, n, where))
        self.others = names[len(self.ids) :]
        self.data_shape = (len(self.columns),)
        named = zip(self.columns, self.units, strict=True)
        self.facts = {
            "rows": f"{len(self.ids)} of {len(names)} {where}",
            "columns": ", ".join(f"{name} [{unit}]" if unit else name for name, unit in named),
            "scale": "standardised" if standardise else "natural units",
            **({"left out": left_out} if left_out else {}),
        }
        if label:
            values = dict(zip(self._places, whole[label].tolist(), strict=True))
            self.labels, classes = numbered([values[i] for i in self.ids], values.values(), label)
            self.facts = {**self.facts, "labels": f"{label}: {legend(classes)}"}

    def load(self, indices: Sequence[int]) -> Tensor:
        """Rows (len(indices), d) float32, in natural units or standardised."""
        return self._named([self.ids[i] for i in indices])

    def stamp(self, index: int) -> str:
        """Of the whole file, whose other rows the scale depends on, and the row."""
        return f"{stamp_of(self.path)} {self.ids[index]}"

    def reference(self, n: int, generator: torch.Generator) -> Tensor | None:
        """N rows that are no queries; None unless there are n, and as many as queries."""
        count = len(self.others)
        if count < max(n, len(self)):
            return None
        places = torch.randperm(count, generator=generator)[:n].tolist()
        return self._named([self.others[place] for place in places])

    def natural(self, x: Tensor) -> Tensor:
        """Data space (n, d) -> natural units, float32."""
        return self.scale.natural(x)

    def _named(self, names: Sequence[str]) -> Tensor:
        return self._rows[[self._places[name] for name in names]]

    def _scale_of(
        self, natural: Tensor, standardise: bool, mean: Sequence[float], std: Sequence[float]
    ) -> Scale:
        if not standardise:
            raise DataError(
                "queries.mean and queries.std are used only with standardise = true; set it, or "
                "leave them out."
            )
        own = Scale.of(natural)
        found = Scale(
            torch.tensor(mean).double() if mean else own.mean,
            torch.tensor(std).double() if std else own.std,
        )
        flat = [c for c, s in zip(self.columns, found.std.tolist(), strict=True) if not s > 0]
        if flat:
            raise DataError(
                f"{self.path}: standard deviations of {', '.join(flat)} are not above 0; leave "
                f"such columns out."
            )
        return found
