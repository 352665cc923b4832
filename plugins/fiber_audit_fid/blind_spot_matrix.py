"""Records of a run -> a table guided by x measured by, also from records of the first schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas as pd

BlindSpotStatistic = Literal["relative", "frechet", "unguided", "hidden"]
FIRST_SCHEMA: dict[str, BlindSpotStatistic] = {
    "measured_by": "relative",
    "frechet_by": "frechet",
    "unguided_by": "unguided",
    "hides_from": "hidden",
}
"""Statistics of schema 1, which had the measuring network behind a colon: "measured_by:shape"."""


def blind_spot_matrix(
    records: pd.DataFrame, statistic: BlindSpotStatistic = "relative"
) -> pd.DataFrame:
    """Rows are audits "extractor/prior/sampler", columns are measuring extractors.

    With "frechet", each prior's unguided draws are rows too, "unguided/prior": the reference in the
    same units.
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
    """The pooled numbers of `blind_spot`, in the words of today: statistic and seen_by."""
    rows = records[
        (records["metric"] == "blind_spot") & records["query"].isna() & records["value"].notna()
    ].copy()
    old = rows["statistic"].astype("string").str.extract(r"^(\w+):(.+)$")
    word = old[0].map(FIRST_SCHEMA).astype("string")
    known = rows["seen_by"].astype("string") if "seen_by" in rows else old[1]
    rows["seen_by"] = known.where(word.isna(), old[1])
    rows["statistic"] = rows["statistic"].astype("string").where(word.isna(), word)
    return rows
