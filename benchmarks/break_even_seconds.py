"""Seconds of CPU that a training and a draw take, of every sampler of a suite.

Of the process, on one thread: on a quiet machine those of a clock, on a busy one nearer to them
than the clock is.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import torch
from fiber_audit_conditional.artefact import folder_of

from fiber_audit._suite import options
from fiber_audit._suite.components import Components
from fiber_audit._suite.suite import Use
from fiber_audit.contracts import Fittable, Fitting, Problem, data_of
from fiber_audit.fitting import Record, read
from fiber_audit.sampling import Noise, derive_seed

Pair = tuple[str, str]
"""Names of an extractor and a prior in the suite."""
ASIDE = {
    "fiber_weight",
    "learning_rate",
    "patience",
    "held_out",
    "training_steps",
    "steps",
    "power",
}
"""Options that a step of training takes no longer for, but for a weight of 0."""
ONE_ROW = 1e-3
"""Share of the queries that is held out of a training that is timed: looks at it cost nothing."""


@dataclass(frozen=True)
class Seconds:
    """steps: of the whole training, 0 where nothing is trained. timed_...: what was measured."""

    training: float
    per_draw: float
    steps: int
    timed_steps: int
    timed_draws: int


@dataclass(frozen=True)
class Timing:
    """draws: of a trained sampler in a round. guided: of one that guides. steps: of training."""

    draws: int = 64
    guided: int = 16
    rounds: int = 2
    steps: int = 100


def timed(
    components: Components, pair: Pair, rivals: Sequence[str], timing: Timing
) -> dict[str, Seconds]:
    """Draws in turns, then a piece of each training."""
    keys = [k for k in components.suite.samplers if k in rivals or is_trained(components, k)]
    steps = {key: steps_of(components, pair, key) for key in keys}

    def size(key: str) -> int:
        """Draws in a round: a sampler that guides takes seconds for one."""
        alone = trained_of(components, key) == key and is_trained(components, key)
        return timing.draws if alone else timing.guided

    draws = per_draw(components, pair, {key: size(key) for key in keys}, timing.rounds)
    known = dict[str, float]()
    of_fit = dict[str, tuple[float, int]]()

    def whole(key: str) -> tuple[float, int]:
        """Seconds and steps of a fit, with those of the fit that it began with."""
        if key not in of_fit:
            use, count = components.suite.samplers[key], steps[key]
            aside = {n: v for n, v in use.options.items() if n not in ASIDE | {"path", "start"}}
            alike = f"{use.use} {aside} {use.options.get('fiber_weight', 1) > 0}"
            if alike not in known:
                known[alike] = per_step(components, pair, use, timing.steps)
                print(f"{key}: {1000 * known[alike]:.1f} ms a step of training", flush=True)
            seconds, total = known[alike] * count, count
            if before := started_by(components, key):
                more, and_steps = whole(before)
                seconds, total = seconds + more, total + and_steps
            of_fit[key] = seconds, total
        return of_fit[key]

    found = {}
    for key in keys:
        trains = is_trained(components, key)
        training, count = whole(trained_of(components, key)) if trains else (0.0, 0)
        found[key] = Seconds(
            training, draws[key], count, timing.steps if trains else 0, timing.rounds * size(key)
        )
    return found


def is_trained(components: Components, key: str) -> bool:
    """Whether something is fitted for the draws of a sampler."""
    use = components.suite.samplers[trained_of(components, key)]
    return isinstance(components.component("sampler", use).factory, Fittable)


def trained_of(components: Components, key: str) -> str:
    """The sampler whose training one draws by: itself, or the one that it names."""
    return str(components.suite.samplers[key].options.get("trained", key))


def started_by(components: Components, key: str) -> str | None:
    """The sampler whose fit the training of one begins with."""
    samplers = components.suite.samplers
    start = samplers[key].options.get("start", "")
    found = (k for k, use in samplers.items() if start and use.options.get("path") == start)
    return next(found, None)


def steps_of(components: Components, pair: Pair, key: str) -> int:
    """Steps that the fit of a sampler took itself; 0 where nothing is trained."""
    if not is_trained(components, key):
        return 0
    components.learned(*pair, key)  # tells in a sentence what is missing
    use = components.suite.samplers[trained_of(components, key)]
    folder = Path(use.options["path"]).expanduser()
    record = read(folder_of(folder, components.extractor(pair[0]), components.prior(pair[1])))
    assert isinstance(record, Record)
    return record.step


def per_draw(
    components: Components, pair: Pair, sizes: Mapping[str, int], rounds: int
) -> dict[str, float]:
    """Median seconds of a draw, so many at a time; samplers take turns, with the same noise."""
    suite, n = components.suite, max(sizes.values())
    extractor, prior = components.extractor(pair[0]), components.prior(pair[1])
    queries = components.dataset.load([i % len(components.dataset) for i in range(n)])
    with torch.no_grad():
        aim = data_of(prior, prior.encode(queries)) if suite.target == "reconstruction" else queries
        problem = Problem(extractor, prior, queries, extractor.features(aim))
    seeds = [derive_seed(suite.seed, "break even", i) for i in range(n)]
    taken: dict[str, list[float]] = {key: [] for key in sizes}
    for turn in range(rounds):
        for key, so_far in taken.items():
            components.learned(*pair, key)
            sampler = components.sampler(key)
            some = problem.select(torch.arange(sizes[key]))
            started = time.process_time()
            sampler.sample(some, Noise(seeds[: sizes[key]]))
            so_far.append((time.process_time() - started) / sizes[key])
            print(f"round {turn}: {key} {1000 * so_far[-1]:.2f} ms a draw", flush=True)
    return {key: median(so_far) for key, so_far in taken.items()}


def per_step(components: Components, pair: Pair, use: Use, steps: int) -> float:
    """Seconds of a training step with these options, on the queries, from fresh weights.

    They are the difference between fits of `steps` and of twice as many: what comes before the
    training and after it is no part of them.
    """
    factory = components.component("sampler", use).factory
    assert isinstance(factory, Fittable)
    suite = components.suite
    extractor, prior = components.extractor(pair[0]), components.prior(pair[1])
    task = Fitting(
        components.dataset, suite.device, suite.seed, lambda line: None, extractor, prior
    )
    spent = []
    for count in (1, steps, 2 * steps):  # the first encodes the queries, and warms caches
        with TemporaryDirectory() as folder:
            chosen = {"path": folder, "start": "", "training_steps": count, "patience": count,
                      "held_out": ONE_ROW, "warm_up": 0.0}  # fmt: skip
            started = time.process_time()
            factory.fit(task, **options.validated(factory, {**use.options, **chosen}))
            spent.append(time.process_time() - started)
    return (spent[2] - spent[1]) / steps
