"""Bring the draws of several run directories, shards of one suite, into one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .._suite.catalogue import Catalogue
from .._suite.read import read
from .._suite.suite import Suite
from ..errors import DataError
from ..files import write_atomically
from .store import Store, existing

NOT_DRAWS = {"conditions", "executor", "device"}
"""What shards of one suite may differ in."""


def merge(parts: Sequence[Path], out: Path, catalogue: Catalogue) -> Suite:
    """Copy the finished blocks of all parts to out; returns the suite that they share.

    Raises:
        DataError: a part is no run directory, or the parts are of different suites; then nothing
            is written.
    """
    suites = {part: read(str(existing(part).path / "suite.toml"), catalogue) for part in parts}
    first, *others = parts
    for other in others:
        if _kept(suites[other]) != _kept(suites[first]):
            raise DataError(
                f"{other}: its suite differs from that of {first} in what determines the draws; "
                f"merge shards of one suite only."
            )
    target = Store(out)
    target.open()
    for part in parts:
        for kind in ("units", "observed"):
            for path in sorted((part / kind).glob("*.npz")):
                copy = target.path / kind / path.name
                if not copy.exists():
                    write_atomically(copy, path.read_bytes())
    return suites[first].placed(first)


def _kept(suite: Suite) -> dict[str, object]:
    return suite.model_dump(mode="json", exclude=NOT_DRAWS)
