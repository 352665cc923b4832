"""TOML -> Suite: every problem at once, each one sentence that starts with its path."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..errors import DataError, FiberAuditError, SuiteError, UnknownName, UsageError, suggestion
from ..files import read_text
from . import condition, options
from .catalogue import Catalogue
from .named import unnamed
from .suite import MOST, Exclude, Suite
from .variables import SET

DEFAULT = "color-mnist"
GROUPS = {
    "extractors": "extractor",
    "priors": "prior",
    "samplers": "sampler",
    "attributes": "attribute",
}


def shipped() -> list[str]:
    """Names of the suites in the package."""
    folder = files("fiber_audit").joinpath("suites")
    return sorted(
        f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml")
    )


def locate(suite: str | None) -> tuple[str, str]:
    """(text, where) of a suite: a path, a shipped name, or None for the embedded default."""
    name = DEFAULT if suite is None else suite
    path = Path(name)
    try:
        exists, is_folder = path.exists(), path.is_dir()
    except (OSError, ValueError) as error:  # a name too long, or with a zero byte
        raise DataError(f"suite {name[:80]!r}: not a file name ({error}).") from error
    if not name or (not name.endswith(".toml") and (not exists or name in shipped())):
        if name not in shipped():
            raise DataError(f"suite {name!r}: no such file or shipped suite. "
                            f"{suggestion(name, shipped())}")  # fmt: skip
        text = files("fiber_audit").joinpath("suites", f"{name}.toml").read_text("utf-8")
        return text, f"{name}.toml"
    if is_folder:
        raise DataError(f"suite {name!r}: this is a folder; give a .toml file.")
    if not exists:
        raise DataError(f"suite {name!r}: no such file. Shipped suites: {', '.join(shipped())}.")
    return read_text(path, "a suite"), name


def read(suite: str | None, catalogue: Catalogue, settings: Sequence[str] = ()) -> Suite:
    """Read, override (file < FIBER_AUDIT_SET < settings), validate against the catalogue.

    settings are ``path=value`` with TOML values, for instance ``samplers.ndtm.steps=50``.

    Raises:
        SuiteError: carries every problem.
        DataError: there is no such suite, or it is no text.
    """
    text, where = locate(suite)
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise SuiteError([f"{where}: not valid TOML: {error}."]) from error
    if Path(where).name == "pyproject.toml":
        tool = table.get("tool", {})
        table = tool.get("fiber-audit", {}) if isinstance(tool, dict) else {}
        if not (isinstance(table, dict) and table):
            raise SuiteError([f"{where}: has no table [tool.fiber-audit]."])
    for setting in [*os.environ.get(SET, "").split(), *settings]:
        override(table, setting)
    folder = Path(where).parent if suite and Path(suite).is_file() else Path()
    return parse(table, catalogue).placed(folder)


def override(table: dict[str, Any], setting: str) -> None:
    """Apply one ``path=value`` to a table in place; the value is TOML, or else text."""
    path, equals, text = setting.partition("=")
    if not equals or not path.strip():
        raise UsageError(f"--set {setting!r}: write path=value, e.g. samplers.ndtm.steps=50.")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        value = text
    *parents, last = path.strip().split(".")
    for parent in parents:
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            raise UsageError(f"--set {setting!r}: {parent} is not a table in this suite.")
    table[last] = value


def parse(table: Mapping[str, Any], catalogue: Catalogue) -> Suite:
    """A table as read from TOML -> Suite; SuiteError lists every problem."""
    shaped = _shaped(table)
    problems = list(_too_large(shaped, ""))
    if problems:
        raise SuiteError(problems)
    suite: Suite | None = None
    try:
        suite = Suite.model_validate(shaped)
    except ValidationError as error:
        told = (_sentence(e, shaped) for e in error.errors() if e["loc"][:1] != ("conditions",))
        problems += dict.fromkeys(told)
    for where, kind, use in _uses(shaped):
        problems += _problems_of(catalogue, where, kind, use, shaped)
    problems += _unmatched(shaped)
    metrics = {name for _, kind, use in _uses(shaped) if kind == "metric" and (name := use["use"])}
    offered = {_bare(catalogue, name) for name in metrics}
    for i, each in enumerate(_list(shaped.get("conditions"))):
        path = f"conditions[{i}]"
        problems += (
            wrong
            if (wrong := condition.sentences(each, path))
            else condition.unmatched(condition.Condition(**each), offered, path)
        )
    if problems or suite is None:
        raise SuiteError(list(dict.fromkeys(problems)))
    return suite


def _shaped(table: Mapping[str, Any]) -> dict[str, Any]:
    """Short forms spelt out: a component's own name for `use`, a metric's name alone."""
    shaped = dict(table)
    for group in GROUPS:
        if isinstance(shaped.get(group), dict):
            shaped[group] = {
                key: {"use": key, **use} if isinstance(use, dict) else use
                for key, use in shaped[group].items()
            }
    if isinstance(shaped.get("executor"), dict):
        shaped["executor"] = {"use": "local", **shaped["executor"]}
    if isinstance(shaped.get("metrics"), list):
        shaped["metrics"] = [{"use": m} if isinstance(m, str) else m for m in shaped["metrics"]]
    return shaped


def _uses(table: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(path, kind, table) of every component that is named well enough to be looked up."""
    found = [
        ("queries", "dataset", table.get("queries")),
        ("training", "dataset", table.get("training")),
        ("executor", "executor", table.get("executor")),
    ]
    for group, kind in GROUPS.items():
        tables = table.get(group)
        found += [
            (f"{group}.{k}", kind, use)
            for k, use in (tables if isinstance(tables, dict) else {}).items()
        ]
    found += [(f"metrics[{i}]", "metric", use) for i, use in enumerate(_list(table.get("metrics")))]
    for where, kind, use in found:
        if isinstance(use, dict) and isinstance(use.get("use"), str):
            yield where, kind, use


def _problems_of(
    catalogue: Catalogue, where: str, kind: str, use: dict[str, Any], table: Mapping[str, Any]
) -> list[str]:
    named = where if kind == "metric" else f"{where}.use"
    try:
        factory = catalogue.find(kind, use["use"]).factory
    except UnknownName as unknown:
        return [f"{named} = {use['use']!r}: {unknown}"]
    except FiberAuditError as error:
        return [f"{named} = {use['use']!r}: {error}"]
    given = {k: v for k, v in use.items() if k != "use"}
    if problems := options.problems_of(factory, given, where):
        return problems
    return list(unnamed(catalogue, factory, given, where, table))


def _bare(catalogue: Catalogue, name: str) -> str:
    try:
        return catalogue.find("metric", name).name
    except UnknownName:
        return name


def _unmatched(table: Mapping[str, Any]) -> Iterator[str]:
    """Rows of `exclude` and `conditions` that name what the suite does not have."""
    for group in ("exclude", "conditions"):
        for i, row in enumerate(_list(table.get(group))):
            if isinstance(row, dict):
                yield from _strangers(row, f"{group}[{i}]", table)
                if isinstance(row.get("minus"), dict):
                    yield from _strangers(row["minus"], f"{group}[{i}].minus", table)


def _strangers(row: Mapping[str, Any], where: str, table: Mapping[str, Any]) -> Iterator[str]:
    for plural, kind in GROUPS.items():
        name, known = row.get(kind), table.get(plural)
        if isinstance(name, str) and isinstance(known, dict) and name not in known:
            yield (
                f"{where}.{kind} = {name!r}: the suite has no such {kind}. "
                f"{suggestion(name, map(str, known))}"
            )


def _too_large(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _too_large(each, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for i, each in enumerate(value):
            yield from _too_large(each, f"{path}[{i}]")
    elif isinstance(value, int) and abs(value) > MOST:
        yield f"{path}: {str(value)[:24]}… is beyond 64 bits; give a smaller number."


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _sentence(error: Any, table: Mapping[str, Any]) -> str:
    path = ""
    for part in error["loc"]:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    if error["type"] == "missing":
        return f"{path}: this key is required."
    if error["type"] == "extra_forbidden":
        known = Suite.model_fields if len(error["loc"]) == 1 else Exclude.model_fields
        return f"{path}: no such key. {suggestion(str(error['loc'][-1]), known)}"
    if error["loc"][-1:] == ("[key]",):
        path = path.removesuffix(".[key]")
        return f"{path}: a name has no slash, no control character, and 80 letters at most."
    if error["loc"] == ("name",) and error["type"] == "string_pattern_mismatch":
        return f"name = {error['input']!r}: use letters, digits, dots, dashes and underscores."
    if error["loc"][:1] == ("metrics",) and error["type"] == "model_type":
        return f"{path} = {error['input']!r}: give a metric's name, or a table with use = ..."
    value = error["input"]
    shown = "" if isinstance(value, (dict, list)) else f" = {value!r}"
    return f"{path}{shown}: {error['msg']}."
