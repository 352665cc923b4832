"""What of an earlier run is what the suite asks for now."""

from __future__ import annotations

from typing import Any

from .._suite.identity import difference
from ..errors import DataError
from .prepare import Prepared
from .store import Store


def outdated(prepared: Prepared, store: Store) -> dict[str, str]:
    """Name of an audit -> why the run tells nothing of it: it is another one now, or none.

    Raises:
        DataError: identity.json of the run directory is damaged.
    """
    known, found = _table(store, "draws"), dict[str, str]()
    if not all(isinstance(parts, dict) for parts in known.values()):
        raise _damaged(store)
    for audit in prepared.audits:
        name = audit.name
        if audit in prepared.blocked:
            found[name] = prepared.blocked[audit][1].rstrip(".")
        elif name not in known:
            found[name] = "the run does not hold it"
        elif changed := difference(known[name], prepared.identity[name]):
            found[name] = f"it was another one in the run ({'; '.join(changed)})"
    return found


def other_queries(prepared: Prepared, store: Store) -> str:
    """How the run's queries differ from the suite's, a sentence; "" where they do not.

    Raises:
        DataError: identity.json of the run directory is damaged.
    """
    plan, before = prepared.plan, _table(store, "queries")
    now = dict(zip(plan.ids, plan.items, strict=True))
    if changed := [name for name in before if now.get(name) != before[name] and name in now]:
        return f"{len(changed)} queries were others in the run, e.g. {changed[0]!r}."
    per_query = store.facts("identity.json").get("per_query")
    ran, wanted = (len(before), per_query), (len(now), plan.per_query)
    if ran == wanted and before.keys() == now.keys():
        return ""
    return (
        f"the run was of {ran[0]} queries with {ran[1]} draws each, the suite asks for {wanted[0]} "
        f"with {wanted[1]}."
    )


def _table(store: Store, name: str) -> dict[str, Any]:
    found = store.facts("identity.json").get(name, {})
    if not isinstance(found, dict):
        raise _damaged(store)
    return found


def _damaged(store: Store) -> DataError:
    return DataError(
        f"{store.path / 'identity.json'}: damaged (no table); delete it and run again."
    )
