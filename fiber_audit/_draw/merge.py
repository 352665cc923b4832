"""Bring the draws of several run directories, shards of one suite, into one."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path

from .._suite.catalogue import Catalogue
from .._suite.read import parse
from .._suite.suite import Suite
from ..errors import DataError, SuiteError
from ..files import write_atomically
from .sealed import SUITE, suite_text
from .store import Store, existing

NOT_DRAWS = {"conditions", "executor", "device"}
"""What shards of one suite may differ in."""


def common_suite(parts: Sequence[Path], catalogue: Catalogue) -> Suite:
    """The suite that all parts share, as the first one has it.

    It is what the parts say: the environment overrides nothing in it.

    Raises:
        DataError: a part is no run directory, or the parts are of different suites.
        SuiteError: a suite.toml is damaged, or names what is not installed here.
    """
    suites = {part: _resolved(existing(part), catalogue) for part in parts}
    first, *others = parts
    for other in others:
        if _kept(suites[other]) != _kept(suites[first]):
            raise DataError(
                f"{other}: its suite differs from that of {first} in what determines the draws; "
                f"merge shards of one suite only."
            )
    return suites[first]


def bring(parts: Sequence[Path], target: Store) -> None:
    """Copy the finished blocks of all parts, but those that are there.

    Raises:
        DiskError: a block cannot be written.
    """
    target.open()
    for part in parts:
        for kind in ("units", "observed"):
            for path in sorted((part / kind).glob("*.npz")):
                copy = target.path / kind / path.name
                if not copy.exists():
                    write_atomically(copy, path.read_bytes())


def _resolved(store: Store, catalogue: Catalogue) -> Suite:
    try:
        table = tomllib.loads(suite_text(store.path))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SuiteError([f"{store.path / SUITE}: not valid TOML: {error}."]) from error
    return parse(table, catalogue)


def _kept(suite: Suite) -> dict[str, object]:
    return suite.model_dump(mode="json", exclude=NOT_DRAWS)
