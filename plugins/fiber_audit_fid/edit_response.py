"""The metric `edit_response`: edit real inputs in known ways; does the Fréchet distance move?

For each edit the value is

    FD(edited queries, fresh samples) / FD(queries, fresh samples),

1 where the edit goes unseen at this n. It is a fact about the extractor, not about the draws, and
says what a distance in its features can and cannot be trusted with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import get_args

import numpy as np
from torch import Tensor

from fiber_audit import UsageError
from fiber_audit.contracts import Axis, Better, Block, Fraction, Metric, Needs, Statistic, held
from fiber_audit.measuring import Observations, told, undefined

from .choices import EditName
from .estimates import of_ratio
from .frechet import frechet_distance
from .image_edits import IMAGE_EDITS
from .moments import Array, matrix
from .sampling_error import deletions
from .set_edits import SET_EDITS
from .witness import TINY

ALL: tuple[EditName, ...] = get_args(EditName)


class EditResponse(Metric):
    """`edit_response`: the share of edits that are seen (mean), and one statistic per edit.

    An edit is seen where the interval of its response lies above 1. n is the number of queries
    compared with as many fresh samples; the headline's is that of edits.

    Where the data set knows no fresh samples, the second half of the queries stands in for them.
    """

    axis: Axis = "health"
    better: Better = ""
    unit = "of the unedited distance"

    def __init__(
        self,
        *,
        edits: list[EditName] | None = None,
        strength: Fraction = 0.5,
        extractor: str = "",
    ) -> None:
        """edits: None for all. extractor: whose features; "" is the audited one."""
        held("edits", edits, list[EditName] | None)
        self.edits = ALL if edits is None else tuple(edits)
        self.strength, self.extractor = strength, extractor
        of_images = any(name in IMAGE_EDITS for name in self.edits)
        self.needs = Needs(
            parts=("queries",) if of_images else (),
            extractors=(extractor,) if of_images else (),
            whole={"queries": (extractor,), "fresh": (extractor,)},
        )

    def observe(self, block: Block) -> Mapping[str, Tensor]:
        """Features of the edited images, (n, d), by the name of the edit of single images."""
        if block.data.ndim != 4:
            raise UsageError("the queries are no images; leave this metric out.")
        return {
            name: block.features(self.extractor, of=IMAGE_EDITS[name](block.data, self.strength))
            for name in self.edits
            if name in IMAGE_EDITS
        }

    def summarise(self, seen: Observations) -> Iterator[Statistic]:
        """The headline, then the edits."""
        by, labels = self.extractor or None, seen.labels
        plain = matrix(seen.features("queries", self.extractor), "features of the queries")
        if seen.shows("fresh"):
            fresh, n = matrix(seen.features("fresh", self.extractor)), len(plain)
        else:
            n = len(plain) // 2
            plain, fresh = plain[:n], plain[n : 2 * n]
            labels = None if labels is None else labels[:n]
        if n < 2:
            raise UsageError("too few queries; a Fréchet distance needs 2 and 2: raise queries.n.")
        subsets = [np.arange(n), *deletions(n, seen.rng("edit groups"))]
        floor = _distances(plain, fresh, subsets)
        found, noticed = [], []
        for name in self.edits:
            if name == "mode_drop" and labels is None:
                found.append(undefined(name, "the queries have no labels", n, seen_by=by))
                continue
            if name in IMAGE_EDITS:
                edited = matrix(seen.queries(name)[:n], f"features of the queries after {name}")
            else:
                rng = seen.rng(f"edit {name}")
                edited = plain[SET_EDITS[name](n, labels, self.strength, rng)]
            response, *deleted = _distances(edited, fresh, subsets) / floor
            moved = of_ratio(float(response), deleted, n)
            noticed.append(moved.ci_low is not None and moved.ci_low > 1)
            word = "seen" if noticed[-1] else "not shown to be seen"
            message = f"strength {self.strength:g}: {word}"
            found.append(told(name, moved, seen_by=by, message=message))
        message = f"{sum(noticed)} of {len(noticed)} edits are seen"
        share = sum(noticed) / len(noticed) if noticed else None
        yield Statistic(share, "mean", len(noticed), seen_by=by, unit="edits seen", message=message)
        yield from found


def _distances(rows: Array, fresh: Array, subsets: Sequence[Array]) -> Array:
    """Of some of the rows to as many fresh ones, above 0."""
    found = [frechet_distance(rows[some], fresh[some]) for some in subsets]
    return np.maximum(found, TINY)
