"""Does an exporter keep its contract?"""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from ..contracts import Exporter
from ..records import SCHEMA_VERSION, frame, write
from .violation import Violation, told

if TYPE_CHECKING:
    import pandas as pd

AUDITS = ("phi/prior/sampler", "resnet-18/prior/sampler", "resnet_18/prior/sampler", "形/色/ñ")
"""Names of which formats with fewer letters make one."""
HOSTILE = '=1+1 | <b>"[x](y)"</b> & ]]> `$`\nsecond line \x1b[31m\x00 \udcff'
"""A message with what spreadsheets run, markup, and what no format holds."""


def example_records() -> pd.DataFrame:
    """The records of a tiny run: values with an interval and without, by two views, and none."""
    run = {
        "schema_version": SCHEMA_VERSION,
        "run_id": "example-0123456789",
        "started_at": "2026-01-02T03:04:05Z",
        "suite": "-example, <1>",
        "git_sha": "0" * 40,
        "config_hash": "0123456789abcdef",
    }
    metric = {"metric": "fiber_loss_rms", "axis": "fidelity", "better": "lower", "unit": 'a"b\\c'}
    rows = []
    for audit in AUDITS:
        parts = dict(zip(("extractor", "prior", "sampler"), audit.split("/"), strict=True))
        cell = {**run, **metric, **parts, "audit": audit, "n": 8, "status": "ok"}
        interval = {"stderr": 0.01, "ci_low": 0.08, "ci_high": 0.12}
        rows += [
            {**cell, "statistic": "mean", "value": 0.1, **interval},
            {**cell, "statistic": "mean", "value": 0.2, "seen_by": "=clip@2"},
            {**cell, "statistic": "mean", "value": 0.3, "query": "NA"},
            {**cell, "statistic": "random_pairs", "value": 1 / 3},
            {**cell, "statistic": "floor", "status": "skipped", "message": "too few draws"},
            {**cell, "statistic": None, "status": "error", "message": HOSTILE},
        ]
    return frame(rows)


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
        write(records, run)
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
