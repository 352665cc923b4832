"""Arguments and options: kinds of them, and those that several verbs share."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

from ..errors import UsageError


class Argument(click.Argument):
    """An argument that `--help` explains, with versions of click that know no such thing, too."""

    def __init__(self, *declared: Any, help: str, **attributes: Any) -> None:
        super().__init__(*declared, **attributes)
        self.help = help

    def get_help_record(self, ctx: click.Context) -> tuple[str, str]:
        """What is asked for, and what it is."""
        return self.human_readable_name, self.help or ""


class Finite(click.FloatRange):
    """A number in a range that is one: neither infinite nor nan."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Text -> the number."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            name = param.opts[0] if param is not None else ""
            raise UsageError(f"{name} {value}: give a finite number, e.g. 0.05.")
        return number


Command = TypeVar("Command", bound=Callable[..., Any])
argument = partial(click.argument, cls=Argument)
with_settings = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="PATH=VALUE",
    help="override the suite: samplers.ndtm.steps=50",
)
with_json = click.option("--json", "as_json", is_flag=True, help="write JSON to stdout")
with_weights = click.option(
    "--allow-pickle",
    type=Path,
    multiple=True,
    metavar="PATH",
    help="weights (a file or folder) that may run code",
)
with_strict = click.option("--strict", is_flag=True, help="a plugin that does not load is an error")


def with_plugins(function: Command) -> Command:
    """Options that say which plugins there are: -p and --plugin."""
    less = click.option("-p", multiple=True, metavar="no:NAME", help="no:NAME leaves a plugin out")
    more = click.option(
        "--plugin", multiple=True, metavar="WHERE", help="also load this module or .py file"
    )
    return less(more(function))
