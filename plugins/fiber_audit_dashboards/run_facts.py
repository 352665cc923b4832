"""Which run it is: what tells the runs of a history apart."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fiber_audit import DataError

from .names import digest
from .series import plain

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class RunFacts:
    """What all records of a run share.

    config stands for what its audits compute: their config hash, or a digest where they have
    several. A run is known by suite, config and run_id: neither its folder nor the second in which
    it started tells it apart from others.
    """

    run_id: str
    started_at: str
    suite: str
    git_sha: str
    config: str

    @property
    def identity(self) -> str:
        """Eight digits for suite, config and run_id."""
        return digest("\n".join([self.suite, self.config, self.run_id]))

    @property
    def moment(self) -> datetime:
        """The start, in UTC.

        Raises:
            DataError: the records hold no time there.
        """
        try:
            found = datetime.fromisoformat(self.started_at)
            return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise DataError(
                f"started_at = {self.started_at!r}: not a time such as 2026-01-02T03:04:05Z; "
                f"restore the records, or run the suite again."
            ) from error


def facts(records: pd.DataFrame) -> RunFacts:
    """The run that records belong to.

    Raises:
        DataError: they hold no run, or more than one.
    """
    names = ["run_id", "started_at", "suite", "git_sha"]
    runs = plain(records[names].drop_duplicates())
    if len(runs) != 1:
        raise DataError(f"the records hold {len(runs)} runs; export one finished run at a time.")
    if not runs[0]["started_at"]:
        raise DataError("the records do not say when their run started; run the suite again.")
    hashes = sorted(str(each) for each in records["config_hash"].dropna().unique())
    config = hashes[0] if len(hashes) == 1 else digest(" ".join(hashes)) if hashes else ""
    return RunFacts(**{name: runs[0][name] or "" for name in names}, config=config)
