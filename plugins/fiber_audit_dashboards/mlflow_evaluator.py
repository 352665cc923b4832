"""An evaluator for ``mlflow.models.evaluate``: the audit of a suite, logged into the run there.

    mlflow.models.evaluate(
        data=frame, predictions="prediction", model_type="fiber-audit",
        evaluators="fiber-audit", evaluator_config={"suite": "audit.toml"},
    )

MLflow finds it by the entry point ``mlflow.model_evaluator``; nothing else imports this module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlflow import MlflowClient
from mlflow.models.evaluation import EvaluationResult, ModelEvaluator

import fiber_audit
from fiber_audit import UsageError, suggestion

from .cases import worst
from .mlflow import log_run

KEYS = ("suite", "set", "plugins", "out")


class FiberAuditEvaluator(ModelEvaluator):  # type: ignore[misc]  # MLflow has no types
    """Runs the suite that the configuration names; the model and data that MLflow holds are unused.

    A model of MLflow's has no gradient, so what is audited is the suite's extractors.

    Configuration: suite (a .toml file or a shipped name, required); set, a list of overrides
    ``path=value``; plugins, a list of modules or .py files to load; out, the run directory.
    """

    @classmethod
    def can_evaluate(
        cls, *, model_type: str, evaluator_config: Mapping[str, Any], **kwargs: Any
    ) -> bool:
        """Whether the configuration names a suite."""
        return "suite" in (evaluator_config or {})

    def evaluate(
        self,
        *,
        model_type: str,
        dataset: Any,
        run_id: str,
        evaluator_config: Mapping[str, Any],
        model: Any = None,
        extra_metrics: Sequence[Any] | None = None,
        custom_artifacts: Sequence[Any] | None = None,
        predictions: str | None = None,
        **kwargs: Any,
    ) -> EvaluationResult:
        """Run the suite and log it; the tag ``fiber_audit.verdict`` has the worst verdict.

        Raises:
            UsageError: the configuration or the suite is wrong.
        """
        for key in evaluator_config:
            if key not in KEYS:
                raise UsageError(f"evaluator_config.{key}: no such key. {suggestion(key, KEYS)}")
        done = fiber_audit.run(
            str(evaluator_config["suite"]),
            settings=evaluator_config.get("set", ()),
            plugins=evaluator_config.get("plugins", ()),
            out=evaluator_config.get("out"),
        )
        client = MlflowClient()
        metrics = log_run(client, run_id, done.records, done.path)
        if done.verdicts:
            verdict = worst(verdict.status for verdict in done.verdicts)
            client.set_tag(run_id, "fiber_audit.verdict", verdict)
        return EvaluationResult(metrics=metrics, artifacts={})
