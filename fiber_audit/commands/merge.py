"""`fiber-audit merge`: shards computed in several places -> one finished run."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import UsageError
from .parameters import argument, with_json
from .plugins import Plugins, with_plugins
from .run import conclude


@click.command()
@argument("parts", type=Path, nargs=-1, required=True, help="run directories of the shards")
@click.option("--out", type=Path, required=True, help="run directory to make")
@click.option("--compute", is_flag=True, help="draw here what no shard has drawn")
@with_json
@with_plugins()
def merge(
    parts: tuple[Path, ...],
    out: Path,
    compute: bool,
    as_json: bool,
    plugins: Plugins,
) -> int:
    """Merge shards that were computed in several places, and finish the run."""
    from .._draw.merge import bring, common_suite
    from .._draw.store import Store
    from .._score.directory import refuse_another

    if out.resolve() in [part.resolve() for part in parts]:
        raise UsageError(f"--out {out}: this is one of the shards; give a new directory.")
    catalogue = plugins.catalogue()
    suite, target = common_suite(parts, catalogue), Store(out)
    refuse_another(target, suite)
    bring(parts, target)

    from .. import _run
    from .progress import Bar

    options = _run.Options(out=out)
    if not compute and (
        left := sum(f.to_observe for f in _run.forecast(suite, catalogue, options))
    ):
        raise UsageError(
            f"{left} draws are in none of the shards; merge the missing ones, too, or add "
            f"--compute to draw them here. What there is has been copied to {out}."
        )
    with Bar() as bar:
        done = _run.run(suite, catalogue, options, bar)
    return conclude(done, as_json, ["fail"])
