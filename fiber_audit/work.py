"""One block of draws, computed wherever an executor put it; it rebuilds what it needs."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch

from .components import Components
from .contracts import Draws, Problem
from .errors import FiberAuditError, WeightsError
from .meter import Meter
from .plan import Block
from .plugins import Catalogue
from .rng import Noise
from .sampling import finish, unguided
from .store import Store
from .suite import parse


@dataclass(frozen=True)
class Outcome:
    """What became of a block: the status is ok, error or skipped; a message for the last two."""

    audit: str
    draws: int
    status: str = "ok"
    message: str = ""
    trace: str = ""


@dataclass(frozen=True)
class Work:
    """Callable on blocks; equal works share their components within a process."""

    suite_json: str
    run: Path
    disabled: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    autoload: bool | None = None

    def __call__(self, block: Block) -> Outcome:
        """Draw, and leave the draws in the run directory; an error costs this block only."""
        try:
            components = _components(self)
            with Meter(*_parts(components, block)) as cost:
                draws = _draw(components, block)
            Store(self.run).save(block, draws, cost)
        except WeightsError as error:
            return Outcome(block.audit.name, 0, "skipped", str(error))
        except FiberAuditError as error:
            return Outcome(block.audit.name, 0, "error", str(error))
        except Exception as error:  # plugins may raise anything; one cell pays for it
            message = f"{type(error).__name__}: {error}"
            return Outcome(block.audit.name, 0, "error", message, traceback.format_exc())
        return Outcome(block.audit.name, len(block.units))


@cache
def _components(work: Work) -> Components:
    import json

    catalogue = Catalogue.load(work.disabled, work.extra, work.autoload)
    return Components(parse(json.loads(work.suite_json), catalogue), catalogue)


def _parts(components: Components, block: Block) -> tuple[Any, Any]:
    audit = block.audit
    extractor = components.extractor(audit.extractor) if audit.guided else None
    return components.prior(audit.prior), extractor


def _draw(components: Components, block: Block) -> Draws:
    suite, audit = components.suite, block.audit
    prior = components.prior(audit.prior)
    noise = Noise([unit.seed for unit in block.units])
    rows = [unit.query for unit in block.units]
    queries = components.queries.data[rows].to(suite.device)
    if not audit.guided:
        nothing = torch.zeros(len(queries), 0)
        null = Problem(None, prior, queries, nothing)  # type: ignore[arg-type]
        return finish(null, unguided(prior, noise, suite.unguided_steps))
    extractor = components.extractor(audit.extractor)
    targets = components.targets(audit.extractor, audit.prior)[rows].to(suite.device)
    sampler = components.sampler(audit.sampler)
    return sampler.sample(Problem(extractor, prior, queries, targets), noise)
