"""`fiber-audit tune`: find a sampler's strength."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path

import click

from ..errors import SuiteError, UnknownName, UsageError
from .parameters import Finite, argument, with_json, with_settings
from .plugins import Plugins, with_plugins
from .shared import say


@click.command()
@argument("sampler", help="a sampler of the suite, or of the catalogue")
@click.option("--suite", help="where data, extractor, prior come from")
@click.option("--extractor", help="default: the suite's first")
@click.option("--prior", help="default: the suite's first")
@click.option("--option", help="default: guidance or strength")
@click.option("--low", type=Finite(1e-9), help="smallest value to try (default: 0.1)")
@click.option("--high", type=Finite(1e-9), help="largest value to try (default: 20, or 1)")
@click.option("--queries", type=click.IntRange(2), default=8, help="queries to try on")
@click.option("--draws", type=click.IntRange(1), default=2, help="draws of each query")
@click.option("--goal", type=Finite(), help="fidelity to reach (default: the knee)")
@click.option("--seconds", type=Finite(0), help="budget: seconds of sampling")
@click.option("--evaluations", type=Finite(0), help="budget: evaluations of the prior, per draw")
@click.option("--trials", type=click.IntRange(1), default=8, help="budget: trials")
@click.option("--out", type=Path, help="folder of the trials' runs")
@with_settings
@with_json
@with_plugins(weights=True)
def tune(
    sampler: str,
    suite: str | None,
    extractor: str | None,
    prior: str | None,
    option: str | None,
    low: float | None,
    high: float | None,
    queries: int,
    draws: int,
    goal: float | None,
    seconds: float | None,
    evaluations: float | None,
    trials: int,
    out: Path | None,
    settings: tuple[str, ...],
    as_json: bool,
    plugins: Plugins,
) -> None:
    """Find a sampler's strength on a few queries; prints a TOML snippet."""
    import tomli_w

    from .._suite.read import read

    catalogue = plugins.catalogue()
    full = read(suite, catalogue, [f"queries.n={queries}", f"draws={draws}", *settings])
    try:
        used = catalogue.find(
            "sampler", full.samplers[sampler].use if sampler in full.samplers else sampler
        )
    except UnknownName as error:
        raise SuiteError([f"SAMPLER = {sampler!r}: {error}"]) from error

    from .. import tune as tuning

    chosen = tuning.strength_of(used.qualified, catalogue, option)
    bounds = tuning.bounds_of(used.factory, chosen, low, high)
    narrow = tuning.narrowed(full, sampler, extractor, prior)
    (key,) = narrow.samplers
    budget = tuning.Budget(
        math.inf if seconds is None else seconds,
        math.inf if evaluations is None else evaluations,
        trials,
    )

    from .._run import Options  # torch from here on

    found = []
    for trial in tuning.tune(narrow, catalogue, key, chosen, bounds, budget, Options(out), goal):
        found.append(trial)
        numbers = (
            f"fidelity {trial.fidelity:.4g}, consistency {trial.consistency:.4g}, "
            f"{trial.evaluations:.0f} evaluations, {trial.seconds:.2g} s per draw"
        )
        say(f"{chosen} = {trial.value:.4g}: {trial.message or numbers}")
    winner = tuning.best(found, goal)
    if not math.isfinite(winner.fidelity):
        raise UsageError(
            f"{chosen} from {bounds[0]:g} to {bounds[1]:g}: no trial gave numbers. {winner.message}"
        )
    finite = [t for t in found if math.isfinite(t.fidelity)]
    if as_json:
        click.echo(
            json.dumps(
                {
                    "option": chosen,
                    "best": asdict(winner),
                    "front": [asdict(t) for t in tuning.front(finite)],
                    "trials": [asdict(t) for t in finite],
                }
            )
        )
        return
    say("front: " + ", ".join(f"{t.value:.4g}" for t in tuning.front(finite)))
    tuned = {"use": used.qualified, **narrow.samplers[key].options}
    tuned[chosen] = float(f"{winner.value:.4g}")
    click.echo(tomli_w.dumps({"samplers": {key: tuned}}).strip())
