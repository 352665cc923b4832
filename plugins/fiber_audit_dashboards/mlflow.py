"""MLflow: one MLflow run per audit run, with the report as an artifact."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from fiber_audit.contracts import Exporter
from fiber_audit.errors import UsageError

from .series import RunFacts, facts, points

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient

ARTIFACTS = ("report.html", "records.csv", "suite.toml", "verdicts.json")


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
        except ImportError as error:
            raise UsageError(
                f"--to mlflow: {error}; install it with: pip install 'fiber-audit[mlflow]'"
            ) from error
        about = facts(records)
        out.mkdir(parents=True, exist_ok=True)
        uri = self.tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")
        client = MlflowClient(uri or f"sqlite:///{(out / 'mlflow.db').resolve()}")
        artifacts = None if uri else (out / "mlflow-artifacts").resolve().as_uri()
        name = self.experiment or about.suite
        experiment = client.get_experiment_by_name(name)
        key = experiment.experiment_id if experiment else client.create_experiment(name, artifacts)
        if not client.search_runs([key], f"tags.fiber_audit = '{_identity(about)}'"):
            start = int(about.moment.timestamp() * 1000)
            made = client.create_run(key, start_time=start, run_name=about.run_id)
            log_run(client, made.info.run_id, records, run)
            client.set_terminated(made.info.run_id)
        return [out / "mlflow.db"] if (out / "mlflow.db").is_file() else []


def log_run(
    client: MlflowClient, run_id: str, records: pd.DataFrame, run: Path
) -> dict[str, float]:
    """Log an audit run's metrics, tags and files into an MLflow run; returns the metrics."""
    from mlflow.entities import Metric, RunTag

    about = facts(records)
    time = int(about.moment.timestamp() * 1000)
    metrics = {allowed(point.name): point.value for point in points(records)}
    tags = {
        "fiber_audit": _identity(about),
        "suite": about.suite,
        "mlflow.source.git.commit": about.git_sha,
    }
    client.log_batch(
        run_id,
        metrics=[Metric(name, value, time, 0) for name, value in metrics.items()],
        tags=[RunTag(name, value) for name, value in tags.items() if value],
    )
    for file in ARTIFACTS:
        if (run / file).is_file():
            client.log_artifact(run_id, str(run / file))
    return metrics


def _identity(about: RunFacts) -> str:
    return f"{about.run_id} {about.started_at}"


def allowed(name: str) -> str:
    """MLflow's letters for metric names; a slash makes groups of charts.

    >>> allowed("shape/latent/ndtm/fiber_loss_rms.mean")
    'shape/latent/ndtm/fiber_loss_rms.mean'
    """
    return re.sub(r"[^\w./ -]", "_", name, flags=re.ASCII)
