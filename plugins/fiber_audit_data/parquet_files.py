"""Pictures in a column of Parquet files, as a source: a row group is read at once, and kept."""

from __future__ import annotations

import json
from bisect import bisect_right
from io import BytesIO
from itertools import accumulate
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from fiber_audit import DataError

from .paths import stamp_of
from .pictures import Unreadable
from .shards import shards


class ParquetFiles:
    """A name is file and row, train-00000.parquet:17.

    Raises:
        DataError: there are no such files, one is damaged, or the column holds no pictures.
    """

    def __init__(self, path: str, column: str) -> None:
        self.files, self.column = shards(path, ".parquet", ".pq"), column
        self._ends: dict[str, list[int]] = {}
        for short, file in self.files.items():
            opened = self.read(file)
            kind = self._kind(opened.schema_arrow, file, column, "column")
            inner = kind.field("bytes").type if pa.types.is_struct(kind) else kind
            if not (pa.types.is_binary(inner) or pa.types.is_large_binary(inner)):
                raise DataError(
                    f"queries.column = {column!r}: {file} holds {kind} there, no encoded pictures."
                )
            groups = range(opened.num_row_groups)
            rows = (opened.metadata.row_group(i).num_rows for i in groups)
            self._ends[short] = [*accumulate(rows)]
        self._last: tuple[tuple[str, int] | None, Any] = None, None

    @property
    def names(self) -> list[str]:
        """All rows, as they are stored."""
        return [
            f"{f}:{row}" for f, ends in self._ends.items() for row in range(max(ends, default=0))
        ]

    def open(self, name: str) -> IO[bytes]:
        """The encoded picture of one row."""
        file, row = self._at(name)
        group = bisect_right(self._ends[file], row)
        start = self._ends[file][group - 1] if group else 0
        value = self._group(file, group)[row - start].as_py()
        value = value.get("bytes") if isinstance(value, dict) else value
        if not value:
            raise Unreadable("no bytes: the table only names a file, or nothing")
        return BytesIO(value)

    def stamp(self, name: str) -> str:
        """Of the whole file, and the row."""
        file, row = self._at(name)
        return f"{stamp_of(self.files[file])} {row}"

    def place(self, name: str) -> str:
        """File and row."""
        file, row = self._at(name)
        return f"{self.files[file]}, row {row}"

    def values(self, column: str) -> tuple[dict[str, Any], list[str]]:
        """Name -> value of another column; and what a class label's integers are called, or []."""
        found, called = list[Any](), list[str]()
        for file in self.files.values():
            opened = self.read(file)
            self._kind(opened.schema_arrow, file, column, "label")
            found += opened.read(columns=[column]).column(0).to_pylist()
            called = called or _class_names(opened.schema_arrow, column)
        return dict(zip(self.names, found, strict=True)), called

    def read(self, file: Path) -> Any:
        """An opened file.

        Raises:
            DataError: it is damaged.
        """
        try:
            return pq.ParquetFile(file)
        except (OSError, ValueError) as error:  # pyarrow's own are both
            told = str(error).partition("\n")[0]
            raise DataError(f"{file}: cannot be read as Parquet ({told}).") from error

    def _group(self, file: str, group: int) -> Any:
        """The column in one row group; the last that was read is kept."""
        last, found = self._last
        if last != (file, group):
            found = self._read_group(file, group)
            self._last = (file, group), found
        return found

    def _read_group(self, file: str, group: int) -> Any:
        with self.read(self.files[file]) as opened:
            return opened.read_row_group(group, columns=[self.column]).column(0)

    def _at(self, name: str) -> tuple[str, int]:
        file, _, row = name.rpartition(":")
        return file, int(row)

    def _kind(self, schema: Any, file: Path, column: str, option: str) -> Any:
        if column not in schema.names:
            known = ", ".join(schema.names)
            raise DataError(
                f"queries.{option} = {column!r}: no such column in {file}; it has: {known}."
            )
        return schema.field(column).type


def _class_names(schema: Any, column: str) -> list[str]:
    """Names of a ClassLabel, which `datasets` writes beside the schema."""
    try:
        told = json.loads((schema.metadata or {})[b"huggingface"])
        return [str(name) for name in told["info"]["features"][column]["names"]]
    except (KeyError, TypeError, ValueError):
        return []
