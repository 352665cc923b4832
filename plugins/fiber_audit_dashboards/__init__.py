"""Exporters: a finished run in the format of the dashboard or pipeline that you already have.

A class is its own factory: its fields are the exporter's options. docs/dashboards.md tells each
client's traps.
"""

from __future__ import annotations

from collections.abc import Mapping

from fiber_audit import hookimpl
from fiber_audit.contracts import Factory

from .asv import Asv
from .bencher import Bencher
from .csv_long import CsvLong
from .csv_wide import CsvWide
from .github_action_benchmark import GithubActionBenchmark
from .github_summary import GithubSummary
from .junit import JUnit
from .mlflow import MLflow
from .openmetrics import OpenMetrics
from .parquet import Parquet
from .sqlite import Sqlite
from .trackio import Trackio


@hookimpl
def fiber_audit_exporters() -> Mapping[str, Factory]:
    """Twelve formats; every one keeps its names stable from run to run."""
    return {
        "asv": Asv,
        "bencher": Bencher,
        "csv-long": CsvLong,
        "csv-wide": CsvWide,
        "github-action-benchmark": GithubActionBenchmark,
        "github-summary": GithubSummary,
        "junit": JUnit,
        "mlflow": MLflow,
        "openmetrics": OpenMetrics,
        "parquet": Parquet,
        "sqlite": Sqlite,
        "trackio": Trackio,
    }
