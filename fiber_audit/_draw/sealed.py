"""JSON tables of a run directory that keep their own digest, so that a flipped bit is found.

Tables of earlier versions have none, and are believed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..files import read_text

SEAL = "sha256"
SUITE_SEAL = "suite_sha256"
SUITE, IDENTITY, ENVIRONMENT = "suite.toml", "identity.json", "environment.json"


def sealed(table: Mapping[str, Any]) -> str:
    """The text of a table with its digest: strict JSON.

    >>> print(sealed({"draws": 2}))
    {
     "draws": 2,
     "sha256": "ad6d58c21881a0a54c608295224a67f01d4b97e10a3241a9ab8f9b3d49ea2211"
    }
    <BLANKLINE>
    """
    kept = json.loads(json.dumps(table, allow_nan=False))  # as it will be read
    return json.dumps({**kept, SEAL: _digest(kept)}, indent=1) + "\n"


def unsealed(path: Path, what: str, way_out: str = "delete it and run again") -> dict[str, Any]:
    """A table without its digest; `what` and `way_out` are for the sentence of an error.

    Raises:
        DataError: it is missing, damaged or was edited.
    """
    try:
        found = json.loads(read_text(path, what), parse_constant=_refused)
        if not isinstance(found, dict):
            raise ValueError("no table")
        if found.pop(SEAL, None) not in (None, _digest(found)):
            raise ValueError("it was cut or edited after its run")
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: damaged ({error}); {way_out}.") from error
    return found


def suite_text(run: Path) -> str:
    """What suite.toml of a run directory holds.

    Raises:
        DataError: it is missing, or not what environment.json says of it.
    """
    path, beside = run / SUITE, run / ENVIRONMENT
    text = read_text(path, "a suite")
    known = unsealed(beside, "JSON").get(SUITE_SEAL) if beside.exists() else None
    if known not in (None, suite_seal(text)):
        raise DataError(
            f"{path}: it was cut or edited after its run; run its suite again with the same --out."
        )
    return text


def suite_seal(text: str) -> str:
    """What environment.json tells of suite.toml, under `SUITE_SEAL`."""
    return sha256(text.encode()).hexdigest()


def _digest(table: Mapping[str, Any]) -> str:
    return sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
