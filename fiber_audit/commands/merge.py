"""`fiber-audit merge`: shards computed in several places -> one finished run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import UsageError
from .run import conclude
from .shared import Disable, Extra, Json, catalogue_of, disabled


def merge(
    parts: Annotated[list[Path], typer.Argument(help="run directories of the shards")],
    out: Annotated[Path, typer.Option(help="run directory to make")],
    as_json: Json = False,
    p: Disable = [],
    plugin: Extra = [],
) -> None:
    """Merge shards that were computed in several places, and finish the run."""
    from ..merge import merge as merge_parts

    if out in parts:
        raise UsageError(f"--out {out}: this is one of the shards; give a new directory.")
    catalogue = catalogue_of(p, plugin)
    suite = merge_parts(parts, out, catalogue)

    from .. import runner

    options = runner.Options(out=out, disabled=disabled(p), extra=tuple(plugin))
    raise typer.Exit(conclude(runner.run(suite, catalogue, options), as_json, ["fail"]))
