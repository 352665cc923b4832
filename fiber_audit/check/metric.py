"""Does a metric keep its contract? Tried on a tiny audit, unless another is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np
import torch
from torch import Tensor

from ..contracts import Axis, Better, Metric, Part, Statistic
from ..contracts.observations import Observations
from ..measuring.scene import PARTS, Scene, observe
from . import statistics
from .audits import image_audit, seen_in, table_audit
from .randomness import watched
from .violation import FAULTS, Checks, Violation, told, violations

CLOSE = 1e-4
"""Relative difference that features in batches of another size may make."""


@dataclass(frozen=True)
class MetricTrial:
    """A metric, an audit, and what both halves made of it."""

    metric: Metric
    scene: Scene
    seen: Observations
    found: tuple[Statistic, ...]
    used: tuple[str, ...]


def check_metric(metric: Metric, scene: Scene | None = None) -> list[Violation]:
    """What is wrong with a metric; an empty list where nothing is.

    scene: the audit to measure; by default one of tables, or else one of images.
    """
    declared = violations(DECLARED, metric)
    if declared:
        return declared
    errors = []
    for audit in [scene] if scene else [table_audit(), image_audit()]:
        try:
            with watched() as used:
                seen = seen_in(metric, audit)
                found = tuple(metric.summarise(seen))
        except FAULTS as error:  # whatever it is, the rest cannot be tried
            errors.append(told(error))
        else:
            return violations(CHECKS, MetricTrial(metric, audit, seen, found, tuple(used)))
    raised = " and for images ".join(dict.fromkeys(errors))
    return [Violation("call", f"measuring a tiny audit raised {raised}.")]


def _declares(metric: Metric) -> str | None:
    for name, kind in (("axis", Axis), ("better", Better)):
        value, known = getattr(metric, name, None), get_args(kind)
        if value not in known:
            return f"{name} = {value!r}; give one of {', '.join(map(repr, known))}."
    if not isinstance(metric.unit, str):
        return f"unit = {metric.unit!r}; give a text, '' where the number has none."
    return None


def _needs(metric: Metric) -> str | None:
    for part in (*metric.needs.parts, *metric.needs.whole):
        if part not in PARTS:
            return f"needs names a part {part!r}; the parts are {', '.join(PARTS)}."
    return None


def _in_blocks(s: MetricTrial) -> str | None:
    """What is observed of a query may not depend on which others are in the block."""
    q = len(s.scene.ids)
    together = _observed(s.metric, s.scene)
    parts = [_observed(s.metric, _part(s.scene, some)) for some in (slice(0, 1), slice(1, q))]
    for key, rows in together.items():
        apart = torch.cat([part[key] for part in parts])
        if not torch.allclose(rows.double(), apart.double(), CLOSE, CLOSE, equal_nan=True):
            return (
                f"observe() gives other {key[1]!r} of {key[0]} in two blocks than in one; let a "
                f"row depend on the rows of its own query only, and pool in summarise()."
            )
    return None


def _observed(metric: Metric, scene: Scene) -> Mapping[tuple[Part, str], Tensor]:
    return observe(metric, scene, type(metric).__name__)


def _part(scene: Scene, some: slice) -> Scene:
    """Some queries of a scene, with all that belongs to them."""
    queries = torch.arange(len(scene.ids))[some]

    def rows(x: Tensor | None) -> Tensor | None:
        if x is None:
            return None
        return x.reshape(len(scene.ids), -1, *x.shape[1:])[queries].flatten(0, 1)

    return replace(
        scene,
        ids=tuple(scene.ids)[some],
        queries=scene.queries[queries],
        labels=None if scene.labels is None else scene.labels[queries],
        draws=rows(scene.draws),
        unguided=rows(scene.unguided),
        diagnostics={k: v.reshape(len(scene.ids), -1)[queries].flatten()
                     for k, v in scene.diagnostics.items()},
    )  # fmt: skip


def _no_nan(s: MetricTrial) -> str | None:
    for (part, name), rows in s.seen.observed.items():
        if np.issubdtype(rows.dtype, np.floating) and np.isnan(rows).any():
            return f"observe() gives NaN in {name!r} of {part}; NaN is for draws that were lost."
    return None


def _lost(s: MetricTrial) -> str | None:
    """One draw lost, and all draws of one query lost."""
    k = s.seen.per_query
    for what, rows in (("one draw", range(1)), ("all draws of one query", range(k))):
        try:
            seen = seen_in(s.metric, s.scene, tuple(rows))
            found = tuple(s.metric.summarise(seen))
        except FAULTS as error:
            return f"with {what} lost it raised {told(error)}; lost draws are NaN, see seen.lost."
        wrong = statistics.finite(found) or statistics.empty(found) or _suspected(s.metric, seen)
        if wrong:
            return f"with {what} lost: {wrong} Use numpy's nan-functions."
    return None


def _suspicious(s: MetricTrial) -> str | None:
    return _suspected(s.metric, s.seen)


def _suspected(metric: Metric, seen: Observations) -> str | None:
    flags = metric.suspicious(seen)
    wanted = (len(seen.ids), seen.per_query)
    if flags is None:
        return None
    if not isinstance(flags, np.ndarray) or flags.dtype != np.bool_ or flags.shape != wanted:
        return f"suspicious() must give a numpy array of {wanted} bool, or None."
    return None


def _queries(s: MetricTrial) -> str | None:
    unknown = {m.query for m in s.found if m.query is not None} - {*s.seen.ids}
    return f"query {min(unknown)!r} is not one of the queries' ids." if unknown else None


def _deterministic(s: MetricTrial) -> str | None:
    if s.used:
        return (
            f"it draws or seeds the global random numbers of {', '.join(s.used)}; draw from "
            f"seen.rng(purpose)."
        )
    if tuple(s.metric.summarise(s.seen)) != s.found:
        return "two calls of summarise() differ; draw random numbers from seen.rng(purpose)."
    return None


DECLARED: Checks[Metric] = {"declares": _declares, "needs": _needs}
CHECKS: Checks[MetricTrial] = {
    "headline": lambda s: statistics.headline(s.found),
    "unique": lambda s: statistics.unique(s.found),
    "finite": lambda s: statistics.finite(s.found),
    "empty": lambda s: statistics.empty(s.found),
    "interval": lambda s: statistics.interval(s.found),
    "queries": _queries,
    "deterministic": _deterministic,
    "observed": _no_nan,
    "in-blocks": _in_blocks,
    "lost": _lost,
    "suspicious": _suspicious,
}
