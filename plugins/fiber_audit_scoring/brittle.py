"""Health: is a draw on the fiber, or only its last digits? An invisible change tells.

    before     |phi(x) - h|, the fiber loss of a draw
    after      the largest |phi(x') - h| over invisible changes x' of it

A picture that shows what the network ignores stays near the fiber; a picture that was left as it
was but for a pattern which the network answers to, an adversarial example, does not (Szegedy et
al., ICLR 2014; such patterns seldom survive a resize). Real queries say how far an invisible change
takes.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from fiber_audit.contracts import Axis, Better, Block, Metric, Needs, NonNegative, Statistic
from fiber_audit.measuring import (
    Observations,
    measured_ratio,
    per_query,
    undefined,
)
from fiber_audit.sampling import rms

from .far_out import far_out
from .invisible import CHANGES

MARGIN = 0.05
"""An increase too small to matter, in units of random pairs."""
TIMES = 1.5
"""An increase is suspicious only where the loss becomes so many times what it was."""
Array = NDArray[np.float64]


class Brittle(Metric):
    """`brittle`: how far an invisible change takes draws from the fiber, where random pairs are 1.

    The changes: rounding to 8 bits, a jitter of 1 %, an eighth smaller and back. Statistics: mean
    (after - before, also per query), queries (the same for the queries themselves, whose loss
    before is 0), before and after (the losses), ratio (after over before), undone (the share of
    what guidance gained over unguided draws that the change takes back), and after each change
    alone: eight_bits, jitter, resize. Undefined for tables. n counts draws or queries; uncertainty
    is over queries. Suspected: a draw that a change takes much farther than any query, by more than
    half of what its loss was.

    Args:
        fence: See `far_out`.
    """

    axis: Axis = "health"
    better: Better = "lower"
    unit = "random pairs = 1"
    needs = Needs(parts=("draws", "unguided", "queries"))

    def __init__(self, fence: NonNegative = 3.0) -> None:
        self.fence = fence

    def observe(self, block: Block) -> Mapping[str, Tensor]:
        """`before`, and each change by its name, (n,) RMS distances to the target."""
        aim = (block.of_query if block.part == "queries" else block.targets).double()
        found = {"before": rms(block.features().double() - aim)}
        span = block.prior.data_range
        if span is None or block.data.ndim != 4 or block.part == "unguided":
            return found
        for name, change in CHANGES.items():
            changed = change(block.data, *span)
            found[name] = rms(block.features(of=changed).double() - aim)
        return found

    def summarise(self, seen: Observations) -> list[Statistic]:
        """Pooled and per query."""
        if not seen.shows("draws", "jitter"):
            return [undefined("mean", "only for images is it known which change is invisible")]
        null = seen.null
        if not null.size or not null.mean() > 0:
            return [undefined("mean", "no two queries differ in their features: no scale")]
        before, after = seen.draws("before"), _worst(seen, "draws")
        unguided = seen.unguided("before")
        increase, of_queries = after - before, _worst(seen, "queries")
        rows = {"mean": increase, "queries": of_queries, "before": before, "after": after}
        rows |= {name: seen.draws(name) for name in CHANGES}
        found = [
            measured_ratio(
                name, x, null, pairs=True, seed=seen.seed,
                message=self._said(seen) if name == "mean" else "",
            )
            for name, x in rows.items()
        ]  # fmt: skip
        if np.nansum(before) > 0:
            found.append(measured_ratio("ratio", after, before, seed=seen.seed, unit="of before"))
        gained = unguided - before
        if np.nanmean(gained) > 0:
            undone = measured_ratio("undone", increase, gained, seed=seen.seed, unit="of the gain")
            found.append(undone)
        return found + per_query(seen.ids, increase / null.mean())

    def suspicious(self, seen: Observations) -> NDArray[np.bool_] | None:
        """(q, k) bool: on the fiber only to the last digits; None for tables."""
        null = seen.null
        if not seen.shows("draws", "jitter") or not null.size:
            return None
        before, after = seen.draws("before"), _worst(seen, "draws")
        margin = MARGIN * float(null.mean())
        far = far_out(after - before, _worst(seen, "queries"), margin, self.fence)
        return np.asarray(far & (after > TIMES * before))

    def _said(self, seen: Observations) -> str:
        flags = self.suspicious(seen)
        if flags is None or not flags.any():
            return seen.told_lost
        return (
            f"{int(flags.sum())} of {flags.size} draws leave the fiber after a change that nobody "
            f"sees: they fool the network, and show nothing that it ignores"
        )


def _worst(seen: Observations, part: str) -> Array:
    """The largest loss over the changes, row by row."""
    of = seen.draws if part == "draws" else seen.queries
    return np.asarray(np.maximum.reduce([of(name) for name in CHANGES]), dtype=np.float64)
