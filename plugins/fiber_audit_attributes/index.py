"""The invariance index of one attribute in one audit: the number, its null, its probe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fiber_audit.contracts import Attribute, Statistic
from fiber_audit.measuring import Observations, estimate, measured_ratio, moved_by, told, undefined

from .variation import Array, from_query, of_pairs, permuted, ranked

TIMES = 999
"""Permutations of the draws."""
SKILL = 0.5
"""Below this skill of its probe an attribute says nothing."""
LEAST = 0.01
"""Of d of unguided draws, and of their variance relative to the queries': below, nothing varies."""


@dataclass(frozen=True)
class Readings:
    """What a probe read: of draws and of unguided draws (q, k, m), of queries (q, m).

    Classes as they are, numbers as their ranks among the unguided draws.
    """

    name: str
    attribute: Attribute
    draws: Array
    unguided: Array
    queries: Array
    varied: float
    """The variance of unguided draws over that of queries; of classes 1."""

    @classmethod
    def of(cls, name: str, attribute: Attribute, seen: Observations) -> Readings:
        """The readings that `Invariance.observe` left under the attribute's name."""
        draws, unguided, queries = (
            np.asarray(part(name), dtype=np.float64)
            for part in (seen.draws, seen.unguided, seen.queries)
        )
        if attribute.kind == "class":
            return cls(name, attribute, draws, unguided, queries, varied=1.0)
        varied = _variance(unguided) / max(_variance(queries), np.finfo(np.float64).tiny)
        a, u, own = (ranked(part, unguided) for part in (draws, unguided, queries))
        return cls(name, attribute, a, u, own, varied)


def statistics_of(read: Readings, seen: Observations) -> list[Statistic]:
    """The index first, then all that belongs to it; see `fiber_audit_attributes.invariance`."""
    kind, skill = read.attribute.kind, read.attribute.skill
    within, whole = of_pairs(read.draws, kind), of_pairs(read.unguided, kind)
    told_skill = Statistic(skill, f"{read.name} skill", len(read.queries))
    why = ""
    if skill < SKILL:
        why = f"inconclusive: its probe has a skill of {skill:.2f}, which should be {SKILL} or more"
    elif np.isnan(within).all():
        why = "no query has two draws left"
    elif not (np.nanmean(whole) > LEAST and read.varied > LEAST):
        why = "inconclusive: unguided draws do not vary in it, so that there is nothing to share"
    if why:
        return [undefined(read.name, why), told_skill]
    return [*_measured(read, within, whole, seen), told_skill]


def mean_of(found: Sequence[Statistic]) -> Statistic:
    """The mean of several indices, which the same queries move."""
    known = [s for s in found if s.value is not None]
    if not known:
        return undefined("mean", "no attribute is conclusive")
    value, n = float(np.mean([s.value for s in known])), min(s.n for s in known)
    moves = [moved for s in known if (moved := getattr(s, "moved", None)) is not None]
    if len(moves) < len(known):
        return Statistic(value, "mean", n)
    return told("mean", moved_by(value, np.mean(np.stack(moves), axis=0), n, "positive"))


def _measured(
    read: Readings, within: Array, whole: Array, seen: Observations
) -> Iterator[Statistic]:
    name, kind, scale = read.name, read.attribute.kind, float(np.nanmean(whole))
    n = int((~np.isnan(within)).sum())
    found = measured_ratio(name, within, whole, seed=seen.seed)
    yield _never(found, within, scale) if kind == "class" and found.value == 0 else found
    yield measured_ratio(
        f"{name} from query",
        from_query(read.draws, read.queries, kind),
        from_query(read.unguided, read.queries, kind),
        seed=seen.seed,
    )
    dealt = permuted(read.draws, kind, TIMES, seen.rng(f"invariance of {name}"))
    yield Statistic(float(dealt.mean()) / scale, f"{name} permuted", TIMES)
    as_low = int((dealt <= np.nanmean(within)).sum())
    yield Statistic((1 + as_low) / (1 + TIMES), f"{name} p", TIMES, unit="p-value")
    yield Statistic(min(1.0, _floor(read.attribute, scale)), f"{name} floor", n)
    for query, value in zip(seen.ids, within / scale, strict=True):
        if not np.isnan(value):
            yield Statistic(float(value), name, seen.per_query, query)


def _never(found: Statistic, within: Array, scale: float) -> Statistic:
    """Where no draws of a query differ: Wilson's interval of a share of which nothing was seen.

    Leaving queries out moves nothing then, which would be an interval of no width.
    """
    share = estimate(within, scale="share")
    high = None if share.ci_high is None else share.ci_high / scale
    return replace(found, ci_low=0.0 if high is not None else None, ci_high=high)


def _variance(values: Array) -> float:
    """Summed over the numbers of (..., m)."""
    flat = values.reshape(-1, values.shape[-1])
    return float(np.nanvar(flat, axis=0).sum())


def _floor(attribute: Attribute, scale: float) -> float:
    """What a probe's errors alone can make of an attribute that is pinned.

    A number: its residual variance is 1 - R^2 of the whole. A class: at most 1 - accuracy^2 of all
    pairs of readings of one truth differ.
    """
    if attribute.accuracy is None:
        return 0.0
    if attribute.kind == "number":
        return 1 - attribute.skill
    return (1 - attribute.accuracy**2) / scale
