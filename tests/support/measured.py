"""What a run measured, as one compares it with another."""

import pandas as pd


def measured(run):
    """Its records, less times."""
    found = pd.read_csv(run / "records.csv")
    times = [name for name in found if name in ("run_id", "started_at") or "seconds" in name]
    return found.drop(columns=times)
