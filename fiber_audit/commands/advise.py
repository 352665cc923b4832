"""`fiber-audit advise`: which sampler is cheapest, by what a run of the suite measured."""

from __future__ import annotations

import json
import os
import platform
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import DataError
from .parameters import Finite, argument, with_json, with_settings
from .plugins import Plugins, with_plugins
from .shared import Exit, say, tell
from .stdout import libraries_on_stderr

if TYPE_CHECKING:
    import pandas as pd

    from .._draw.store import Store


@click.command()
@argument("suite", help="a .toml file, or the name of a shipped suite")
@click.option(
    "--draws",
    type=click.IntRange(1),
    required=True,
    help="draws that you want, of all queries together",
)
@click.option("--loss", type=Finite(0), help="fiber loss that is good enough (default: a front)")
@click.option("--out", type=Path, help="run directory, if it has one of its own")
@with_settings
@with_json
@with_plugins(weights=True)
def advise(
    suite: str,
    draws: int,
    loss: float | None,
    out: Path | None,
    settings: tuple[str, ...],
    as_json: bool,
    plugins: Plugins,
) -> int:
    """Tell which sampler is cheapest for so many draws, training included.

    It reads a finished run. Exit code 1: for some extractor and prior no sampler reaches --loss.
    """
    from .._suite.read import read

    catalogue = plugins.catalogue()
    resolved = read(suite, catalogue, settings)

    from .._draw.prepare import prepare  # torch from here on
    from .._draw.still import other_queries, outdated
    from .._draw.store import Store
    from .._judge.choices import choices_of, loss_of
    from .._score.directory import default_path, refuse_another
    from ..records import read as read_records
    from .advised import Pair

    store = Store(out or default_path(resolved), reading=True)
    refuse_another(store, resolved)
    again = _command(suite, settings, plugins, out)
    if not (store.path / "records.csv").is_file():
        raise DataError(f"{store.path}: no finished run of this suite is there{_others(store)}; "
                        f"make one: {again}")  # fmt: skip
    records = read_records(store.path)
    metric = loss_of(records)
    with libraries_on_stderr():
        prepared = prepare(resolved, catalogue, store)
    gone, learned = outdated(prepared, store), prepared.components.learned
    kept = [audit for audit in prepared.audits if audit.name not in gone]
    if not kept:
        told = [f"{name}: {why}." for name, why in gone.items()]
        raise DataError("\n".join([*told, f"{store.path}: tells nothing of this suite; {again}"]))
    training = {a.name: learned(a.extractor, a.prior, a.sampler).seconds for a in kept}
    choices, without = choices_of(records, metric, training)
    pairs = []
    for extractor, prior in dict.fromkeys((a.extractor, a.prior) for a in kept):
        of = [a.name for a in kept if (a.extractor, a.prior) == (extractor, prior)]
        own = [choices[name] for name in of if name in choices]
        pairs.append(Pair(extractor, prior, own, metric, draws, loss))
    notes = [f"{name} is left out: {why}." for name, why in {**gone, **without}.items()]
    notes += filter(None, [other_queries(prepared, store)])
    notes += _cautions(store, records, resolved.device, trained=any(training.values()))
    if as_json:
        head = {"run": str(store.path), "metric": metric, "draws": draws, "loss": loss}
        told_all = {**head, "pairs": [pair.to_dict() for pair in pairs], "notes": notes}
        click.echo(json.dumps(told_all, allow_nan=False))
    else:
        for pair in pairs:
            for line in (*pair.lines(), ""):
                tell(line)
        for note in notes:
            say(note)
    reached = loss is None or all(pair.marked for pair in pairs)
    return Exit.OK if reached else Exit.FAILED


def _command(suite: str, settings: Sequence[str], plugins: Plugins, out: Path | None) -> str:
    """The command that makes the run."""
    words = [word for setting in settings for word in ("--set", setting)]
    place = ["--out", str(out)] if out else []
    return shlex.join(["fiber-audit", "run", suite, *words, *plugins.words(), *place])


def _others(store: Store) -> str:
    """Another run of a suite of that name, beside the one that is missing."""
    stem = store.path.name.rpartition("-")[0]
    found = sorted(store.path.parent.glob(f"{stem}-*/records.csv")) if stem else []
    if not found:
        return ""
    return f" ({found[-1].parent} is another run of it: --out tells what differs)"


def _cautions(store: Store, records: pd.DataFrame, device: str, trained: bool) -> Iterator[str]:
    """Whose seconds the numbers are, and what they do not tell."""
    facts: Mapping[str, Any] = store.facts("environment.json")
    devices = [str(each) for each in records["device"].dropna().unique()]
    machine = facts.get("platform"), facts.get("processors")
    yield (
        f"seconds per draw are as each was timed; the run began {facts.get('started_at')} "
        f"({', '.join(devices)}, {machine[0]}, {machine[1]} processors), and what it took over "
        f"from an earlier one may be of another machine."
    )
    if devices != [device]:
        yield f"the suite asks for device = {device!r}: seconds there may be others."
    if machine != (platform.platform(), os.cpu_count()):
        yield "the run was made on another machine, or another system, than this one."
    if trained:
        yield (
            "seconds of training are as each fit noted them: they compare with those per draw "
            "where both are of one machine and device, equally busy."
        )
    if not records["axis"].eq("consistency").any():
        yield (
            "the run measures no consistency: a sampler may be on the fiber, and cheap, with "
            "draws unlike the data."
        )
