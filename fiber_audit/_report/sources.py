"""What a page is made of: the files of a run directory, read and checked, and what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import records as table
from .._draw.sealed import suite_text, unsealed
from .._judge import written
from .._score import exhibits, gallery
from .._suite.condition import LOST
from ..contracts import Table
from ..errors import DataError
from ..records.saved import DIGEST

if TYPE_CHECKING:
    import pandas as pd

    from .._judge.verdicts import Verdict
    from .._score.gallery import Gallery


@dataclass(frozen=True, eq=False)
class Sources:
    """The contents of a run directory.

    galleries: audit -> its pictures. missing: audit -> a sentence, where it has draws, but no
        pictures here.
    tables: metric -> the tables that it offers.
    """

    records: pd.DataFrame
    verdicts: Sequence[Verdict]
    galleries: dict[str, Gallery]
    missing: dict[str, str]
    tables: dict[str, tuple[Table, ...]]
    environment: dict[str, Any]
    suite_toml: str


def read_sources(run: Path) -> Sources:
    """Read a run directory.

    Raises:
        DataError: it is no run directory, or a file of it is missing, damaged or foreign. Pictures
            may be missing.
    """
    if not (run / "suite.toml").is_file():
        raise DataError(
            f"{run}: not a run directory (it has no suite.toml); give what run printed."
        )
    records = table.read(run)
    audits = [str(audit) for audit in records["audit"].dropna().unique()]
    galleries = {table.printable(g.audit): g for g in gallery.load_all(run / gallery.FOLDER)}
    for foreign in galleries.keys() - set(audits):
        path = run / gallery.FOLDER / gallery.file_name(galleries[foreign].audit)
        raise DataError(f"{path}: shows {foreign!r}, an audit that records.csv lacks; delete it.")
    return Sources(
        records=records,
        verdicts=written.read(run),
        galleries={audit: galleries[audit] for audit in audits if audit in galleries},
        missing={a: _missing(a) for a in audits if a not in galleries and _drawn(records, a)},
        tables={} if _is_old(run) else _named_as_records(exhibits.load(run)),
        environment=_environment(run / "environment.json"),
        suite_toml=suite_text(run),
    )


def _named_as_records(tables: dict[str, tuple[Table, ...]]) -> dict[str, tuple[Table, ...]]:
    """Audits are called by the names that the records could hold."""
    return {
        metric: tuple(
            replace(
                each,
                links={heading: table.printable(audit) for heading, audit in each.links.items()},
                sentences={table.printable(a): told for a, told in each.sentences.items()},
            )
            for each in offered
        )
        for metric, offered in tables.items()
    }


def _is_old(run: Path) -> bool:
    """Written when runs kept no digest of their records, and no exhibits either."""
    return not (run / DIGEST).exists()


def _missing(audit: str) -> str:
    return (
        f"The pictures of {audit} are missing from the run directory ({gallery.FOLDER}/); "
        f"run the suite again to make them."
    )


def _drawn(records: pd.DataFrame, audit: str) -> bool:
    """Whether a number was measured on the draws of an audit."""
    rows = records[(records["audit"] == audit) & (records["metric"] != LOST)]
    return bool(rows["value"].notna().any())


def _environment(path: Path) -> dict[str, Any]:
    """The facts of environment.json, strict JSON."""
    found = unsealed(path, "the environment of a run")
    if "fiber_audit" not in found:
        raise DataError(
            f"{path}: not the environment of a fiber-audit run; delete it and run the suite again."
        )
    return found
