"""Exporters: a finished run in the format of the dashboard or pipeline that you already have.

A class is its own factory: its fields are the exporter's options. docs/dashboards.md tells each
client's traps.
"""

from __future__ import annotations

from fiber_audit import hookimpl
from fiber_audit.contracts import Offers


@hookimpl
def fiber_audit_exporters() -> Offers:
    """Twelve formats; every one keeps its names stable from run to run."""
    return {
        "asv": "fiber_audit_dashboards.asv:Asv",
        "bencher": "fiber_audit_dashboards.bencher:Bencher",
        "csv-long": "fiber_audit_dashboards.csv_long:CsvLong",
        "csv-wide": "fiber_audit_dashboards.csv_wide:CsvWide",
        "github-action-benchmark": (
            "fiber_audit_dashboards.github_action_benchmark:GithubActionBenchmark"
        ),
        "github-summary": "fiber_audit_dashboards.github_summary:GithubSummary",
        "junit": "fiber_audit_dashboards.junit:JUnit",
        "mlflow": "fiber_audit_dashboards.mlflow:MLflow",
        "openmetrics": "fiber_audit_dashboards.openmetrics:OpenMetrics",
        "parquet": "fiber_audit_dashboards.parquet:Parquet",
        "sqlite": "fiber_audit_dashboards.sqlite:Sqlite",
        "trackio": "fiber_audit_dashboards.trackio:Trackio",
    }
