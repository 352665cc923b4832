"""Before anything is written or drawn: make the components, try them, and plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import torch

from .._suite.catalogue import Catalogue
from .._suite.components import Components
from .._suite.identity import FRESH, Identity, digest
from .._suite.suite import Suite
from ..check.first_block import extractor_problems
from ..contracts import Part
from ..errors import FiberAuditError, SuiteError, UnknownName, UsageError, WeightsError
from .inputs import Inputs, read_inputs
from .plan import Audit, Drawn, Look, Plan, audits, references
from .store import Store

FIRST = 4
"""Queries that every extractor is tried on."""


@dataclass(frozen=True)
class Prepared:
    """A suite ready to be drawn.

    blocked: audit -> (status, message), why it cannot be drawn. unmade: index of a metric -> the
    same, why it cannot be made. identity: name of an audit or a
    reference -> part -> what its draws depend on.
    """

    components: Components
    audits: list[Audit]
    inputs: Inputs
    plan: Plan
    blocked: Mapping[Audit, tuple[str, str]]
    unmade: Mapping[int, tuple[str, str]]
    identity: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def prepare(
    suite: Suite, catalogue: Catalogue, store: Store, sharing: Components | None = None
) -> Prepared:
    """Make everything that the suite names, and tell what is wrong with it.

    Raises:
        UsageError: the suite cannot be computed here; every reason that can be known by now.
    """
    check_device(suite.device)
    components = Components(suite, catalogue) if sharing is None else sharing.sharing(suite)
    planned = audits(suite)
    if not planned:
        raise UsageError("exclude: it leaves no audit; remove a row of [[exclude]].")
    broken = _make_all(components)
    inputs = read_inputs(components.dataset, store)
    broken |= _tried(components)
    blocked = {audit: why for audit in planned if (why := _blocker(audit, broken))}
    metrics = [i for i in range(len(suite.metrics)) if f"metrics.{i}" not in broken]
    open_to = [audit for audit in planned if audit not in blocked]
    _check_steps(components, open_to)
    identity = Identity(components)
    parts: dict[Drawn, Mapping[str, str]] = {
        **{ref: identity.of_draws(ref.prior) for ref in references(open_to)},
        **{a: identity.of_draws(a.prior, a.extractor, a.sampler) for a in open_to},
    }
    plan = Plan(
        suite,
        inputs.ids,
        inputs.items,
        {drawn: digest(drawn.name, *map(str, p.items())) for drawn, p in parts.items()},
        {audit: _looks(components, identity, inputs, audit, metrics) for audit in open_to},
    )
    named = {drawn.name: p for drawn, p in parts.items()}
    unmade = {i: broken[f"metrics.{i}"] for i in range(len(suite.metrics)) if i not in metrics}
    return Prepared(components, planned, inputs, plan, blocked, unmade, named)


def _blocker(audit: Audit, broken: Mapping[str, tuple[str, str]]) -> tuple[str, str] | None:
    parts = (f"extractors.{audit.extractor}", f"priors.{audit.prior}", f"samplers.{audit.sampler}")
    return next((broken[part] for part in parts if part in broken), None)


def check_device(device: str) -> None:
    """Refuse a device that torch cannot use here, in one sentence."""
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"device = {device!r}: not usable here ({reason}); try 'cpu'.") from error


def _make_all(components: Components) -> dict[str, tuple[str, str]]:
    """Data, samplers, metrics: a user's mistakes are told at once, one that fails costs itself."""
    suite, problems, broken = components.suite, list[str](), dict[str, tuple[str, str]]()
    makers: dict[str, Callable[[], object]] = {"queries": lambda: components.dataset}
    makers |= {f"samplers.{key}": partial(components.sampler, key) for key in suite.samplers}
    makers |= {f"metrics.{i}": partial(components.metric, i) for i in range(len(suite.metrics))}
    for name, make in makers.items():
        try:
            make()
        except UsageError as error:
            problems += str(error).splitlines()
        except FiberAuditError as error:
            if name == "queries":
                raise
            broken[name] = ("skipped" if isinstance(error, WeightsError) else "error", str(error))
    if problems:
        raise SuiteError(problems)
    shape = tuple(components.dataset.data_shape)
    if suite.keep == "uint8" and len(shape) != 3:
        problems.append(f"keep = 'uint8': queries are of shape {shape}, no images; use 'float32'.")
    for i in range(len(suite.metrics)):
        if f"metrics.{i}" in broken:
            continue
        needs = components.metric(i).needs
        for name in {*needs.extractors, *sum(needs.whole.values(), ())} - {""}:
            try:
                components.component("extractor", components.use_of_extractor(name))
            except UnknownName as unknown:
                problems.append(f"metrics[{i}]: extractor {name!r}: {unknown}")
    if problems:
        raise SuiteError(problems)
    return broken


def _tried(components: Components) -> dict[str, tuple[str, str]]:
    """Make every extractor and prior, and try the extractors: why some cannot be used."""
    suite, broken = components.suite, dict[str, tuple[str, str]]()
    dataset = components.dataset
    x = dataset.load(list(range(min(FIRST, len(dataset))))).to(suite.device)
    for group in ("extractors", "priors"):
        for key in getattr(suite, group):
            try:
                if group == "priors":
                    components.prior(key)
                elif wrong := extractor_problems(components.extractor(key), x):
                    told = "; ".join(str(violation) for violation in wrong)
                    broken[f"extractors.{key}"] = ("error", f"extractor {key!r}: {told}")
            except UsageError:
                raise
            except WeightsError as error:
                broken[f"{group}.{key}"] = ("skipped", str(error))
            except (Exception, SystemExit) as error:  # it costs its audits only
                broken[f"{group}.{key}"] = ("error", str(error))
    return broken


def _check_steps(components: Components, planned: list[Audit]) -> None:
    """A schedule may have fewer steps than were asked for."""
    problems: dict[str, None] = {}
    for audit in planned:
        schedule = components.prior(audit.prior).schedule
        steps = getattr(components.sampler(audit.sampler), "steps", None)
        asked = {f"samplers.{audit.sampler}.steps": steps}
        asked["unguided_steps"] = components.suite.unguided_steps
        for where, count in asked.items():
            try:
                if isinstance(count, int):
                    schedule.times(count)
            except ValueError as error:
                told = str(error).partition(": ")[2] or str(error)
                problems[f"{where} = {count}, with prior {audit.prior!r}: {told}"] = None
    if problems:
        raise SuiteError(list(problems))


def _looks(
    components: Components, identity: Identity, inputs: Inputs, audit: Audit, metrics: list[int]
) -> tuple[Look, ...]:
    """What is observed of an audit: by each metric, and the features that any reads whole."""
    looks: list[Look] = []
    wanted: set[tuple[Part, str]] = {("queries", "")}
    for i in metrics:
        owner = identity.of_observation(i, audit.extractor)
        spread = inputs.spread.tolist() if inputs.spread is not None else ""
        looks.append(Look(digest(owner, spread), i))
        for part, names in components.metric(i).needs.whole.items():
            wanted |= {(part, name) for name in names}
    for part, name in sorted(wanted):
        looks.append(Look(features_owner(identity, part, name, audit), None, part, name))
    return tuple(looks)


def features_owner(identity: Identity, part: Part, name: str, audit: Audit) -> str:
    """Digest of one extractor's features of one part."""
    try:
        eye = identity.of_features(name, audit.extractor)
    except Exception:  # its weights are missing: the look will say so
        eye = f"absent {name}"
    suite = identity.components.suite
    data = identity.of("dataset", suite.queries).values() if part == FRESH else ()
    return digest("features", part, eye, suite.draws, suite.seed, *data)
