"""Records of a run -> a table guided by x measured by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas as pd

BlindSpotStatistic = Literal["relative", "frechet", "unguided", "hidden"]


def blind_spot_matrix(
    records: pd.DataFrame, statistic: BlindSpotStatistic = "relative"
) -> pd.DataFrame:
    """Rows are audits "extractor/prior/sampler", columns are measuring extractors.

    records: of a finished run, or of a file that `fiber_audit.records.read` has read, which brings
    tables of the first schema up to date. With "frechet", each prior's unguided draws are rows too,
    "unguided/prior": the reference in the same units.
    """
    rows = seen(records)

    def pivot(name: BlindSpotStatistic, index: str) -> pd.DataFrame:
        table = rows[rows["statistic"] == name].pivot_table(
            index=index, columns="seen_by", values="value", aggfunc="first", sort=False
        )
        return table.astype(float).rename_axis(index="guided_by", columns="measured_by")

    table = pivot(statistic, "audit")
    if statistic == "frechet":
        import pandas as pd

        unguided = pivot("unguided", "prior").rename(index=lambda prior: f"unguided/{prior}")
        table = pd.concat([unguided, table]).rename_axis("guided_by")
    return table


def seen(records: pd.DataFrame) -> pd.DataFrame:
    """The pooled numbers of `blind_spot`."""
    found = (records["metric"] == "blind_spot") & records["query"].isna()
    return records[found.fillna(False) & records["value"].notna()]
