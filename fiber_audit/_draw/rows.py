"""The draws of one piece: those that are stored, and the rest, drawn now and stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from .._suite.components import Components
from .._suite.guest import guest
from ..check.first_block import sampler_problems
from ..contracts import Draws, Problem
from ..errors import PluginError
from ..measuring.scene import features_of, reconstructed
from ..noise import Noise
from ..sampling import finish, unguided
from .meter import Cost, Meter
from .plan import Audit, Drawn, Piece, Reference, Unit, seeds
from .store import HELD, Arrays, Store

COSTS = tuple(Cost().as_dict())
Precision = Literal["float32", "uint8", "none"]


@dataclass(frozen=True, eq=False)
class DrawnRows:
    """Draws as they are scored: data (n, ...) float32 at the precision kept, finite (n,).

    cost and diagnostics: name -> (n,).
    """

    data: Tensor
    finite: Tensor
    cost: dict[str, Tensor]
    diagnostics: dict[str, Tensor]


def drawn_rows(components: Components, store: Store, piece: Piece, at_once: int) -> DrawnRows:
    """All draws of a piece, in its order. What a damaged file held is drawn again."""
    units = piece.units
    known = store.load(piece.found, piece.of, units)
    missing = [i for i, unit in enumerate(units) if unit not in known]
    if missing:
        kept = components.suite.precision(tuple(components.dataset.data_shape))
        arrays = _draw(components, piece, missing, kept, at_once)
        new = [units[i] for i in missing]
        arrays["query"], arrays["draw"] = (np.array(side) for side in zip(*new, strict=True))
        if keeps(kept, piece.drawn):
            store.save("units", piece, new, arrays)
        known |= {unit: (arrays, row) for row, unit in enumerate(new)}
    return _rows(known, units)


def keeps(kept: Precision, drawn: Drawn) -> bool:
    """Whether draws are stored. A prior's own are cheap: where space is short, they are not."""
    return kept == "float32" or (kept == "uint8" and isinstance(drawn, Audit))


def _rows(known: dict[Unit, tuple[Arrays, int]], units: Sequence[Unit]) -> DrawnRows:
    names = set.intersection(*[set(known[unit][0]) for unit in units]) - HELD
    stacked = {
        name: torch.from_numpy(np.stack([known[u][0][name][known[u][1]] for u in units]))
        for name in sorted(names)
    }
    data = stacked["data"]
    return DrawnRows(
        data.float() / 255 if data.dtype == torch.uint8 else data,
        stacked["finite"],
        {name: stacked[f"cost.{name}"] for name in COSTS},
        {
            n.removeprefix("diagnostic."): x
            for n, x in stacked.items()
            if n.startswith("diagnostic.")
        },
    )


def _draw(
    components: Components, piece: Piece, missing: Sequence[int], kept: Precision, at_once: int
) -> Arrays:
    """Draw some rows of a piece, so many at once -> arrays as they are stored."""
    problem, suite = _problem(components, piece, at_once), components.suite
    noise = seeds(suite, components.dataset.ids, piece.queries)
    own = None
    if isinstance(piece.drawn, Audit):
        audit = piece.drawn
        own = components.learned(audit.extractor, audit.prior, audit.sampler).network
    parts: list[Arrays] = []
    for first in range(0, len(missing), at_once):
        rows = list(missing[first : first + at_once])
        some = problem.select(torch.tensor(rows, device=problem.queries.device))
        with Meter(some.prior, some.extractor, own) as cost:
            draws = _sampled(components, piece, some, Noise([noise[i] for i in rows]))
        wrong = sampler_problems(draws, len(rows), tuple(components.dataset.data_shape))
        if wrong:
            raise PluginError(f"{_who(piece)}: {wrong}")
        parts.append(_arrays(draws, cost, kept))
    names = set.intersection(*map(set, parts))
    return {name: np.concatenate([part[name] for part in parts]) for name in sorted(names)}


def _problem(components: Components, piece: Piece, at_once: int) -> Problem:
    """One row per draw of the piece; targets are not a cost of the draws."""
    suite, drawn = components.suite, piece.drawn
    prior = components.prior(drawn.prior)
    queries = components.dataset.load(piece.queries).to(suite.device)
    if isinstance(drawn, Reference):
        targets, extractor = queries.new_zeros(len(queries), 0), None
    else:
        extractor = components.extractor(drawn.extractor)
        aim = queries
        if suite.target == "reconstruction":
            aim = reconstructed(prior, queries, at_once)
        targets = features_of(extractor, aim, at_once)
    rows = torch.arange(len(queries), device=queries.device).repeat_interleave(suite.draws)
    whole = Problem(extractor, prior, queries, targets)  # type: ignore[arg-type]
    return whole.select(rows)


def _sampled(components: Components, piece: Piece, problem: Problem, noise: Noise) -> Draws:
    if isinstance(piece.drawn, Reference):
        return finish(problem, unguided(problem.prior, noise, components.suite.unguided_steps))
    with guest():  # the prior's own draws, and what is seen of these, are not its affair
        return components.sampler(piece.drawn.sampler).sample(problem, noise)


def _arrays(draws: Draws, cost: Cost, kept: Precision) -> Arrays:
    n, data = len(draws.data), draws.data.float().cpu()
    return {
        "data": ((data * 255).round().to(torch.uint8) if kept == "uint8" else data).numpy(),
        "finite": draws.finite.cpu().numpy(),
        **{f"cost.{name}": np.full(n, value / n) for name, value in cost.as_dict().items()},
        **{f"diagnostic.{k}": v.double().cpu().numpy() for k, v in draws.diagnostics.items()},
    }


def _who(piece: Piece) -> str:
    drawn = piece.drawn
    if isinstance(drawn, Reference):
        return f"prior {drawn.prior!r}"
    return f"sampler {drawn.sampler!r}"
