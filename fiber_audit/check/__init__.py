"""Does a component keep its contract? For plugin authors, and for ``fiber-audit check``.

Each check has a name; what it finds is a Violation, one sentence with the way out. No finding is
no proof: a check tries what has gone wrong before, on a few small inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from ..contracts import Attribute, Dataset, Exporter, Extractor, Metric, Prior, Sampler
from ..errors import UnknownName, WeightsError, suggestion
from .attribute import check_attribute
from .dataset import check_dataset
from .exporter import check_exporter
from .extractor import check_extractor
from .metric import check_metric
from .prior import check_prior, round_trip
from .sampler import check_sampler
from .violation import FAULTS, WEIGHTS, Violation, told

__all__ = [
    "WEIGHTS",
    "Violation",
    "check_attribute",
    "check_component",
    "check_dataset",
    "check_exporter",
    "check_extractor",
    "check_made",
    "check_metric",
    "check_prior",
    "check_sampler",
    "round_trip",
]

CHECKS: dict[str, Callable[..., list[Violation]]] = {
    "extractor": check_extractor,
    "prior": check_prior,
    "sampler": check_sampler,
    "metric": check_metric,
    "attribute": check_attribute,
    "dataset": check_dataset,
    "exporter": check_exporter,
}
CONTRACTS: dict[str, type] = {
    "extractor": Extractor,
    "prior": Prior,
    "sampler": Sampler,
    "metric": Metric,
    "attribute": Attribute,
    "dataset": Dataset,
    "exporter": Exporter,
}


def check_component(
    kind: str, factory: Callable[..., Any], options: Mapping[str, Any] | None = None
) -> list[Violation]:
    """Make a component, with its default options and these, and check it.

    A factory that raises is a violation called "make", or "weights" where they are missing; so is
    one that makes something else.

    Raises:
        UnknownName: there is no check for this kind.
    """
    if kind not in CHECKS:
        raise UnknownName(f"kind {kind!r}: it has no contract check. {suggestion(kind, CHECKS)}")
    contract = CONTRACTS[kind]
    chosen = dict(options or {})
    try:
        made = factory(**chosen)
    except WeightsError as error:
        return [Violation(WEIGHTS, str(error))]
    except FAULTS as error:  # plugins may raise anything; it is what we look for
        return [Violation("make", f"the factory raised {told(error)}")]
    if not isinstance(made, contract):
        message = (
            f"the factory made a {type(made).__name__}; it must be a "
            f"fiber_audit.contracts.{contract.__name__}."
        )
        return [Violation("make", message)]
    return check_made(kind, made, again=lambda: factory(**chosen))


def check_made(
    kind: str, made: Any, data: Tensor | None = None, again: Callable[[], Any] | None = None
) -> list[Violation]:
    """Check a component of a kind that has a check.

    data: some real queries, for extractors and priors. again: makes the same component anew.
    """
    if isinstance(made, Extractor):
        return check_extractor(made, data, again)
    if isinstance(made, Prior):
        return check_prior(made, data)
    return CHECKS[kind](made)
