"""One block of draws, computed wherever an executor put it; it rebuilds what it needs."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from functools import cache
from pathlib import Path

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
            problem = _problem(components, block)  # targets are not a cost of the draws
            with Meter(problem.prior, problem.extractor) as cost:
                draws = _draw(components, block, problem)
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


def _problem(components: Components, block: Block) -> Problem:
    suite, audit = components.suite, block.audit
    rows = [unit.query for unit in block.units]
    prior = components.prior(audit.prior)
    queries = components.queries.data[rows].to(suite.device)
    if not audit.guided:
        nothing = queries.new_zeros(len(queries), 0)
        return Problem(None, prior, queries, nothing)  # type: ignore[arg-type]
    targets = components.targets(audit.extractor, audit.prior)[rows].to(suite.device)
    return Problem(components.extractor(audit.extractor), prior, queries, targets)


def _draw(components: Components, block: Block, problem: Problem) -> Draws:
    noise = Noise([unit.seed for unit in block.units])
    if not block.audit.guided:
        return finish(problem, unguided(problem.prior, noise, components.suite.unguided_steps))
    return components.sampler(block.audit.sampler).sample(problem, noise)
