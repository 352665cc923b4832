"""The metric `blind_spot`: the row of one audit in the matrix guided_by x measured_by.

    measured_by:B   r_B, the Fréchet distance of the draws over that of the unguided draws, by B
    frechet_by:B    D_B itself, in squared features of B
    unguided_by:B   U_B, the same of the prior's own draws
    hides_from:B    what A's own distance hides of what B sees

and, as a metric of its own that conditions can bound, `blind_spot_score`: "mean" is the score
beside all others, with the verdict in its message, "confidence" how sure it is above 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from fiber_audit.context import Context
from fiber_audit.contracts import Axis, Better, Measurement, Metric
from fiber_audit.errors import UsageError, WeightsError

from .blind_spot import Estimated, View, blind_spot, relative_distance
from .moments import matrix
from .set_metrics import rng, slots

if TYPE_CHECKING:
    import pandas as pd

NAME, SCORE = "blind_spot", "blind_spot_score"
RELATIVE = "of the unguided distance"
Statistic = Literal["measured_by", "frechet_by", "unguided_by", "hides_from"]


class BlindSpotMetric(Metric):
    """Fréchet distances of one audit's draws, seen by several extractors.

    measured_by: names of the suite or the catalogue. The audited extractor is always among them; a
    name that stands for the same network is its own view, not another's.
    """

    axis: Axis = "consistency"
    better: Better = ""

    def __init__(self, measured_by: Sequence[str]) -> None:
        self.measured_by = tuple(dict.fromkeys(measured_by))

    def measure(self, context: Context) -> Sequence[Measurement]:
        """All statistics of the module's docstring; n is the number of queries."""
        if len(context.queries) < 2:
            raise UsageError("blind_spot: 1 query; a Fréchet distance needs at least 2.")
        own = self._view(context, context.extractor_name)
        others, found = [], list(self._seen(context, own))
        for name in self.measured_by:
            if name == context.extractor_name:
                continue
            try:
                view = self._view(context, name)
            except WeightsError as error:
                found.append(_absent(f"measured_by:{name}", len(own.queries), str(error)))
                continue
            if not np.array_equal(view.queries, own.queries):
                others.append(view)
                found += self._seen(context, view)
        return [*found, *self._scores(context, own, others)]

    def _view(self, context: Context, name: str) -> View:
        seen = context.seen_by(name)
        return View(name, matrix(seen.queries), slots(seen.draws), slots(seen.unguided))

    def _seen(self, context: Context, view: View) -> Iterator[Measurement]:
        n = len(view.queries)
        relative = relative_distance(view, rng(context, NAME))
        d, u = view.distances(np.arange(n))
        yield _measurement(f"measured_by:{view.name}", relative, n, RELATIVE)
        yield _measurement(f"frechet_by:{view.name}", Estimated(d), n, "squared features")
        yield _measurement(f"unguided_by:{view.name}", Estimated(u), n, "squared features")

    def _scores(self, context: Context, own: View, others: Sequence[View]) -> Iterator[Measurement]:
        n = len(own.queries)
        if not others:
            message = "no other network could look: add names to measured_by"
            yield _absent("mean", n, message, SCORE)
            return
        for other in others:
            found = blind_spot(own, [other], rng(context, NAME))
            sentence = found.sentence(own.name)
            yield _measurement(f"hides_from:{other.name}", found.score, n, "share", sentence)
        found = blind_spot(own, others, rng(context, NAME))
        sentence = found.sentence(own.name)
        yield _measurement("mean", found.score, n, "share", sentence, SCORE, "lower")
        if found.confidence is not None:
            sure = Estimated(found.confidence)
            yield _measurement("confidence", sure, n, "share", found.verdict, SCORE)


def blind_spot_matrix(records: pd.DataFrame, statistic: Statistic = "measured_by") -> pd.DataFrame:
    """Records of a run -> a table guided_by x measured_by, for a heat map.

    Rows are audits "extractor/prior/sampler", columns are measuring extractors. With "frechet_by",
    each prior's unguided draws are rows too, "unguided/prior": the reference in the same units.
    """
    rows = records[(records["metric"] == NAME) & records["value"].notna()]

    def pivot(prefix: str, index: str) -> pd.DataFrame:
        part = rows[rows["statistic"].str.startswith(f"{prefix}:")]
        columns = part["statistic"].str.removeprefix(f"{prefix}:").rename("measured_by")
        table = part.assign(measured_by=columns).pivot_table(
            index=index, columns="measured_by", values="value", aggfunc="first", sort=False
        )
        return table.astype(float).rename_axis("guided_by")

    table = pivot(statistic, "audit")
    if statistic == "frechet_by":
        import pandas as pd

        unguided = pivot("unguided_by", "prior").rename(index=lambda prior: f"unguided/{prior}")
        table = pd.concat([unguided, table]).rename_axis("guided_by")
    return table


def _measurement(
    statistic: str,
    found: Estimated,
    n: int,
    unit: str,
    message: str = "",
    metric: str = NAME,
    better: Better = "",
) -> Measurement:
    return Measurement(
        metric,
        statistic,
        found.value,
        n,
        unit,
        "consistency",
        better,
        found.stderr,
        found.ci_low,
        found.ci_high,
        message=message,
    )


def _absent(statistic: str, n: int, message: str, metric: str = NAME) -> Measurement:
    return Measurement(metric, statistic, None, n, "", "consistency", "", message=message)
