"""`fiber-audit tune`: find a sampler's strength."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import tomli_w
import typer

from ..errors import SuiteError, UnknownName, UsageError
from .shared import Disable, Extra, Json, Settings, Trusted, catalogue_of, say


def tune(
    sampler: Annotated[str, typer.Argument(help="a sampler of the suite, or of the catalogue")],
    suite: Annotated[
        str | None, typer.Option(help="where data, extractor, prior come from")
    ] = None,
    extractor: Annotated[str | None, typer.Option(help="default: the suite's first")] = None,
    prior: Annotated[str | None, typer.Option(help="default: the suite's first")] = None,
    option: Annotated[str | None, typer.Option(help="default: guidance or strength")] = None,
    low: Annotated[
        float | None, typer.Option(min=1e-9, help="smallest value to try (default: 0.1)")
    ] = None,
    high: Annotated[
        float | None, typer.Option(min=1e-9, help="largest value to try (default: 20, or 1)")
    ] = None,
    queries: Annotated[int, typer.Option(min=2, help="queries to try on")] = 8,
    draws: Annotated[int, typer.Option(min=1, help="draws of each query")] = 2,
    goal: Annotated[
        float | None, typer.Option(help="fidelity to reach (default: the knee)")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0, help="budget: seconds of sampling")
    ] = None,
    evaluations: Annotated[
        float | None, typer.Option(min=0, help="budget: evaluations of the prior, per draw")
    ] = None,
    trials: Annotated[int, typer.Option(min=1, help="budget: trials")] = 8,
    out: Annotated[Path | None, typer.Option(help="folder of the trials' runs")] = None,
    settings: Settings = [],
    as_json: Json = False,
    p: Disable = [],
    plugin: Extra = [],
    allow_pickle: Trusted = [],
) -> None:
    """Find a sampler's strength on a few queries; shows the front and prints a TOML snippet."""
    from .._suite.read import read

    _check_finite(low=low, high=high, goal=goal)
    catalogue = catalogue_of(p, plugin, trusted=allow_pickle)
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
        typer.echo(
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
    typer.echo(tomli_w.dumps({"samplers": {key: tuned}}).strip())


def _check_finite(**values: float | None) -> None:
    for name, value in values.items():
        if value is not None and not math.isfinite(value):
            raise UsageError(f"--{name} {value}: give a finite number.")
