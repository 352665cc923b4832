"""One ``[[conditions]]`` table of a suite -> a Condition, or every problem with it at once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from .compare import IDENTITY
from .conditions import Condition
from .errors import SuiteError, suggestion

TEXT = ("metric", "statistic", "extractor", "prior", "sampler", "baseline", "name")
NUMBER = ("min", "max", "tolerance")
CHOICE = {"severity": ("fail", "warn"), "decide": ("interval", "value")}


def parse(table: Mapping[str, Any], where: str) -> Condition:
    """A condition from its table; where is its path in the suite, e.g. ``conditions[0]``.

    Raises:
        SuiteError: carries one sentence for each problem.

    >>> parse({"metric": "fiber_loss_rms", "max": 0.1}, "conditions[0]").max
    0.1
    """
    problems = [*_problems(table, where)]
    if problems:
        raise SuiteError(problems)
    values: dict[str, Any] = dict(table)
    values.update({key: float(value) for key, value in table.items() if key in NUMBER})
    values.update({key: tuple(value) for key, value in table.items() if key == "allow"})
    return Condition(**values)


def _problems(table: Mapping[str, Any], where: str) -> list[str]:
    known = [field.name for field in fields(Condition)]
    problems = [
        f"{where}.{key}: no such key. {suggestion(key, known)}" for key in table if key not in known
    ]
    if "metric" not in table:
        problems.append(f'{where}: it names no metric; add metric = "...".')
    for key, value in table.items():
        shown = f"{where}.{key} = {value!r}"
        if key in TEXT and not (isinstance(value, str) and value):
            problems.append(f"{shown}: give a text in quotes.")
        elif key in NUMBER and not _number(value):
            problems.append(f"{shown}: give a finite number.")
        elif key == "tolerance" and value < 0:
            problems.append(f"{shown}: give 0 or more; 0.05 tolerates 5 %.")
        elif key in CHOICE and value not in CHOICE[key]:
            problems.append(f"{shown}: give one of {', '.join(CHOICE[key])}.")
        elif key == "allow" and not (isinstance(value, list) and set(value) <= IDENTITY.keys()):
            problems.append(f"{shown}: give a list of {', '.join(IDENTITY)}.")
    bounds = [key for key in ("min", "max") if key in table]
    if "baseline" in table and bounds:
        problems.append(f"{where}: it has baseline and {bounds[0]}; make two conditions of it.")
    if "baseline" not in table and not bounds:
        problems.append(f"{where}: it bounds nothing; add min, max or baseline.")
    if "baseline" not in table:
        problems += [
            f"{where}.{key}: it means something only beside baseline; add one, or drop {key}."
            for key in ("tolerance", "allow")
            if key in table
        ]
    low, high = table.get("min", -math.inf), table.get("max", math.inf)
    if not problems and low > high:
        problems.append(f"{where}: min = {low} is above max = {high}; swap them.")
    return problems


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
