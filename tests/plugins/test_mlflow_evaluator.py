"""The audit as an evaluator of MLflow."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

mlflow = pytest.importorskip("mlflow")
pytest.importorskip("sklearn")  # which MLflow's evaluators import

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*type hint.*:UserWarning"),  # MLflow on its own code
    pytest.mark.filterwarnings("ignore:.*find_spec|.*load_module:ImportWarning"),  # its hooks
]

TOY = Path(__file__).parents[1] / "host" / "toy.py"
DATA = pd.DataFrame({"image": ["a"], "prediction": [0.5]})


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """Of all tests: to make one takes MLflow seconds."""
    return tmp_path_factory.mktemp("mlflow") / "mlflow.db"


@pytest.fixture
def evaluate(toy_suite, tmp_path, database, monkeypatch):
    """Evaluate the toy suite, with its configuration changed."""
    from fiber_audit_dashboards.mlflow_evaluator import FiberAuditEvaluator
    from mlflow.models.evaluation.evaluator_registry import _model_evaluation_registry

    _model_evaluation_registry.register("fiber-audit", FiberAuditEvaluator)
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{database}")

    def call(**changes):
        suite = toy_suite("[[conditions]]\nmetric = 'toy_loss'\nmax = 1e-9\n")
        config = {"suite": str(suite), "plugins": [str(TOY)], "set": ["draws=2"], **changes}
        return mlflow.models.evaluate(
            data=DATA,
            predictions="prediction",
            model_type="fiber-audit",
            evaluators="fiber-audit",
            evaluator_config={k: v for k, v in config.items() if v is not None},
        )

    return call


def test_an_evaluation_logs_the_audits_metrics_files_and_verdict(evaluate):
    with mlflow.start_run() as run:
        result = evaluate()

    logged = mlflow.get_run(run.info.run_id).data
    assert "two/gauss/proj/toy_loss.mean" in result.metrics
    assert logged.metrics == pytest.approx(result.metrics, rel=1e-12)
    assert logged.tags["fiber_audit.verdict"] == "fail"
    files = {file.path for file in mlflow.MlflowClient().list_artifacts(run.info.run_id)}
    assert {"report.html", "suite.toml"} <= files


def test_a_misspelt_key_of_the_configuration_is_an_error_with_a_suggestion(evaluate):
    with pytest.raises(ValueError, match="Did you mean 'set'"):
        evaluate(sets=["draws=2"])


def test_without_a_suite_it_evaluates_nothing():
    from fiber_audit_dashboards.mlflow_evaluator import FiberAuditEvaluator

    assert not FiberAuditEvaluator.can_evaluate(model_type="classifier", evaluator_config={})
