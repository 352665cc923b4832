"""Scored audits -> rows of the result table. A cell that failed is one row, without a value."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any

import torch

from .. import __version__
from .._draw.plan import Audit
from .._draw.prepare import Prepared
from .._suite.condition import LOST
from ..loading import state_digest
from ..records import SCHEMA_VERSION
from .cells import Cell, Scored
from .differences import with_differences


def rows_of(
    prepared: Prepared, scored: Iterable[Scored], environment: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """Every statistic of every audit and of their differences, in the suite's order."""
    suite = prepared.plan.suite
    common: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "run_id": environment.get("run_id"),
        "started_at": environment.get("started_at"),
        "suite": suite.name,
        "seed": suite.seed,
        "device": suite.device,
        "dtype": "float32",
        "batch_size": suite.batch_size,
        "git_sha": environment.get("git_sha") or None,
        "git_dirty": environment.get("git_dirty"),
        "torch_version": torch.__version__,
        "fiber_audit_version": __version__,
    }
    for each in with_differences(prepared, [*scored]):
        audit = each.audit
        of_audit = common | {
            "audit": audit.name,
            "extractor": audit.extractor,
            "prior": audit.prior,
            "sampler": audit.sampler,
            "config_hash": _config(prepared, audit),
            "weights_sha256": _weights(prepared, audit),
        }
        for cell in each.cells:
            yield from _cell_rows(prepared, of_audit, cell, each)
        if each.lost is not None:
            cost = each.cells[0].cost if each.cells else {}
            yield of_audit | dict(cost) | {
                "metric": LOST, "axis": "health", "statistic": "mean", "value": float(each.lost),
                "n": each.drawn, "unit": "draws", "better": "lower", "status": "ok",
                "plugin": "fiber-audit", "plugin_version": __version__,
            }  # fmt: skip


def _cell_rows(
    prepared: Prepared, of_audit: Mapping[str, Any], cell: Cell, scored: Scored
) -> Iterator[dict[str, Any]]:
    use = prepared.plan.suite.metrics[cell.metric]
    component = prepared.components.component("metric", use)
    row = {**of_audit, **cell.cost} | {
        "metric": component.name,
        "plugin": component.plugin,
        "plugin_version": component.version or None,
        "status": cell.status,
        "message": cell.message or None,
    }
    if not cell.statistics:
        yield row
        return
    metric = prepared.components.metric(cell.metric)
    lost = (
        f"over the {scored.drawn - (scored.lost or 0)} of {scored.drawn} draws that were not lost"
    )
    for s in cell.statistics:
        told = s.message or (lost if scored.lost and s.query is None else None)
        yield row | {
            "query": s.query, "axis": metric.axis, "statistic": s.name, "seen_by": s.seen_by,
            "value": s.value, "stderr": s.stderr, "ci_low": s.ci_low, "ci_high": s.ci_high,
            "n": s.n, "unit": metric.unit if s.unit is None else s.unit,
            "better": metric.better or None,
            "status": "ok" if s.value is not None else "skipped", "message": told,
        }  # fmt: skip


def _config(prepared: Prepared, audit: Audit) -> str:
    """Hash of what an audit computes: its components and options, data, target and seed.

    Neither how many queries or draws, nor weights, code or versions: those have their own columns.
    """
    suite = prepared.plan.suite
    data = {k: v for k, v in suite.queries.model_dump(mode="json").items() if k != "n"}
    uses = [suite.extractors[audit.extractor], suite.priors[audit.prior]]
    uses.append(suite.samplers[audit.sampler])
    what = [suite.seed, suite.target, data, *(use.model_dump(mode="json") for use in uses)]
    return sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]


def _weights(prepared: Prepared, audit: Audit) -> str | None:
    """One digest of all weights behind an audit: the extractor's and the prior's, as declared.

    Where a component declares none, its parameters as they are stand in.
    """
    if audit.name not in prepared.identity:  # one could not be made: the row says so
        return None
    components = prepared.components
    parts = [
        made.weights_sha256 or state_digest(made.network)
        for made in (components.extractor(audit.extractor), components.prior(audit.prior))
    ]
    return sha256("".join(parts).encode()).hexdigest() if any(parts) else None
