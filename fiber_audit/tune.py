"""Find a sampler's strength for one extractor and prior, on a few queries, within a budget.

Fidelity falls with strength while consistency is lost; the answer is a front, and a point on it.
The search starts from a geometric grid and then halves (in the logarithm) the widest promising
gap beside the best point, until the budget is spent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._suite.catalogue import Catalogue
from ._suite.components import Components
from ._suite.condition import LOST
from ._suite.options import defaults_of, problems_of
from ._suite.suite import Suite, Use
from .contracts import Axis
from .errors import UsageError, suggestion
from .records import headline

if TYPE_CHECKING:
    import pandas as pd

    from ._run import Options

LOW, HIGH = 0.1, 20.0
STRENGTHS = ("guidance", "strength")
"""Options that mean how strongly a sampler pulls; `option` names another."""


@dataclass(frozen=True)
class Trial:
    """One value tried: headline fidelity and consistency (lower is better), and what it cost.

    evaluations: of the prior, per draw; a backward pass counts two. seconds: of sampling, per draw.
    message: why there are no numbers to compare (fidelity and consistency are infinite then).
    """

    value: float
    fidelity: float
    consistency: float
    evaluations: float
    seconds: float
    message: str = ""


@dataclass(frozen=True)
class Budget:
    """Stops before the next trial would pass it: seconds of sampling, evaluations per draw."""

    seconds: float = math.inf
    evaluations: float = math.inf
    trials: int = 12

    def allows_another(self, trials: Sequence[Trial], draws: int) -> bool:
        """True while one more trial like the dearest so far fits; the first tells the cost."""
        if not trials:
            return True
        spent = sum(t.seconds for t in trials) * draws
        used = sum(t.evaluations for t in trials)
        return (
            len(trials) < self.trials
            and spent + max(t.seconds for t in trials) * draws <= self.seconds
            and used + max(t.evaluations for t in trials) <= self.evaluations
        )


def front(trials: Sequence[Trial]) -> list[Trial]:
    """Trials that no other beats on both axes, by rising value.

    >>> a, b = Trial(1, 0.5, 0.1, 1, 1), Trial(2, 0.1, 0.2, 1, 1)
    >>> [t.value for t in front([b, Trial(3, 0.6, 0.3, 1, 1), a])]
    [1, 2]
    """

    def beaten(t: Trial) -> bool:
        return any(
            (o.fidelity, o.consistency) != (t.fidelity, t.consistency)
            and o.fidelity <= t.fidelity
            and o.consistency <= t.consistency
            for o in trials
        )

    return sorted((t for t in trials if not beaten(t)), key=lambda t: t.value)


def best(trials: Sequence[Trial], goal: float | None = None) -> Trial:
    """The most consistent trial whose fidelity reaches the goal (or the one that comes nearest).

    Without a goal: the smallest product of the two, the knee of the front in logarithms.
    """
    if goal is None:
        return min(front(trials), key=lambda t: max(t.fidelity, 1e-9) * max(t.consistency, 1e-9))
    good = [t for t in trials if t.fidelity <= goal]
    if good:
        return min(good, key=lambda t: t.consistency)
    return min(trials, key=lambda t: t.fidelity)


def values(low: float, high: float, trials: Sequence[Trial], goal: float | None) -> float:
    """The next value to try: the grid first, then the middle of the wider gap beside the best."""
    grid = [low * (high / low) ** (i / 3) for i in range(4)]
    known = sorted(t.value for t in trials)
    for value in (grid[1], grid[2], grid[0], grid[3]):
        if not any(math.isclose(value, k) for k in known):
            return value
    place = known.index(best(trials, goal).value)
    gaps = [(known[i], known[i + 1]) for i in (place - 1, place) if 0 <= i < len(known) - 1]
    a, b = max(gaps, key=lambda gap: gap[1] / gap[0])
    return math.sqrt(a * b)


def tune(
    suite: Suite,
    catalogue: Catalogue,
    sampler: str,
    option: str,
    bounds: tuple[float, float],
    budget: Budget,
    options: Options,
    goal: float | None = None,
) -> Iterator[Trial]:
    """Yield trials as they are made. `suite` has one extractor, prior and sampler.

    Its first metric of each axis, fidelity and consistency, is what is traded. All trials share
    what they have in common, which is all but the sampler.
    """
    from ._run import run

    components = Components(suite, catalogue)
    fidelity, consistency = (_metric(components, axis) for axis in ("fidelity", "consistency"))
    _make_what_is_shared(components)
    trials: list[Trial] = []
    draws = len(components.dataset) * suite.draws
    out = options.out or Path("runs") / f"tune-{sampler}"
    while budget.allows_another(trials, draws):
        value = values(*bounds, trials, goal)
        use = suite.samplers[sampler]
        tried = suite.model_copy(
            update={"samplers": {sampler: Use(**{**use.model_dump(), option: value})}}
        )
        place = replace(options, out=out / f"{option}-{value:.4g}")
        records = run(tried, catalogue, place, sharing=components).records
        trial = _trial(records, value, fidelity, consistency)
        trials.append(trial)
        yield trial


def narrowed(suite: Suite, sampler: str, extractor: str | None, prior: str | None) -> Suite:
    """The suite with one extractor, one prior and one sampler (its own, or with defaults).

    A sampler that is not the suite's is called by its bare name.
    """

    def pick(kind: str, known: dict[str, Use], name: str | None) -> dict[str, Use]:
        chosen = name or next(iter(known))
        if chosen not in known:
            hint = suggestion(chosen, known)
            raise UsageError(f"--{kind} {chosen!r}: the suite has no such {kind}. {hint}")
        return {chosen: known[chosen]}

    return suite.model_copy(
        update={
            "extractors": pick("extractor", suite.extractors, extractor),
            "priors": pick("prior", suite.priors, prior),
            "samplers": {sampler.rpartition("/")[2]: suite.samplers.get(sampler, Use(use=sampler))},
            "conditions": (),
            "exclude": (),
        }
    )


def strength_of(sampler: str, catalogue: Catalogue, option: str | None) -> str:
    """The option to vary: the one that is named, or the sampler's `guidance` or `strength`."""
    numbers = {
        name
        for name, value in defaults_of(catalogue.find("sampler", sampler).factory).items()
        if isinstance(value, float)
    }
    for name in (option,) if option else STRENGTHS:
        if name in numbers:
            return name
    hint = suggestion(option or STRENGTHS[0], numbers)
    raise UsageError(
        f"--option {option or '(none)'}: sampler {sampler!r} has no such number. {hint}"
    )


def bounds_of(
    factory: Callable[..., Any], option: str, low: float | None, high: float | None
) -> tuple[float, float]:
    """The range to search: what is given, else 0.1 to 20, or to 1 where an option ends there."""
    if high is None:
        high = 1.0 if problems_of(factory, {option: HIGH}, "") else HIGH
    low = LOW if low is None else low
    if low >= high:
        raise UsageError(f"--low {low:g} --high {high:g}: low must be below high.")
    for name, value in (("--low", low), ("--high", high)):
        for problem in problems_of(factory, {option: value}, name):
            raise UsageError(problem)
    return low, high


def _metric(components: Components, axis: Axis) -> str:
    """The name of the suite's first metric of an axis of which less is better."""
    for i, use in enumerate(components.suite.metrics):
        metric = components.metric(i)
        if metric.axis == axis and metric.better == "lower":
            return components.component("metric", use).name
    raise UsageError(f"metrics: none has the axis {axis!r} with lower as better; add one to tune.")


def _make_what_is_shared(components: Components) -> None:
    """Networks and data, before the trials; what cannot be made, each trial tells itself."""
    suite = components.suite
    needs = [components.metric(i).needs for i in range(len(suite.metrics))]
    names = {name for each in needs for name in each.extractors} - {""}
    names |= {name for each in needs for part in each.whole.values() for name in part} - {""}
    with suppress(Exception):
        _ = components.dataset
    for key in suite.priors:
        with suppress(Exception):
            components.prior(key)
    for name in [*suite.extractors, *sorted(names)]:
        with suppress(Exception):
            components.named_extractor(name)


def _trial(records: pd.DataFrame, value: float, fidelity: str, consistency: str) -> Trial:
    """What the records of one audit say; one that lost draws or a number is beaten by all."""
    audit = str(records["audit"].iloc[0])
    found: dict[str, Any] = {m: headline(records, audit, m) for m in (fidelity, consistency, LOST)}
    for name in (fidelity, consistency):
        if found[name] is None or found[name].isna()["value"]:
            said = records[records["metric"].eq(name).fillna(False)]["message"].dropna()
            message = str(said.iloc[0]) if len(said) else f"{name}: no number"
            return Trial(value, math.inf, math.inf, 0.0, 0.0, message)
    row, lost = found[fidelity], found[LOST]
    evaluations = float(row["prior_forward"]) + 2 * float(row["prior_backward"])
    seconds = float(row["seconds"])
    if lost is not None and lost["value"] > 0:
        message = f"{lost['value']:.0f} of {lost['n']} draws were lost"
        return Trial(value, math.inf, math.inf, evaluations, seconds, message)
    reached = float(row["value"]), float(found[consistency]["value"])
    return Trial(value, *reached, evaluations, seconds)
