"""Arguments and options: kinds of them, and those that several verbs share."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

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


argument = partial(click.argument, cls=Argument)
with_settings = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="PATH=VALUE",
    help="override the suite: samplers.ndtm.steps=50",
)
with_json = click.option("--json", "as_json", is_flag=True, help="write JSON to stdout")
