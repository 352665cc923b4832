"""What a run directory says of itself: which suite, computed by what, and what the page shows."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._draw.prepare import Prepared
from .._draw.sealed import ENVIRONMENT, IDENTITY, SUITE, SUITE_SEAL, sealed, suite_seal
from .._draw.store import Store
from .._suite.guest import guest
from .._suite.identity import digest
from .._suite.suite import Suite
from ..errors import DiskError, UsageError
from . import exhibits
from .cells import Scored
from .gallery import FOLDER, save
from .provenance import environment

if TYPE_CHECKING:
    import pandas as pd

    from ..contracts import Table

RESULTS = (
    *("records.*", "verdicts.json", "exhibits.json", f"{FOLDER}/*.npz"),
    *("report.html", "report-pictures/*.webp"),
)
"""What a run leaves when it is finished."""
ELSEWHERE = {"attributes", "conditions", "metrics", "executor", "batch_size", "device", "training"}
"""What a suite says that does not choose its default directory."""


def default_path(suite: Suite) -> Path:
    """``runs/<suite>-<hash>``: another one for other components, data or options."""
    kept = suite.model_dump(mode="json", exclude=ELSEWHERE)
    return Path("runs") / f"{suite.name}-{digest(json.dumps(kept, sort_keys=True))[:10]}"


def refuse_another(store: Store, suite: Suite) -> None:
    """A directory belongs to one suite.

    Raises:
        UsageError: it is a file, or holds a run of a suite of another name.
    """
    path = store.path
    if path.exists() and not path.is_dir():
        raise UsageError(f"--out {path}: this is a file; give a folder.")
    try:
        name = tomllib.loads((path / SUITE).read_text("utf-8"))["name"]
    except (OSError, ValueError, KeyError):
        return  # a new directory, or nothing that could be taken for a run
    if name != suite.name:
        raise UsageError(
            f"--out {path}: holds a run of the suite {name!r}, not of {suite.name!r}; give another "
            f"folder."
        )


def begin(store: Store, prepared: Prepared) -> dict[str, Any]:
    """Open the directory; returns the facts of environment.json.

    The same suite with the same components and queries is the same run, going on. One that differs
    is a new run, with an id of its own;
    results of the old one are removed, for draws of a run that is stopped are not theirs.

    Raises:
        DiskError: the directory cannot be written.
    """
    store.open()
    text, known = prepared.plan.suite.anchored().to_toml(), store.kept(ENVIRONMENT)
    before = store.path / SUITE
    same = before.is_file() and before.read_bytes() == text.encode()
    identity, old_identity = identity_text(prepared), store.path / IDENTITY
    same = same and old_identity.is_file() and old_identity.read_bytes() == identity.encode()
    mark = suite_seal(text)
    if not (same and known.get("run_id") and known.get(SUITE_SEAL) == mark):
        known = environment(prepared.components) | {SUITE_SEAL: mark}
        store.write(ENVIRONMENT, sealed(known))
        for pattern in RESULTS:  # now: a disk that is full leaves the old ones
            for old in store.path.glob(pattern):
                _remove(old)
    store.write(SUITE, text)
    store.write(IDENTITY, identity)
    prepared.inputs.save(store)
    return known


def identity_text(prepared: Prepared) -> str:
    """The JSON of identity.json: what draws and queries are, to tell later what changed."""
    inputs = prepared.inputs
    facts = {
        "draws": {name: dict(parts) for name, parts in prepared.identity.items()},
        "queries": dict(zip(inputs.ids, inputs.items, strict=True)),
        "per_query": prepared.plan.per_query,
    }
    return sealed(facts)


def save_shown(
    store: Store, prepared: Prepared, scored: Sequence[Scored], records: pd.DataFrame
) -> None:
    """Keep what the page shows besides numbers: pictures, and what metrics offer for it."""
    folder = store.path / FOLDER
    kept = {save(each.gallery, folder) for each in scored if each.gallery is not None}
    for old in folder.glob("*.npz") if folder.is_dir() else ():
        if old not in kept:
            _remove(old)
    tables: dict[str, Sequence[Table]] = {}
    for i, use in enumerate(prepared.plan.suite.metrics):
        if i in prepared.unmade:
            continue
        name = prepared.components.component("metric", use).name
        try:
            with guest():
                offered = prepared.components.metric(i).exhibits(records)
            tables[name] = exhibits.checked(name, offered)
        except (Exception, SystemExit) as error:  # plugins may raise anything; one table pays
            store.log("error", {"metric": name, "message": f"exhibits: {error}"})
    exhibits.save({name: found for name, found in tables.items() if found}, store.path)


def _remove(old: Path) -> None:
    try:
        old.unlink(missing_ok=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DiskError(f"{old}: of an earlier run, and cannot be removed ({reason}).") from error
