"""The command's reference: every verb with its arguments and options, as click knows them."""

from __future__ import annotations

import inspect
import typing
from functools import cache
from typing import Any

import click

from fiber_audit.commands.main import app
from fiber_audit.commands.shared import Exit

from .components import WORDS
from .markdown import table
from .options import words

INTRODUCTION = """# The command

`fiber-audit COMMAND --help` says the same. What was asked for goes to stdout, progress and
complaints to stderr. Exit codes are [pytest's](tables.md#exit-codes).
"""


@cache
def commands() -> dict[str, Any]:
    """Verb -> its click command."""
    context = click.Context(app)
    return {verb: app.get_command(context, verb) for verb in app.list_commands(context)}


def usage(verb: str, command: Any) -> str:
    """One line: the verb, its arguments, and that there are options."""
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    shown = [_shown(p) if p.required else f"[{_shown(p)}]" for p in arguments]
    return " ".join(["fiber-audit", verb, *shown, "[OPTIONS]"])


def _shown(parameter: Any) -> str:
    name = parameter.metavar or parameter.name.upper()
    return f"{name}…" if parameter.nargs == -1 else name


def _row(parameter: Any, kinds: dict[str, Any]) -> tuple[str, str, str]:
    if parameter.param_type_name == "argument":
        return f"`{_shown(parameter)}`", "", parameter.help or ""
    names = ", ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])
    if parameter.is_flag:
        return names, "", parameter.help or ""
    value = parameter.metavar or words(kinds[parameter.name]).removesuffix(" or none")
    return names, value.replace("list of ", ""), parameter.help or ""


def section(verb: str, command: Any) -> str:
    """One verb: its docstring, its usage, its parameters."""
    kinds = typing.get_type_hints(command.callback)
    rows = [_row(p, kinds) for p in command.params if p.name != "help"]
    told = inspect.cleandoc(command.help)
    text = f"## {verb}\n\n{told}\n\n```text\n{usage(verb, command)}\n```\n\n"
    return text + (table(("", "value", "meaning"), rows) if rows else "")


def page() -> str:
    """All verbs."""
    return "\n".join([INTRODUCTION, *(section(*item) for item in commands().items())])


def exit_codes() -> str:
    """A table of `Exit`."""
    told = WORDS["exit_codes"]
    rows = [(str(code.value), f"`{code.name}`", told[code.name]) for code in Exit]
    return table(("exit code", "name", "meaning"), rows)
