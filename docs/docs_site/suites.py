"""TOML in a page: suites, and pieces of suites, held against the catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fiber_audit._suite.catalogue import Catalogue
from fiber_audit._suite.condition import sentences
from fiber_audit._suite.options import problems_of
from fiber_audit._suite.suite import Suite
from fiber_audit.errors import FiberAuditError

ONE = {"queries": "dataset", "training": "dataset", "executor": "executor"}
SEVERAL = {f"{kind}s": kind for kind in ("extractor", "prior", "sampler", "attribute")}
ELSEWHERE = {"project", "tool"}
"""Tables of a pyproject.toml."""


def uses(table: Mapping[str, Any]) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """(path, kind, name, options) of every component that a piece of a suite names."""
    for key, kind in ONE.items():
        if key in table:
            yield key, kind, *_split(table[key], "")
    for key, kind in SEVERAL.items():
        for name, use in table.get(key, {}).items():
            yield f"{key}.{name}", kind, *_split(use, name)
    for i, metric in enumerate(table.get("metrics", ())):
        use = {"use": metric} if isinstance(metric, str) else metric
        yield f"metrics[{i}]", "metric", *_split(use, "")


def _split(use: Mapping[str, Any], name: str) -> tuple[str, dict[str, Any]]:
    return use.get("use", name), {key: value for key, value in use.items() if key != "use"}


def problems(table: Mapping[str, Any], catalogue: Catalogue) -> list[str]:
    """What a suite that holds this would be refused for; nothing where it is good."""
    if ELSEWHERE & {*table}:
        return []
    found = [f"{key}: no such key" for key in table if key not in Suite.model_fields]
    for path, kind, name, options in uses(table):
        try:
            found += problems_of(catalogue.find(kind, name).factory, options, path)
        except FiberAuditError as error:
            found.append(f"{path}: {error}")
    for i, condition in enumerate(table.get("conditions", ())):
        found += sentences(condition, f"conditions[{i}]")
    return found
