"""Seconds of training and of a draw, of every sampler of a suite: noted earlier, or timed now.

Timed are seconds of CPU: on one thread of a quiet machine those of a clock, on a busy one nearer to
them than the clock is.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import pandas as pd
import torch
from fiber_audit_conditional.artefact import folder_of

from fiber_audit._suite import options
from fiber_audit._suite.components import Components
from fiber_audit._suite.suite import Use
from fiber_audit.contracts import Fittable, Fitting, Problem
from fiber_audit.fitting import Record
from fiber_audit.fitting import read as read_record
from fiber_audit.sampling import Noise, derive_seed

QUIET = 0.95
"""Share of a core that a process has on a quiet machine."""
Pair = tuple[str, str]
"""Names of an extractor and a prior in the suite."""


@dataclass(frozen=True)
class Seconds:
    """steps: of the training, 0 where nothing is trained. how: where the seconds come from."""

    training: float
    per_draw: float
    steps: int
    how: str


@dataclass(frozen=True)
class Timing:
    """draws: of one sampler in a round. steps: of training."""

    draws: int = 64
    rounds: int = 2
    steps: int = 300


def noted(
    components: Components, pair: Pair, rivals: Sequence[str], records: pd.DataFrame
) -> dict[str, Seconds]:
    """What training.json and the run say; both may be of a busy machine."""
    found = {}
    for key in asked(components, rivals):
        rows = records[(records["audit"] == "/".join((*pair, key))) & records["seconds"].notna()]
        if len(rows):
            record = fit_of(components, pair, key)
            training = components.learned(*pair, key).seconds if record else 0.0
            per_draw, steps = float(rows["seconds"].iloc[0]), record.step if record else 0
            found[key] = Seconds(training, per_draw, steps, "when fitted and run")
    return found


def timed(
    components: Components, pair: Pair, rivals: Sequence[str], timing: Timing
) -> dict[str, Seconds]:
    """Measured here: draws in turns, then a piece of each training."""
    draws = per_draw(components, pair, asked(components, rivals), timing)
    found, known = {}, dict[str, float]()
    for key, seconds in draws.items():
        record = fit_of(components, pair, key)
        how = f"here, CPU: median of {timing.rounds} x {timing.draws} draws"
        if record is None:
            found[key] = Seconds(0.0, seconds, 0, how)
            continue
        use = components.suite.samplers[trained_of(components, key)]
        weight = float(record.options.get("fiber_weight", 0.0))
        aside = {name: v for name, v in record.options.items() if name != "fiber_weight"}
        alike = f"{aside} {weight > 0}"  # the weight itself costs nothing
        if alike not in known:
            known[alike] = per_step(components, pair, use, timing.steps)
            print(f"{key}: {1000 * known[alike]:.2f} ms a step of training", flush=True)
        how += f"; {record.step} steps extrapolated from {timing.steps}"
        found[key] = Seconds(known[alike] * record.step, seconds, record.step, how)
    return found


def asked(components: Components, rivals: Sequence[str]) -> list[str]:
    """Trained samplers and their rivals, in the suite's order."""
    return [k for k in components.suite.samplers if k in rivals or is_trained(components, k)]


def is_trained(components: Components, key: str) -> bool:
    """Whether something is fitted for the draws of a sampler."""
    use = components.suite.samplers[trained_of(components, key)]
    return isinstance(components.component("sampler", use).factory, Fittable)


def trained_of(components: Components, key: str) -> str:
    """The sampler whose training one draws by: itself, or the one that it names."""
    return str(components.suite.samplers[key].options.get("trained", key))


def fit_of(components: Components, pair: Pair, key: str) -> Record | None:
    """The record of what a sampler was fitted by; None where nothing is trained."""
    if not is_trained(components, key):
        return None
    use = components.suite.samplers[trained_of(components, key)]
    components.learned(*pair, key)  # tells in a sentence what is missing
    folder = Path(use.options["path"]).expanduser()
    return read_record(folder_of(folder, components.extractor(pair[0]), components.prior(pair[1])))


def per_draw(
    components: Components, pair: Pair, keys: Sequence[str], timing: Timing
) -> dict[str, float]:
    """Median seconds of a draw, the samplers taking turns, all from the same noise."""
    suite, n = components.suite, timing.draws
    extractor, prior = components.extractor(pair[0]), components.prior(pair[1])
    queries = components.dataset.load([i % len(components.dataset) for i in range(n)])
    with torch.no_grad():
        aim = prior.decode(prior.encode(queries)) if suite.target == "reconstruction" else queries
        problem = Problem(extractor, prior, queries, extractor.features(aim))
    seeds = [derive_seed(suite.seed, "break even", i) for i in range(n)]
    taken: dict[str, list[float]] = {key: [] for key in keys}
    wall, cpu = time.perf_counter(), time.process_time()
    for turn in range(timing.rounds):
        for key, so_far in taken.items():
            components.learned(*pair, key)
            sampler = components.sampler(key)
            if turn == 0:  # caches and allocators
                sampler.sample(problem.select(torch.arange(2)), Noise(seeds[:2]))
            started = time.process_time()
            sampler.sample(problem, Noise(seeds))
            so_far.append((time.process_time() - started) / n)
            print(f"round {turn}: {key} {1000 * so_far[-1]:.2f} ms a draw", flush=True)
    share = (time.process_time() - cpu) / (time.perf_counter() - wall)
    if share < QUIET:
        print(f"the machine was busy: this process had {share:.0%} of a core; time it again")
    return {key: median(so_far) for key, so_far in taken.items()}


def per_step(components: Components, pair: Pair, use: Use, steps: int) -> float:
    """Seconds of a training step with these options, on the queries.

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
    for count in (steps, 2 * steps):
        with TemporaryDirectory() as folder:
            chosen = {"path": folder, "training_steps": count, "patience": count}
            started = time.process_time()
            factory.fit(task, **options.validated(factory, {**use.options, **chosen}))
            spent.append(time.process_time() - started)
    return (spent[1] - spent[0]) / steps
