"""The files of the table in a run directory, and the digest that tells whether they are whole.

records.csv       the table
records.parquet   the same, typed
records.json      {"schema_version": 3, "rows": ..., "sha256": ... of records.csv,
                   "beside": {"verdicts.json": ... its digest, where there is one}}
"""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DataError, DiskError
from ..files import read_text, write_atomically
from .csv_text import WHAT, from_csv, to_csv
from .held import held
from .schema import SCHEMA_VERSION

if TYPE_CHECKING:
    import pandas as pd

CSV, PARQUET, DIGEST = "records.csv", "records.parquet", "records.json"
BESIDE = ("verdicts.json",)
"""What tells of the same rows, and is whole if it has the digest that records.json knows."""


def write(records: pd.DataFrame, folder: Path) -> Path:
    """Write the three files of the table into a folder, each atomically; returns records.csv.

    The digest is gone before the others change, and comes last: it never tells of another table,
    nor of that of another run which ends at the same moment.

    Raises:
        DiskError: the folder cannot be written, or the disk is full.
    """
    with held(folder, alone=True):
        return _written(records, folder)


def _written(records: pd.DataFrame, folder: Path) -> Path:
    text = to_csv(records)
    try:
        (folder / DIGEST).unlink(missing_ok=True)
    except OSError as error:
        raise DiskError(f"{folder / DIGEST}: cannot be written ({error.strerror}).") from error
    path = write_atomically(folder / CSV, text)
    write_atomically(folder / PARQUET, records.to_parquet(index=False))
    known = {
        "schema_version": SCHEMA_VERSION,
        "rows": len(records),
        "sha256": sha256(text.encode()).hexdigest(),
        "beside": {
            name: sha256((folder / name).read_bytes()).hexdigest()
            for name in BESIDE
            if (folder / name).is_file()
        },
    }
    write_atomically(folder / DIGEST, json.dumps(known, indent=1) + "\n")
    return path


def read(path: str | Path) -> pd.DataFrame:
    """The frame of a run directory or of a CSV file; see `read_csv` for what is read.

    A records.csv with its records.json beside it must be the file that the run wrote.

    Raises:
        DataError: it is missing, cut, edited or damaged, or is no table of records.
    """
    path = Path(path)
    try:
        source = path / CSV if path.is_dir() else path
    except OSError:  # a name that is too long, for instance; reading it says so
        source = path
    if source != path and not source.is_file():
        raise DataError(f"{path}: it holds no {CSV}; give a finished run, or a CSV file.")
    beside = source.with_name(DIGEST)
    with held(source.parent, alone=False):
        text = read_text(source, WHAT)
        whole = source.name == CSV and beside.is_file()
        rows, digest, _ = _known(beside) if whole else (0, "", {})
    if not whole:
        return from_csv(text, source)
    if sha256(text.encode()).hexdigest() == digest:
        return from_csv(text, source)
    why = "it was cut or edited after its run"
    try:
        found = len(from_csv(text, source))
    except DataError as error:
        why = str(error).removeprefix(f"{source}: ").rstrip(".").partition(";")[0]
    else:
        why += f", which wrote {rows} rows, not {found}" if found != rows else ""
    raise DataError(
        f"{source}: {why}; run its suite again with the same --out, or, if the change is meant, "
        f"copy the file out of the run and give the copy."
    )


def text_beside(path: Path, what: str) -> str | None:
    """The text of a file beside the table, as the run wrote it; None where the run wrote none.

    Raises:
        DataError: it is missing, cut, edited or damaged.
    """
    digests = path.with_name(DIGEST)
    with held(path.parent, alone=False):
        wanted = _known(digests)[2].get(path.name) if digests.is_file() else None
        if wanted is None and not path.exists():
            return None
        text = read_text(path, what)
    if wanted in (None, sha256(text.encode()).hexdigest()):
        return text
    raise DataError(f"{path}: it was cut or edited after its run; run its suite again to mend it.")


def _known(path: Path) -> tuple[int, str, dict[str, str]]:
    """Row count and digest that a run left, and the digests of files beside."""
    try:
        known = json.loads(read_text(path, f"the {DIGEST} of a run"))
        beside = dict(known["beside"]) if "beside" in known else {}
        return int(known["rows"]), str(known["sha256"]), beside
    except DataError:
        raise
    except (LookupError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise DataError(
            f"{path}: it is damaged, so the {CSV} beside it cannot be checked; run its suite again "
            f"with the same --out."
        ) from error
