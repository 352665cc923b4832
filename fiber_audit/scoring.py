"""Draws of an audit -> measurements -> rows of the result table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from . import __version__
from .components import Components
from .context import Context
from .contracts import Draws, Measurement
from .errors import DivergedError, WeightsError
from .plan import Audit, Unit, references
from .records import SCHEMA_VERSION
from .store import Arrays, Store
from .suite import Suite

if TYPE_CHECKING:
    from .report.gallery import Gallery

COSTS = ("prior_forward", "prior_backward", "extractor_forward", "extractor_backward", "seconds")


@dataclass(frozen=True)
class Cell:
    """One audit x metric: its measurements, or why there are none."""

    audit: Audit
    metric: int
    measurements: Sequence[Measurement] = ()
    status: str = "ok"
    message: str = ""
    cost: Mapping[str, float] = field(default_factory=dict)
    gallery: Gallery | None = None


def failed_cells(
    components: Components, audit: Audit, status: str, message: str, cost: Mapping[str, float] = {}
) -> list[Cell]:
    """A cell per metric, all with the same status and message."""
    return [Cell(audit, i, (), status, message, cost) for i in range(len(components.suite.metrics))]


def cells(
    components: Components, store: Store, audit: Audit, plan: Mapping[Audit, Sequence[Unit]]
) -> list[Cell]:
    """Measure one audit whose units are all on disk, metric by metric."""
    reference = references([audit])[0]
    drawn = store.load(audit, plan[audit])
    null = store.load(reference, plan[reference])
    if drawn is None or null is None:
        return failed_cells(components, audit, "error", "draws are missing from the run directory")
    cost = {name: float(np.mean(drawn[f"cost.{name}"])) for name in COSTS}
    lost = int((~drawn["finite"]).sum() + (~null["finite"]).sum())
    if lost:
        error = DivergedError(
            f"{lost} of {len(drawn['finite'])} draws left the finite numbers; "
            f"weaken the guidance of sampler {audit.sampler!r} or raise its steps, "
            f"unless features of extractor {audit.extractor!r} are not finite themselves"
        )
        return failed_cells(components, audit, "error", str(error), cost)
    context = _context(components, audit, drawn, null)
    picture = _gallery(components, context)
    count = len(components.suite.metrics)
    return [_measured(components, context, audit, i, cost, picture) for i in range(count)]


def gallery(
    components: Components, store: Store, audit: Audit, plan: Mapping[Audit, Sequence[Unit]]
) -> Gallery | None:
    """The pictures of one audit, or None if its draws are not there or not finite."""
    reference = references([audit])[0]
    if audit not in plan or reference not in plan:
        return None
    drawn, null = store.load(audit, plan[audit]), store.load(reference, plan[reference])
    if drawn is None or null is None or not (drawn["finite"].all() and null["finite"].all()):
        return None
    return _gallery(components, _context(components, audit, drawn, null))


def _context(components: Components, audit: Audit, drawn: Arrays, null: Arrays) -> Context:
    tensor = torch.from_numpy
    diagnostics = {
        key.removeprefix("diagnostic."): tensor(value)
        for key, value in drawn.items()
        if key.startswith("diagnostic.")
    }
    data = tensor(drawn["data"])
    draws = Draws(data, data, tensor(drawn["finite"]), tensor(drawn["path"]), diagnostics)
    return Context(
        audit=audit.name,
        extractor_name=audit.extractor,
        prior_name=audit.prior,
        sampler_name=audit.sampler,
        extractor=components.extractor(audit.extractor),
        prior=components.prior(audit.prior),
        dataset=components.dataset,
        queries=components.queries,
        targets=components.targets(audit.extractor, audit.prior),
        draws=draws,
        unguided=tensor(null["data"]),
        seed=components.suite.seed,
        batch_size=components.suite.batch_size,
        named_extractor=components.named_extractor,
    )


def _measured(
    components: Components,
    context: Context,
    audit: Audit,
    index: int,
    cost: Mapping[str, float],
    picture: Gallery,
) -> Cell:
    name = components.suite.metrics[index].use
    try:
        found = tuple(components.metric(index).measure(context))
        bad = [m.statistic for m in found if m.value is not None and not np.isfinite(m.value)]
        if bad:
            raise ArithmeticError(f"statistic {bad[0]!r} is not finite")
    except WeightsError as error:
        return Cell(audit, index, (), "skipped", str(error), cost, picture)
    except Exception as error:  # plugins may raise anything; one cell pays for it
        message = f"{name}: {type(error).__name__}: {error}"
        return Cell(audit, index, (), "error", message, cost, picture)
    return Cell(audit, index, found, cost=cost, gallery=picture)


def _gallery(components: Components, context: Context) -> Gallery:
    from .report.gallery import gallery_of

    return gallery_of(context, suspected=_suspected(components, context))


def _suspected(components: Components, context: Context) -> list[torch.Tensor]:
    """What the suite's metrics suspect; one that cannot say has its reason in its own cell."""
    found = []
    for index in range(len(components.suite.metrics)):
        try:
            flags = components.metric(index).suspicious(context)
        except Exception:  # plugins may raise anything; a flag is not worth an audit
            continue
        if flags is not None:
            found.append(flags)
    return found


def rows_of(
    components: Components, store: Store, scored: Sequence[Cell]
) -> Iterator[dict[str, Any]]:
    """Cells -> rows of the schema. A cell that failed is one row, without a value."""
    known = store.environment()
    suite = components.suite
    common: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "run_id": store.path.name,
        "started_at": known.get("started_at"),
        "suite": suite.name,
        "seed": suite.seed,
        "device": suite.device,
        "dtype": "float32",
        "batch_size": suite.batch_size,
        "git_sha": known.get("git_sha") or None,
        "git_dirty": known.get("git_dirty"),
        "torch_version": torch.__version__,
        "fiber_audit_version": __version__,
    }
    for cell in scored:
        use = suite.metrics[cell.metric].use
        component = components.catalogue.find("metric", use)
        row = common | dict(cell.cost) | {
            "audit": cell.audit.name,
            "extractor": cell.audit.extractor,
            "prior": cell.audit.prior,
            "sampler": cell.audit.sampler,
            "plugin": component.plugin,
            "plugin_version": component.version or None,
            "config_hash": config_hash(suite, cell.audit),
            "weights_sha256": _digest_of(components, cell.audit),
            "status": cell.status,
            "message": cell.message or None,
        }  # fmt: skip
        if not cell.measurements:
            yield row | {"metric": component.name, "axis": None, "statistic": None}
        for m in cell.measurements:
            yield row | {
                "query": m.query, "metric": m.metric, "axis": m.axis, "statistic": m.statistic,
                "value": m.value, "stderr": m.stderr, "ci_low": m.ci_low, "ci_high": m.ci_high,
                "n": m.n, "unit": m.unit, "better": m.better or None,
                "status": "ok" if m.value is not None else "skipped",
                "message": m.message or None,
            }  # fmt: skip


def _digest_of(components: Components, audit: Audit) -> str | None:
    """One digest of all weights behind an audit: the extractor's and the prior's."""
    try:
        parts = [
            components.extractor(audit.extractor).weights_sha256,
            components.prior(audit.prior).weights_sha256,
        ]
    except Exception:  # one could not be made: the row says so in its status
        return None
    return sha256("".join(parts).encode()).hexdigest() if any(parts) else None


def config_hash(suite: Suite, audit: Audit) -> str:
    """Hash of what an audit computes: its components, data, target and seed, not how many."""
    data = {k: v for k, v in suite.queries.model_dump(mode="json").items() if k != "n"}
    uses = [suite.extractors[audit.extractor], suite.priors[audit.prior]]
    uses += [suite.samplers[audit.sampler]]
    what = [suite.seed, suite.target, data, *(use.model_dump(mode="json") for use in uses)]
    return sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]
