"""Bring the draws of several run directories, shards of one suite, into one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .errors import DataError
from .plugins import Catalogue
from .store import Store, existing, write_atomically
from .suite import Suite, read


def merge(parts: Sequence[Path], out: Path, catalogue: Catalogue) -> Suite:
    """Copy the finished blocks of all parts to out; returns the suite that they share.

    Raises:
        DataError: a part is no run directory, or the parts are of different suites; then nothing
            is written.
    """
    suites = {part: read(str(existing(part).path / "suite.toml"), catalogue) for part in parts}
    first, *others = parts
    for other in others:
        if suites[other].digest() != suites[first].digest():
            raise DataError(
                f"{other}: its suite differs from that of {first} in what determines the draws; "
                f"merge shards of one suite only."
            )
    target = Store(out)
    for part in parts:
        for path in sorted(Store(part).units.glob("*.npz")):
            copy = target.units / path.name
            if not copy.exists():
                write_atomically(copy, path.read_bytes())
    return suites[first]
