"""A suite: TOML -> Suite, every problem at once, each with its path. Data, never code."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from . import condition_syntax, options
from .errors import DataError, SuiteError, UnknownName, UsageError, suggestion
from .plugins import Catalogue

DEFAULT = "color-mnist"
SET = "FIBER_AUDIT_SET"


class Use(BaseModel):
    """One component with its options: ``{use = "plugin/name", option = value}``."""

    model_config = ConfigDict(extra="allow", frozen=True)
    use: str

    @property
    def options(self) -> dict[str, Any]:
        """The options, without `use`."""
        return dict(self.__pydantic_extra__ or {})


class Exclude(BaseModel):
    """Audits to leave out: those that match every name given."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    extractor: str | None = None
    prior: str | None = None
    sampler: str | None = None


class Suite(BaseModel):
    """What to audit and how. The docstring of each field is its reference."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=80)
    """Names the run directory and the rows."""
    seed: int = Field(0, ge=0)
    """Root of all randomness."""
    draws: int = Field(4, ge=1)
    """Draws per query."""
    batch_size: int = Field(64, ge=1)
    """Draws computed together; changes nothing but rounding, speed and memory."""
    device: str = "cpu"
    """A torch device."""
    target: Literal["query", "reconstruction"] = "query"
    """Aim at phi(query), or at phi of its reconstruction by the prior, as the paper does."""
    unguided_steps: int = Field(50, ge=1)
    """Steps of the prior's own draws, which give the numbers a scale."""
    metrics: tuple[Use, ...] = Field(min_length=1)
    """Names, or tables with `use` and options."""
    queries: Use
    """The dataset that the queries come from."""
    extractors: dict[str, Use] = Field(min_length=1)
    priors: dict[str, Use] = Field(min_length=1)
    samplers: dict[str, Use] = Field(min_length=1)
    executor: Use = Use(use="local")
    exclude: tuple[Exclude, ...] = ()
    conditions: tuple[dict[str, Any], ...] = ()

    def digest(self) -> str:
        """Hash of all that determines the draws: not conditions, metrics or where it runs."""
        kept = self.model_dump(
            mode="json",
            exclude={"conditions", "metrics", "executor", "batch_size", "device"},
        )
        return sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()

    def to_toml(self) -> str:
        """The resolved suite, readable by `read`."""
        import tomli_w

        table = self.model_dump(mode="json", exclude_none=True, exclude_defaults=False)
        return tomli_w.dumps(table)


def shipped() -> list[str]:
    """Names of the suites in the package."""
    folder = files("fiber_audit").joinpath("suites")
    return sorted(
        f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml")
    )


def locate(suite: str | None) -> tuple[str, str]:
    """(text, where) of a suite: a path, a shipped name, or None for the embedded default."""
    name = suite or DEFAULT
    if not name.endswith(".toml") and not Path(name).exists():
        if name not in shipped():
            raise DataError(f"suite {name!r}: no such file or shipped suite. "
                            f"{suggestion(name, shipped())}")  # fmt: skip
        text = files("fiber_audit").joinpath("suites", f"{name}.toml").read_text("utf-8")
        return text, f"{name}.toml"
    path = Path(name)
    if path.is_dir():
        raise DataError(f"suite {name!r}: this is a folder; give a .toml file.")
    if not path.is_file():
        raise DataError(f"suite {name!r}: no such file. Shipped suites: {', '.join(shipped())}.")
    return path.read_text("utf-8"), name


def read(suite: str | None, catalogue: Catalogue, settings: Sequence[str] = ()) -> Suite:
    """Read, override (file < FIBER_AUDIT_SET < settings), validate against the catalogue.

    settings are ``path=value`` with TOML values, for instance ``samplers.ndtm.steps=50``.
    Raises SuiteError with every problem, each one sentence that starts with its path.
    """
    text, where = locate(suite)
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SuiteError([f"{where}: not valid TOML: {error}."]) from error
    if Path(where).name == "pyproject.toml":
        table = table.get("tool", {}).get("fiber-audit", {})
        if not table:
            raise SuiteError([f"{where}: has no table [tool.fiber-audit]."])
    for setting in [*os.environ.get(SET, "").split(), *settings]:
        override(table, setting)
    return parse(table, catalogue)


def override(table: dict[str, Any], setting: str) -> None:
    """Apply one ``path=value`` to a table in place; the value is TOML, or else text."""
    path, equals, text = setting.partition("=")
    if not equals or not path.strip():
        raise UsageError(f"--set {setting!r}: write path=value, e.g. samplers.ndtm.steps=50.")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *parents, last = path.strip().split(".")
    for parent in parents:
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            raise UsageError(f"--set {setting!r}: {parent} is not a table in this suite.")
    table[last] = value


def parse(table: Mapping[str, Any], catalogue: Catalogue) -> Suite:
    """A table as read from TOML -> Suite; SuiteError lists every problem."""
    problems: list[str] = []
    shaped = dict(table)
    for group in ("extractors", "priors", "samplers"):
        if isinstance(shaped.get(group), dict):
            shaped[group] = {
                key: {"use": key, **use} if isinstance(use, dict) else use
                for key, use in shaped[group].items()
            }
    if isinstance(shaped.get("executor"), dict):
        shaped["executor"] = {"use": "local", **shaped["executor"]}
    if isinstance(shaped.get("metrics"), list):
        shaped["metrics"] = [{"use": m} if isinstance(m, str) else m for m in shaped["metrics"]]
    try:
        suite = Suite.model_validate(shaped)
    except ValidationError as error:
        raise SuiteError([_sentence(e, shaped) for e in error.errors()]) from error
    for where, kind, use in _uses(suite):
        try:
            component = catalogue.find(kind, use.use)
        except UnknownName as unknown:
            problems.append(f"{where} = {use.use!r}: {unknown}")
            continue
        problems += options.problems_of(component.factory, use.options, where.removesuffix(".use"))
    problems += _unmatched(suite)
    for i, condition in enumerate(suite.conditions):
        try:
            condition_syntax.parse(condition, f"conditions[{i}]")
        except SuiteError as wrong:
            problems += wrong.problems
    if problems:
        raise SuiteError(problems)
    return suite


def _uses(suite: Suite) -> Iterable[tuple[str, str, Use]]:
    yield "queries.use", "dataset", suite.queries
    yield "executor.use", "executor", suite.executor
    for kind in ("extractor", "prior", "sampler"):
        for key, use in getattr(suite, f"{kind}s").items():
            yield f"{kind}s.{key}.use", kind, use
    for i, use in enumerate(suite.metrics):
        yield f"metrics[{i}]", "metric", use


def _unmatched(suite: Suite) -> Iterable[str]:
    for group, tables in (("exclude", [e.model_dump() for e in suite.exclude]),
                          ("conditions", suite.conditions)):  # fmt: skip
        for i, table in enumerate(tables):
            for kind in ("extractor", "prior", "sampler"):
                name, known = table.get(kind), getattr(suite, f"{kind}s")
                if isinstance(name, str) and name not in known:
                    yield (
                        f"{group}[{i}].{kind} = {name!r}: the suite has no such {kind}. "
                        f"{suggestion(name, known)}"
                    )


def _sentence(error: Any, table: Mapping[str, Any]) -> str:
    path = ""
    for part in error["loc"]:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    if error["type"] == "missing":
        return f"{path}: this key is required."
    if error["type"] == "extra_forbidden":
        known = Suite.model_fields if len(error["loc"]) == 1 else Exclude.model_fields
        return f"{path}: no such key. {suggestion(str(error['loc'][-1]), known)}"
    value = error["input"]
    shown = "" if isinstance(value, dict) else f" = {value!r}"
    return f"{path}{shown}: {error['msg']}."
