"""MLflow: one MLflow run per audit run, with the report as an artifact."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from fiber_audit import DataError, UsageError
from fiber_audit.contracts import Exporter

from .folders import made
from .names import distinct
from .run_facts import RunFacts, facts
from .series import readings

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient

ARTIFACTS = ("report.html", "records.csv", "suite.toml", "verdicts.json")
LONGEST, AT_ONCE = 250, 900
"""MLflow's bounds: letters of a name, and metrics in one call."""


@dataclass(frozen=True)
class MLflow(Exporter):
    """Needs the extra ``mlflow``. A run that is there already is not logged twice.

    tracking_uri: where to log; empty is what MLFLOW_TRACKING_URI says, or else out/mlflow.db.
    experiment: its name; empty is the suite's.
    """

    elsewhere: ClassVar[bool] = True
    tracking_uri: str = ""
    experiment: str = ""

    def export(self, records: pd.DataFrame, run: Path, out: Path) -> Sequence[Path]:
        """Log metrics, tags and the files of the run; returns out/mlflow.db if that was written."""
        try:
            from mlflow import MlflowClient
            from mlflow.exceptions import MlflowException
        except ImportError as error:
            raise UsageError(
                f"--to mlflow: {error}; install it with: pip install 'fiber-audit[mlflow]'"
            ) from error
        about = facts(records)
        made(out)
        uri = self.tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")
        artifacts = None if uri else (out / "mlflow-artifacts").resolve().as_uri()
        try:
            client = MlflowClient(uri or f"sqlite:///{(out / 'mlflow.db').resolve()}")
            self._log(client, artifacts, about, records, run)
        except MlflowException as error:
            said = str(error).strip().partition("\n")[0]
            raise DataError(f"--to mlflow: {said} (logging to {uri or out}).") from error
        return [out / "mlflow.db"] if (out / "mlflow.db").is_file() else []

    def _log(
        self,
        client: MlflowClient,
        artifacts: str | None,
        about: RunFacts,
        records: pd.DataFrame,
        run: Path,
    ) -> None:
        name = self.experiment or about.suite
        experiment = client.get_experiment_by_name(name)
        key = experiment.experiment_id if experiment else client.create_experiment(name, artifacts)
        if not client.search_runs([key], f"tags.fiber_audit = '{about.identity}'"):
            start = int(about.moment.timestamp() * 1000)
            begun = client.create_run(key, start_time=start, run_name=about.run_id)
            log_run(client, begun.info.run_id, records, run)
            client.set_terminated(begun.info.run_id)


def log_run(
    client: MlflowClient, run_id: str, records: pd.DataFrame, run: Path
) -> dict[str, float]:
    """Log an audit run's metrics, tags and files into an MLflow run; returns the metrics.

    The artifact names.json says which series a metric is.
    """
    from mlflow.entities import Metric, RunTag

    about, found = facts(records), readings(records)
    time = int(about.moment.timestamp() * 1000)
    names = distinct({r.name: allowed(r.name) for r in found}, longest=LONGEST)
    metrics = {names[reading.name]: reading.value for reading in found}
    tags = {
        "fiber_audit": about.identity,
        "suite": about.suite,
        "mlflow.source.git.commit": about.git_sha,
    }
    client.log_batch(run_id, tags=[RunTag(name, value) for name, value in tags.items() if value])
    entries = [Metric(name, value, time, 0) for name, value in metrics.items()]
    for start in range(0, len(entries), AT_ONCE):
        client.log_batch(run_id, metrics=entries[start : start + AT_ONCE])
    client.log_dict(run_id, {name: series for series, name in names.items()}, "names.json")
    for file in ARTIFACTS:
        if (run / file).is_file():
            client.log_artifact(run_id, str(run / file))
    return metrics


def allowed(name: str) -> str:
    """MLflow's letters for metric names; a slash makes groups of charts.

    >>> allowed("shape/latent/ndtm/fiber_loss_rms.mean")
    'shape/latent/ndtm/fiber_loss_rms.mean'
    >>> allowed("../latent/ndtm/diversity.mean@clip")
    '_/latent/ndtm/diversity.mean_clip'
    """
    spelt = re.sub(r"[^\w./ -]", "_", name, flags=re.ASCII)
    return "/".join("_" if part in ("", ".", "..") else part for part in spelt.split("/"))
