"""Options that name other components of the suite: what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import FiberAuditError, suggestion
from . import options
from .catalogue import Catalogue


def unnamed(
    catalogue: Catalogue,
    factory: options.Factory,
    given: Mapping[str, Any],
    where: str,
    table: Mapping[str, Any],
) -> Iterator[str]:
    """Options that name what the suite does not have, or their own place."""
    for name, kind in options.named_of(factory).items():
        tables = table.get(f"{kind}s")
        known = [str(key) for key in tables] if isinstance(tables, dict) else []
        full = list[str]()
        if kind == "attribute":  # one without options needs no table
            known += [n for n in catalogue.names(kind) if n not in known]
            full = [c.qualified for c in catalogue if c.kind == kind]
        for each in options.names_in(given[name]) if name in given else ():
            if each not in known and each not in full:
                told = f"the suite has no such {kind}. {suggestion(each, known)}"
                yield f"{where}.{name} = {each!r}: {told}"
            elif kind == "attribute":
                yield from _incomplete(catalogue, each, table)
            elif _leads_to(catalogue, each, where, table):
                yield f"{where}.{name} = {each!r}: leads back to itself; name another {kind}."


def _incomplete(catalogue: Catalogue, name: str, table: Mapping[str, Any]) -> list[str]:
    """What is wrong with an attribute of the catalogue that is used without a table."""
    if name in (table.get("attributes") or {}):
        return []
    try:
        factory = catalogue.find("attribute", name).factory
    except FiberAuditError as error:
        return [f"attributes.{name}: {error}"]
    return options.problems_of(factory, {}, f"attributes.{name}")


def _leads_to(catalogue: Catalogue, sampler: str, where: str, table: Mapping[str, Any]) -> bool:
    """Whether what a sampler names, and what that names in turn, comes to a place of the suite."""
    seen, ahead, tables = set[str](), [sampler], dict(table.get("samplers") or {})
    while ahead:
        key = ahead.pop()
        if f"samplers.{key}" == where:
            return True
        if key not in seen and isinstance(use := tables.get(key), dict):
            seen.add(key)
            ahead += _draws_by(catalogue, use)
    return False


def _draws_by(catalogue: Catalogue, use: Mapping[str, Any]) -> list[str]:
    """The samplers that one names."""
    try:
        named = options.named_of(catalogue.find("sampler", use["use"]).factory)
    except Exception:  # there is none such, or its annotations are broken: told at its own place
        return []
    return [str(use[name]) for name, kind in named.items() if kind == "sampler" and name in use]
