"""The metrics `blind_spot` and `blind_spot_score`: one audit's row of guided by x measured by.

`blind_spot` is a table. `blind_spot_score` is the number to bound: "mean" is the score beside all
others, with the finding in its message, "confidence" how sure it is above 0. It is a lower bound of
the share that is hidden at infinitely many queries; see `blind_spot`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from fiber_audit import UsageError, WeightsError
from fiber_audit.contracts import Axis, Better, Metric, Needs, Statistic, Table, held
from fiber_audit.measuring import Estimate, Observations, told, undefined

from .blind_spot import blind_spot
from .heat_map import heat_maps
from .moments import matrix
from .slots import are_there
from .witness import Share, Witness, relative_distance, share

if TYPE_CHECKING:
    import pandas as pd

NAME = "blind_spot"
NOTHING_LEFT = "every slot has less than 2 draws left"
NOBODY = "no other network could look: add names to measured_by"


@dataclass(frozen=True)
class Bench:
    """The witnesses of one audit: its own network, others, and why some are absent (by name)."""

    own: Witness
    others: list[Witness] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)

    @property
    def silent(self) -> bool:
        """True where too many draws were lost for any of them to see something."""
        return not len(self.own.guided_slots.kept)

    def shares(self, seed: int) -> tuple[Share, list[Share]]:
        """What the own network sees, and what the others see."""
        return share(self.own, seed), [share(other, seed) for other in self.others]


class _Beside(Metric):
    """What both metrics share: who looks, and at what."""

    axis: Axis = "consistency"

    def __init__(self, *, measured_by: list[str]) -> None:
        """measured_by: extractors of the suite or the catalogue.

        The audited one is always among them; a name that stands for the same network is its own
        view, not another's. Weights that are missing cost their own column.
        """
        held("measured_by", measured_by, list[str])
        self.measured_by = tuple(dict.fromkeys(measured_by))
        eyes = ("", *self.measured_by)
        self.needs = Needs(
            parts=(), extractors=(), whole={"draws": eyes, "unguided": eyes, "queries": eyes}
        )

    def bench(self, seen: Observations) -> Bench:
        """Everybody who can look."""
        if len(seen.ids) < 2:
            raise UsageError("1 query: a Fréchet distance needs at least 2; raise queries.n.")
        found = Bench(_witness(seen, ""))
        for name in self.measured_by:
            if name == seen.extractor:
                continue
            try:
                other = _witness(seen, name)
                if np.array_equal(other.queries, found.own.queries):
                    continue
                if not found.silent:
                    other.ratio()
            except (WeightsError, UsageError) as error:
                found.absent[name] = str(error)
            else:
                found.others.append(other)
        return found


def _witness(seen: Observations, name: str) -> Witness:
    free = seen.features("unguided", name)
    return Witness(
        name or seen.extractor,
        matrix(seen.features("queries", name), f"features of the queries by {name or 'phi'}"),
        seen.features("draws", name),
        free,
        ~seen.lost & are_there(free),
    )


def _seed(seen: Observations) -> int:
    """Of the jackknives of both metrics, which therefore agree."""
    return int(seen.rng(NAME).integers(2**63))


class BlindSpot(_Beside):
    """`blind_spot`: Fréchet distances of one audit's draws, seen by several extractors.

    It is a table: its statistics say in seen_by which network B looked. n counts queries.

        relative   r_B, the Fréchet distance of the draws over that of the unguided draws
        frechet    D_B itself, in squared features of B
        unguided   U_B, the same of the prior's own draws
        hidden     what A's own distance hides of what B sees
    """

    better: Better = ""
    unit = "of the unguided distance"

    def summarise(self, seen: Observations) -> Iterator[Statistic]:
        """Relative, frechet and unguided by every witness, hidden by all but the own one."""
        bench = self.bench(seen)
        if bench.silent:
            yield undefined("relative", NOTHING_LEFT, seen_by=seen.extractor)
            return
        n = len(seen.ids)
        for witness in (bench.own, *bench.others):
            relative = relative_distance(witness, seen.rng(NAME))
            message = seen.told_lost if witness is bench.own else ""
            yield told("relative", relative, seen_by=witness.name, message=message)
            for name, value in zip(("frechet", "unguided"), witness.on_all, strict=True):
                alone = Estimate(value, None, None, None, n)
                yield told(name, alone, seen_by=witness.name, unit="squared features")
        for name, why in bench.absent.items():
            yield undefined("relative", why, n, seen_by=name)
        if not bench.others:
            return
        own, others = bench.shares(_seed(seen))
        for other in others:
            found = blind_spot(own, [other])
            message = found.sentence(own.name)
            yield told("hidden", found.score, seen_by=other.name, unit="share", message=message)

    def exhibits(self, records: pd.DataFrame) -> Sequence[Table]:
        """A heat map for each prior and sampler."""
        return heat_maps(records)


class BlindSpotScore(_Beside):
    """`blind_spot_score`: the share of what others see that the network's own distance hides.

    At least that share: noise in the network's own distance makes the score smaller, never larger.
    Statistics: mean (the score, its finding in the message) and confidence (how sure it is that
    the score is above 0). n is the number of queries.
    """

    better: Better = "lower"
    unit = "share"

    def summarise(self, seen: Observations) -> Iterator[Statistic]:
        """The score beside all others, and how sure it is."""
        bench, n = self.bench(seen), len(seen.ids)
        if bench.silent or not bench.others:
            yield undefined("mean", NOTHING_LEFT if bench.silent else NOBODY, n)
            return
        own, others = bench.shares(_seed(seen))
        found = blind_spot(own, others)
        yield told("mean", found.score, message=found.sentence(own.name))
        if found.confidence is not None:
            yield Statistic(found.confidence, "confidence", n, message=found.finding)
