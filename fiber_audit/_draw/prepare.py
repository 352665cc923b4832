"""Before anything is written or drawn: make the components, try them, and plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from .._suite.catalogue import Catalogue
from .._suite.components import Components
from .._suite.guest import guest
from .._suite.identity import Identity, digest
from .._suite.suite import Suite
from ..check.first_block import extractor_problems
from ..contracts import Extractor, Prior
from ..errors import (
    FiberAuditError,
    PluginError,
    SuiteError,
    UnknownName,
    UsageError,
    WeightsError,
    reason_of,
)
from ..measuring.scene import PARTS
from ..sampling import place
from .inputs import Inputs, content_of, loaded, read_inputs
from .looks import Why, looks_of
from .plan import Audit, Drawn, Look, Plan, audits, references
from .store import Store

FIRST = 4
"""Queries that every extractor is tried on."""


@dataclass(frozen=True)
class Prepared:
    """A suite ready to be drawn.

    blocked: audit -> (status, message), why it cannot be drawn. unmade: index of a metric -> the
    same, why it cannot be made. unseen: audit -> what cannot be observed of it, and why.
    identity: name of an audit or a reference -> part -> what its draws depend on.
    """

    components: Components
    audits: list[Audit]
    inputs: Inputs
    plan: Plan
    blocked: Mapping[Audit, Why]
    unmade: Mapping[int, Why]
    unseen: Mapping[Audit, tuple[tuple[Look, Why], ...]]
    identity: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def looks(self, audit: Audit) -> tuple[Look, ...]:
        """Every look at an audit, those that cannot be taken, too."""
        return (*self.plan.looks[audit], *(look for look, _ in self.unseen[audit]))


def prepare(
    suite: Suite, catalogue: Catalogue, store: Store, sharing: Components | None = None
) -> Prepared:
    """Make everything that the suite names, and tell what is wrong with it.

    Raises:
        UsageError: the suite cannot be computed here; every reason that can be known by now.
    """
    with guest():
        return _prepared(suite, catalogue, store, sharing)


def _prepared(
    suite: Suite, catalogue: Catalogue, store: Store, sharing: Components | None
) -> Prepared:
    check_device(suite.device)
    components = Components(suite, catalogue) if sharing is None else sharing.sharing(suite)
    planned = audits(suite)
    if not planned:
        raise UsageError("exclude: it leaves no audit; remove a row of [[exclude]].")
    broken = _make_all(components)
    identity = Identity(components)
    data = digest(*identity.of("dataset", suite.queries).values())
    inputs = read_inputs(components.dataset, data, store)
    first = _first(components, inputs)
    broken |= _tried(components, first)
    blocked = {audit: why for audit in planned if (why := _blocker(audit, broken))}
    blocked |= _unprepared(components, [audit for audit in planned if audit not in blocked])
    metrics = [i for i in range(len(suite.metrics)) if f"metrics.{i}" not in broken]
    open_to = [audit for audit in planned if audit not in blocked]
    _check_steps(components, open_to)
    eyes = _eyes(components, first, metrics)
    parts: dict[Drawn, Mapping[str, str]] = {
        **{ref: identity.of_draws(ref.prior) for ref in references(open_to)},
        **{a: identity.of_draws(a.prior, a.extractor, a.sampler) for a in open_to},
    }
    looks = {audit: looks_of(identity, inputs, audit, metrics, eyes) for audit in open_to}
    plan = Plan(
        suite,
        inputs.ids,
        inputs.items,
        {drawn: digest(drawn.name, *map(str, p.items())) for drawn, p in parts.items()},
        {audit: taken for audit, (taken, _) in looks.items()},
    )
    named = {drawn.name: p for drawn, p in parts.items()}
    unmade = {i: broken[f"metrics.{i}"] for i in range(len(suite.metrics)) if i not in metrics}
    unseen = {audit: blind for audit, (_, blind) in looks.items()}
    return Prepared(components, planned, inputs, plan, blocked, unmade, unseen, named)


def _first(components: Components, inputs: Inputs) -> Tensor:
    """The first queries, which must be what they were a moment ago."""
    dataset = components.dataset
    indices = list(range(min(FIRST, len(inputs.ids))))
    x = loaded(dataset, indices)
    again = [content_of(row, dataset, i) for i, row in enumerate(x)]
    if again != list(inputs.items[: len(x)]):
        raise PluginError(
            "queries: load() gives other inputs than a moment ago; take random crops and noise out "
            "of the dataset, and let stamp() change when an item does."
        )
    return x.to(components.suite.device)


def _unprepared(components: Components, planned: Sequence[Audit]) -> dict[Audit, Why]:
    """Let every sampler prepare for its audits: why some cannot."""
    broken = dict[Audit, Why]()
    for audit in planned:
        try:
            components.learned(audit.extractor, audit.prior, audit.sampler)
        except UsageError as error:
            raise _placed(error, f"samplers.{audit.sampler}") from error
        except WeightsError as error:
            broken[audit] = ("skipped", str(error))
        except (Exception, SystemExit) as error:  # it costs this audit only
            broken[audit] = ("error", f"sampler {audit.sampler!r}: {reason_of(error)}")
    return broken


def _blocker(audit: Audit, broken: Mapping[str, Why]) -> Why | None:
    parts = (f"extractors.{audit.extractor}", f"priors.{audit.prior}", f"samplers.{audit.sampler}")
    return next((broken[part] for part in parts if part in broken), None)


def check_device(device: str) -> None:
    """Refuse a device that torch cannot use here, in one sentence."""
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"device = {device!r}: not usable here ({reason}); try 'cpu'.") from error


def _make_all(components: Components) -> dict[str, Why]:
    """Data, samplers, metrics: a user's mistakes are told at once, one that fails costs itself."""
    suite, problems, broken = components.suite, list[str](), dict[str, Why]()
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
        for part in needs.shown - {*PARTS}:
            problems.append(f"metrics[{i}]: it needs {part!r}; parts are {', '.join(PARTS)}.")
        for name in needs.eyes - {""}:
            try:
                components.component("extractor", components.use_of_extractor(name))
            except UnknownName as unknown:
                problems.append(f"metrics[{i}]: extractor {name!r}: {unknown}")
    if problems:
        raise SuiteError(problems)
    return broken


def _tried(components: Components, x: Tensor) -> dict[str, Why]:
    """Make every extractor and prior, and try them: why some cannot be used."""
    suite, broken = components.suite, dict[str, Why]()
    for key in suite.extractors:
        if why := _why_not(key, partial(components.extractor, key), x):
            broken[f"extractors.{key}"] = why
    for key in suite.priors:
        try:
            with guest():
                wrong = _shape_of(components.prior(key), tuple(components.dataset.data_shape))
            if wrong:
                raise UsageError(wrong)
        except UsageError as error:
            raise _placed(error, f"priors.{key}") from error
        except WeightsError as error:
            broken[f"priors.{key}"] = ("skipped", str(error))
        except (Exception, SystemExit) as error:  # it costs its audits only
            broken[f"priors.{key}"] = ("error", f"prior {key!r}: {reason_of(error)}")
    return broken


@torch.no_grad()
def _shape_of(prior: Prior, data_shape: tuple[int, ...]) -> str | None:
    """What is wrong with the inputs that a prior draws, beside the queries."""
    prior.schedule.times(1)
    made = tuple(prior.decode(torch.zeros(1, *prior.state_shape, device=place(prior))).shape[1:])
    if made != data_shape:
        return (
            f"it draws inputs of shape {made}, but the queries are {data_shape}; resize the "
            f"queries, or take a prior of their kind."
        )
    return None


def _eyes(components: Components, x: Tensor, metrics: Sequence[int]) -> dict[str, Why]:
    """Extractors that metrics look with, made and tried: why some cannot."""
    named = frozenset[str]().union(*(components.metric(i).needs.eyes for i in metrics)) - {""}
    tried = {n: _why_not(n, partial(components.named_extractor, n), x) for n in sorted(named)}
    return {name: why for name, why in tried.items() if why is not None}


def _why_not(name: str, make: Callable[[], Extractor], x: Tensor) -> Why | None:
    """Why an extractor cannot be used, or None."""
    try:
        with guest():
            wrong = extractor_problems(make(), x)
    except UsageError as error:
        raise _placed(error, f"extractors.{name}") from error
    except WeightsError as error:
        return "skipped", str(error)
    except (Exception, SystemExit) as error:  # plugins may raise anything
        return "error", f"extractor {name!r}: {reason_of(error)}"
    told = "; ".join(str(violation) for violation in wrong)
    return ("error", f"extractor {name!r}: {told}") if wrong else None


def _placed(error: UsageError, where: str) -> UsageError:
    """The same sentence, with its place in the suite in front."""
    return error if str(error).startswith(where) else UsageError(f"{where}: {error}")


def _check_steps(components: Components, planned: list[Audit]) -> None:
    """A schedule may have fewer steps than were asked for.

    A sampler that walks by a network of its own walks on a schedule of its own.
    """
    problems: dict[str, None] = {}
    for audit in planned:
        schedule = components.prior(audit.prior).schedule
        own = components.learned(audit.extractor, audit.prior, audit.sampler).network
        steps = getattr(components.sampler(audit.sampler), "steps", None) if own is None else None
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
