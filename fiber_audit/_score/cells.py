"""What was observed of an audit -> statistics, metric by metric; one that fails costs its cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._draw.draw import Drawing
from .._draw.observed import FEATURES, MANY, Observed
from .._draw.plan import HOST, PICTURES, Audit
from .._draw.prepare import Prepared
from .._draw.rows import COSTS
from .._suite.guest import guest
from ..contracts import Metric, Part, Statistic
from ..contracts.observations import Observations
from ..errors import DivergedError, PluginError, WeightsError, reason_of
from ..measuring.layout import laid_out
from .checked import checked
from .gallery import Gallery, gallery_of

Array = NDArray[Any]


@dataclass(frozen=True)
class Cell:
    """One audit x metric: its statistics, or why there are none. cost: means per draw."""

    audit: Audit
    metric: int
    statistics: Sequence[Statistic] = ()
    status: str = "ok"
    message: str = ""
    cost: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Scored:
    """One audit: a cell per metric, how many draws were lost of how many, and its pictures."""

    audit: Audit
    cells: Sequence[Cell]
    lost: int | None = None
    drawn: int = 0
    gallery: Gallery | None = None

    @property
    def failed(self) -> int:
        """Cells with status error."""
        return sum(cell.status == "error" for cell in self.cells)


def failed(prepared: Prepared, audit: Audit, status: str, message: str) -> Scored:
    """A cell per metric, all with the same status and message."""
    count = len(prepared.plan.suite.metrics)
    return Scored(audit, [Cell(audit, i, (), status, message) for i in range(count)])


def score(prepared: Prepared, audit: Audit, observed: Observed, drawing: Drawing) -> Scored:
    """Summarise one audit of which everything has been observed."""
    host, k = observed.of(HOST), prepared.plan.per_query
    lost = ~host["draws", "finite"].reshape(-1, k)
    gone = ~host["unguided", "finite"].reshape(-1, k)
    cost = {name: float(np.mean(host["draws", f"cost.{name}"])) for name in COSTS}
    count = len(prepared.plan.suite.metrics)
    if lost.all() or gone.all():
        error = DivergedError(_diverged(audit, int(lost.sum()), lost.size, bool(gone.all())))
        cells = [Cell(audit, i, (), "error", str(error), cost) for i in range(count)]
        return Scored(audit, cells, int(lost.sum()), lost.size)
    scene = _Audit(prepared, audit, observed, drawing, lost, gone)
    cells = [_cell(scene, i, cost) for i in range(count)]
    return Scored(audit, cells, int(lost.sum()), lost.size, _gallery(scene))


@dataclass(eq=False)
class _Audit:
    """One audit as metrics are given it."""

    prepared: Prepared
    audit: Audit
    observed: Observed
    drawing: Drawing
    lost: Array
    gone: Array
    shared: dict[str, Array] = field(default_factory=dict)

    def why_not(self, metric: int) -> tuple[str, str] | None:
        """(status, message) of a metric that cannot be asked, or None."""
        if why := self.prepared.unmade.get(metric):
            return why
        (own,) = [look for look in self.prepared.looks(self.audit) if look.metric == metric]
        if why := self.drawing.blind.get((self.audit.name, own.owner)):
            return why
        if wrong := self.observed.faulty.get(own.owner):
            return "error", f"{self.prepared.components.suite.metrics[metric].use}: {wrong}."
        return None

    def seen(self, metric: int | None) -> Observations:
        """What one metric may look at; None sees the queries only."""
        components, inputs = self.prepared.components, self.prepared.inputs
        looks, prior = self.prepared.looks(self.audit), components.prior(self.audit.prior)
        own = [] if metric is None else [look.owner for look in looks if look.metric == metric]
        needed: set[tuple[Part, str]] = {("queries", "")}
        if metric is not None:
            wholes = components.metric(metric).needs.whole.items()
            needed |= {(part, name) for part, names in wholes for name in names}
        whole: dict[tuple[Part, str], Array] = {}
        absent: dict[str, Exception] = {}
        for look in looks:
            if look.metric is not None or (look.part, look.extractor) not in needed:
                continue
            if why := self.drawing.blind.get((self.audit.name, look.owner)):
                kind = WeightsError if why[0] == "skipped" else PluginError
                absent[look.extractor] = kind(why[1])
            elif (found := self.observed.of(look.owner).get((look.part, FEATURES))) is not None:
                whole[look.part, look.extractor] = self.arranged(look.part, found)
        host = self.observed.of(HOST)
        labels = components.dataset.labels
        return Observations(
            audit=self.audit.name,
            extractor=self.audit.extractor,
            prior=self.audit.prior,
            sampler=self.audit.sampler,
            ids=inputs.ids,
            labels=None if labels is None else labels.cpu().numpy(),
            per_query=self.prepared.plan.per_query,
            targets=host["queries", "targets"],
            lost=self.lost,
            lossless=prior.lossless,
            data_range=prior.data_range,
            seed=components.suite.seed,
            observed={
                (part, name): self.arranged(part, x)
                for owner in own
                for (part, name), x in self.observed.of(owner).items()
            },
            whole=whole,
            absent=absent,
            reported={
                name.removeprefix("diagnostic."): self.arranged(part, x)
                for (part, name), x in host.items()
                if name.startswith("diagnostic.")
            },
            shared=self.shared,
        )

    def arranged(self, part: Part, rows: Array) -> Array:
        """Rows as `Observations` has them."""
        if part not in MANY:
            return rows
        return laid_out(
            rows, self.prepared.plan.per_query, self.lost if part == "draws" else self.gone
        )


def _cell(scene: _Audit, index: int, cost: Mapping[str, float]) -> Cell:
    components, audit = scene.prepared.components, scene.audit
    name = components.suite.metrics[index].use
    if why := scene.why_not(index):
        return Cell(audit, index, (), *why, cost)
    try:
        with guest():
            metric = components.metric(index)
            found = checked(metric, metric.summarise(scene.seen(index)))
    except WeightsError as error:
        return Cell(audit, index, (), "skipped", str(error), cost)
    except (Exception, SystemExit) as error:  # plugins may raise anything; one cell pays for it
        return Cell(audit, index, (), "error", f"{name}: {reason_of(error)}", cost)
    return Cell(audit, index, found, cost=cost)


def _gallery(scene: _Audit) -> Gallery | None:
    pictures, host = scene.observed.of(PICTURES), scene.observed.of(HOST)
    if ("queries", "data") not in pictures:
        return None
    ids, k = scene.prepared.inputs.ids, scene.prepared.plan.per_query
    q = len(pictures["queries", "data"])
    clamped = host.get(("draws", "diagnostic.saturation"))
    return gallery_of(
        scene.audit.name,
        ids[:q],
        _floats(pictures["queries", "data"]),
        laid_out(_floats(pictures["draws", "data"]), k, scene.lost[:q]),
        laid_out(_floats(pictures["unguided", "data"]), k, scene.gone[:q]),
        host["draws", "fiber_loss"].reshape(-1, k)[:q],
        _null(scene),
        None if clamped is None else clamped.reshape(-1, k)[:q],
        _suspected(scene),
        scene.lost[:q],
        len(ids),
    )


def _null(scene: _Audit) -> Array:
    """Empty where the queries have no features."""
    try:
        with guest():
            return scene.seen(None).null
    except (Exception, SystemExit):  # an extractor that cannot look says so in the cells
        return np.zeros(0)


def _suspected(scene: _Audit) -> dict[str, Array]:
    """By name of the metrics that have an opinion, (q, k); one that cannot say is not believed."""
    found: dict[str, Array] = {}
    for index, chosen in enumerate(scene.prepared.plan.suite.metrics):
        if scene.why_not(index):
            continue
        metric = scene.prepared.components.metric(index)
        if type(metric).suspicious is Metric.suspicious:  # no opinion, and none to be made up
            continue
        try:
            with guest():
                flags = metric.suspicious(scene.seen(index))
            if flags is not None and np.shape(flags) == scene.lost.shape:
                found[chosen.use] = np.asarray(flags, bool) | found.get(chosen.use, False)
        except (Exception, SystemExit):  # plugins may raise anything
            continue
    return found


def _floats(data: Array) -> Array:
    return data.astype(np.float32) / 255 if data.dtype == np.uint8 else data


def _diverged(audit: Audit, lost: int, drawn: int, unguided: bool) -> str:
    if unguided:
        return f"all unguided draws of prior {audit.prior!r} left the finite numbers"
    return (
        f"{lost} of {drawn} draws left the finite numbers; weaken the guidance of sampler "
        f"{audit.sampler!r} or raise its steps, unless features of extractor {audit.extractor!r} "
        f"are not finite themselves"
    )
