"""Tables of the reference: columns of records.csv, keys of a suite and a condition, exit codes."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from fiber_audit._suite import variables
from fiber_audit._suite.condition import Condition
from fiber_audit._suite.suite import Suite
from fiber_audit.records import COLUMNS

from .command_line import exit_codes
from .components import WORDS
from .markdown import table
from .options import words

TYPES = {"string": "text", "Float64": "number", "Int64": "whole number"}
PAGE = """# Tables

Columns, keys, codes and variables, as the code has them.

## Columns of records.csv

In the order of the file; [how to read them](../suites.md#recordscsv).

{columns}
## Keys of a suite

`[queries]`, `[training]`, `[extractors.NAME]` and the like are tables with `use` and the options
of what they name. [An example](../suites.md).

{keys}
## Keys of a condition

`[[conditions]]`, or `fiber_audit.Condition`; [what they mean](../ci.md#1-say-what-must-hold).

{condition}
## Exit codes

{codes}
## Environment variables

No other name that starts with `FIBER_AUDIT_` is accepted.

{variables}"""


def columns() -> str:
    """Column, type, meaning."""
    rows = [(f"`{c}`", TYPES[kind], WORDS["columns"][c]) for c, kind in COLUMNS.items()]
    return table(("column", "type", "meaning"), rows)


def keys() -> str:
    """Key, type, default, meaning."""
    rows = []
    for name, field in Suite.model_fields.items():
        default = "required" if field.is_required() else _default(field.default)
        meaning = field.description or WORDS["keys"][name]
        rows.append((f"`{name}`", _kind(field.annotation), default, " ".join(meaning.split())))
    return table(("key", "type", "default", "meaning"), rows)


def _default(value: Any) -> str:
    plain = value.model_dump() if hasattr(value, "model_dump") else value
    return "none" if plain is None else f"`{json.dumps(plain)}`"


def _kind(annotation: Any) -> str:
    told = words(annotation).replace("Use", "table with `use`")
    return told.replace("Exclude", "table").replace("Condition", "table")


def condition() -> str:
    """The keys of a condition and their defaults."""
    rows = []
    for field in fields(Condition):
        required = not hasattr(Condition, field.name)
        rows.append((f"`{field.name}`", "required" if required else _default(field.default)))
    return table(("key", "default"), rows)


def environment() -> str:
    """What is read of the environment."""
    names = [v for k, v in vars(variables).items() if k.isupper()]
    return table(("variable", "meaning"), [(f"`{n}`", WORDS["variables"][n]) for n in names])


def page() -> str:
    """All tables."""
    return PAGE.format(
        columns=columns(),
        keys=keys(),
        condition=condition(),
        codes=exit_codes(),
        variables=environment(),
    )
