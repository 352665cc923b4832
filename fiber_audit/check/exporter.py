"""Does an exporter keep its contract?"""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from ..contracts import Exporter
from ..records import frame, to_csv
from .violation import Violation, told

if TYPE_CHECKING:
    import pandas as pd


def example_records() -> pd.DataFrame:
    """The records of a tiny run: a value with an interval, one without, one missing."""
    common = {
        "run_id": "example-0123456789",
        "started_at": "2026-01-02T03:04:05Z",
        "suite": "example",
        "audit": "phi/prior/sampler",
        "extractor": "phi",
        "prior": "prior",
        "sampler": "sampler",
        "metric": "fiber_loss_rms",
        "axis": "fidelity",
        "better": "lower",
        "git_sha": "0" * 40,
    }
    interval = {"stderr": 0.01, "ci_low": 0.08, "ci_high": 0.12}
    return frame(
        [
            {**common, "statistic": "mean", "value": 0.1, "n": 8, "status": "ok", **interval},
            {**common, "statistic": "random_pairs", "value": 1 / 3, "n": 8, "status": "ok"},
            {**common, "statistic": "floor", "status": "skipped", "message": "too few draws"},
        ]
    )


def check_exporter(exporter: Exporter) -> list[Violation]:
    """What is wrong with an exporter, on a tiny run in a temporary folder; empty if nothing is.

    One that logs elsewhere is not tried.
    """
    if exporter.elsewhere:
        return []
    records = example_records()
    before = records.copy(deep=True)
    with TemporaryDirectory() as folder:
        run, out = Path(folder) / "run", Path(folder) / "out"
        run.mkdir()
        (run / "records.csv").write_text(to_csv(records), encoding="utf-8")
        try:
            written = list(exporter.export(records, run, out))
        except Exception as error:  # whatever it is, the rest cannot be tried
            return [Violation("call", f"export() of a tiny run raised {told(error)}")]
        found = []
        missing = [path for path in written if not path.is_file()]
        if missing:
            message = f"{missing[0].name} is returned but not written; return the files written."
            found.append(Violation("files", message))
        for path in written:
            if path.is_file() and _not_a_number(path):
                message = f"{path.name} holds NaN or Infinity; leave a missing value out."
                found.append(Violation("strict", message))
        if not records.equals(before):
            message = "export() changes the records; work on a copy."
            found.append(Violation("records-kept", message))
    return found


def _not_a_number(path: Path) -> bool:
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        return False  # not a text format
    return re.search(r"(?<![\w.])[-+]?(nan|inf(inity)?)(?![\w.])", text, re.IGNORECASE) is not None
