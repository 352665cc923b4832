"""Some rows of an array in an .npz file, without holding the others."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from fiber_audit import DataError

BYTES = 2**24
"""Of rows that are read at once."""


def shape_of(path: Path, key: str) -> tuple[int, ...]:
    """The shape of an array.

    Raises:
        DataError: the file is no .npz, or has no such array.
    """
    with _opened(path, key) as (_, shape, _dtype):
        return shape


def rows_of(path: Path, key: str, rows: Sequence[int]) -> NDArray[Any]:
    """Some rows, in the order asked for; the file is read once, a few megabytes at a time.

    Raises:
        DataError: as above, or the file is cut short.
    """
    with _opened(path, key) as (file, shape, dtype):
        count, size = shape[0], int(np.prod(shape[1:])) * dtype.itemsize
        found = np.empty((len(rows), *shape[1:]), dtype)
        places = np.argsort(rows, kind="stable")
        wanted = np.asarray(rows)[places]
        step = max(1, BYTES // max(size, 1))
        for start in range(0, min(count, int(wanted.max(initial=-1)) + 1), step):
            some = min(step, count - start)
            block = np.frombuffer(file.read(some * size), dtype).reshape(some, *shape[1:])
            here = slice(*np.searchsorted(wanted, [start, start + some]))
            found[places[here]] = block[wanted[here] - start]
        return found


@contextmanager
def _opened(path: Path, key: str) -> Iterator[tuple[IO[bytes], tuple[int, ...], np.dtype[Any]]]:
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{key}.npy") as file:
            version = npy.read_magic(file)
            header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, columns_first, dtype = header(file)
            if columns_first or dtype.hasobject:
                raise ValueError("its arrays are not stored as plain rows")
            yield file, shape, dtype
    except KeyError as error:
        raise DataError(f"{path}: holds no array {key!r}.") from error
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: cannot be read as an .npz ({error}).") from error
