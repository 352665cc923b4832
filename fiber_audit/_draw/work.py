"""One piece of a run, computed wherever an executor put it: draws, and what metrics see of them."""

from __future__ import annotations

import json
import traceback
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from .._suite.catalogue import Loaded
from .._suite.components import Components
from .._suite.guest import guest
from .._suite.read import parse
from ..errors import DiskError, FiberAuditError, UsageError, WeightsError, reason_of
from ..measuring.scene import Scene, observe, whole
from .leak import Leak
from .observed import FEATURES, LOOKED, host_arrays, key_of
from .plan import Look, Piece, Reference
from .prepare import check_device
from .room import Room, out_of_memory
from .rows import DrawnRows, drawn_rows
from .store import Arrays, Store


@dataclass(frozen=True)
class Outcome:
    """What became of a piece: the status is ok, error or skipped; a message for the last two.

    draws counts those that are finished now. blind: owner of a look -> (status, message) of what
    could not be observed.
    """

    drawn: str
    draws: int
    status: str = "ok"
    message: str = ""
    trace: str = ""
    blind: dict[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Work:
    """Callable on pieces. Here it uses the components it is given; elsewhere it makes them once.

    spread: see `Scene`.
    """

    suite_json: str
    run: Path
    loaded: Loaded
    spread: Tensor | None = None
    components: Components | None = None

    def __call__(self, piece: Piece) -> Outcome:
        """Draw and observe, and leave both in the run directory; an error costs this piece only.

        Raises:
            DiskError: the run directory cannot be written; no other piece could be, either.
        """
        outcome = self._outcome(piece)
        _leak(self.run).after_a_piece(piece.drawn.name, Store(self.run))
        return outcome

    def _outcome(self, piece: Piece) -> Outcome:
        name = piece.drawn.name
        try:
            with guest():
                return self._compute(piece)
        except WeightsError as error:
            return Outcome(name, 0, "skipped", str(error))
        except DiskError:
            raise
        except FiberAuditError as error:
            return Outcome(name, 0, "error", str(error))
        except (Exception, SystemExit) as error:  # plugins may raise anything; one cell pays for it
            return Outcome(name, 0, "error", reason_of(error), traceback.format_exc())

    def at(self, run: Path) -> Work:
        """The same work in another run directory."""
        return replace(self, run=run)

    def __reduce__(self) -> tuple[Any, ...]:
        if self.components is not None and any(c.plugin == "here" for c in self._used()):
            raise UsageError(
                "executor.workers: a network or data of this process cannot be sent to another; "
                "use one worker, or offer it as a plugin."
            )
        return elsewhere, (self.suite_json, self.run, self.loaded, self.spread)

    def _used(self) -> list[Any]:
        assert self.components is not None
        suite = self.components.suite
        groups = {"extractor": suite.extractors, "prior": suite.priors, "sampler": suite.samplers}
        uses = [(kind, use) for kind, group in groups.items() for use in group.values()]
        uses += [("dataset", suite.queries), *(("metric", use) for use in suite.metrics)]
        return [self.components.component(kind, use) for kind, use in uses]

    def _compute(self, piece: Piece) -> Outcome:
        components = self.components or _components(self.suite_json, self.loaded)
        store, name, room = Store(self.run), piece.drawn.name, self._room(components)
        draws = room.fit(name, store, partial(drawn_rows, components, store, piece))
        if isinstance(piece.drawn, Reference):
            return Outcome(name, len(piece.units))
        free = room.fit(name, store, partial(drawn_rows, components, store, piece.reference))

        def see(at_once: int) -> tuple[Arrays, dict[str, tuple[str, str]]]:
            scene = self._scene(components, piece, draws, free, at_once)
            return _observed(components, piece, draws, scene)

        arrays, blind = room.fit(name, store, see)
        store.save("observed", piece, piece.units, arrays)
        return Outcome(name, len(piece.units), blind=blind)

    def _room(self, components: Components) -> Room:
        return _room(self.suite_json, self.run, components.suite.batch_size)

    def _scene(
        self,
        components: Components,
        piece: Piece,
        draws: DrawnRows,
        free: DrawnRows,
        at_once: int,
    ) -> Scene:
        assert not isinstance(piece.drawn, Reference)
        suite, dataset = components.suite, components.dataset
        queries = dataset.load(piece.queries).to(suite.device)
        labels = None if dataset.labels is None else dataset.labels[list(piece.queries)]
        return Scene(
            ids=[dataset.ids[q] for q in piece.queries],
            queries=queries,
            labels=None if labels is None else labels.to(suite.device),
            extractor=components.extractor(piece.drawn.extractor),
            prior=components.prior(piece.drawn.prior),
            dataset=dataset,
            named=components.named_extractor,
            target=suite.target,
            draws=draws.data.to(suite.device),
            unguided=free.data.to(suite.device),
            unguided_finite=free.finite,
            diagnostics={name: x.to(suite.device) for name, x in draws.diagnostics.items()},
            spread=self.spread,
            seed=suite.seed,
            batch_size=at_once,
        )


def elsewhere(suite_json: str, run: Path, loaded: Loaded, spread: Tensor | None) -> Work:
    """Work that has come to another process, perhaps of another machine.

    Raises:
        UsageError: it cannot be computed there.
    """
    check_device(json.loads(suite_json)["device"])
    return Work(suite_json, run, loaded, spread)


def _observed(
    components: Components, piece: Piece, draws: DrawnRows, scene: Scene
) -> tuple[Arrays, dict[str, tuple[str, str]]]:
    """What the host and every look see; and owner of a look -> why it sees nothing."""
    arrays: Arrays = {"query": np.array(piece.keys), **host_arrays(scene, piece, draws)}
    blind: dict[str, tuple[str, str]] = {}
    for look in piece.looks:
        try:
            with guest():
                arrays |= _looked(components, scene, look)
        except WeightsError as error:
            blind[look.owner] = ("skipped", str(error))
        except DiskError:
            raise
        except (Exception, SystemExit) as error:  # one metric pays for it
            if scene.batch_size > 1 and out_of_memory(error):
                raise
            named = components.suite.metrics[look.metric].use if look.metric is not None else ""
            told = reason_of(error)
            blind[look.owner] = ("error", f"{named}: {told}" if named else told)
    scene.forget()
    return arrays, blind


def _looked(components: Components, scene: Scene, look: Look) -> Arrays:
    """What one look sees, and a mark that it has looked, for it may see nothing."""
    mark = {key_of(look.owner, "queries", LOOKED): np.ones(len(scene.ids), dtype=bool)}
    if look.metric is None:
        features = whole([(look.part, look.extractor)], scene)
        seen = {(part, FEATURES): x for (part, _), x in features.items()}
    else:
        name = components.suite.metrics[look.metric].use
        seen = observe(components.metric(look.metric), scene, name)
    return mark | {key_of(look.owner, part, array): x.numpy() for (part, array), x in seen.items()}


@lru_cache(maxsize=1)
def _components(suite_json: str, loaded: Loaded) -> Components:
    """Those of another process: made once, for the suite at hand."""
    catalogue = loaded.again()
    return Components(parse(json.loads(suite_json), catalogue), catalogue)


@lru_cache(maxsize=1)
def _room(suite_json: str, run: Path, batch_size: int) -> Room:
    """That of this process, for the run at hand."""
    return Room(batch_size)


@lru_cache(maxsize=1)
def _leak(run: Path) -> Leak:
    """That of this process, for the run at hand."""
    return Leak()
