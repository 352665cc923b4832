"""Components as a suite uses them: made with its options, tried on its queries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from ..errors import WeightsError, reason_of
from .stdout import libraries_on_stderr

if TYPE_CHECKING:
    from torch import Tensor

    from .._suite.catalogue import Catalogue
    from .._suite.suite import Suite
    from ..check import Violation
    from ..contracts import Dataset

SOME, MANY = 16, 256
"""Queries that priors are tried on: images, and rows of tables, each of which tells less."""
FEW = 4
"""Queries that extractors are tried on."""
BLIND = "whether it denoises cannot be known without data: check a suite that names it."


@dataclass(frozen=True)
class Row:
    """What was found of one component; status is kept, violated or skipped."""

    component: str
    status: str
    violations: list[dict[str, str]]
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """For JSON; a note only where there is one."""
        return {name: value for name, value in asdict(self).items() if name != "note" or value}


def judged(label: str, found: list[Violation], note: str = "") -> Row:
    """A row of what a check found; without weights nothing was checked."""
    from ..check import WEIGHTS

    missing = any(violation.name == WEIGHTS for violation in found)
    status = "skipped" if missing else "violated" if found else "kept"
    return Row(label, status, [asdict(violation) for violation in found], note)


def of_suite(
    catalogue: Catalogue, name: str, settings: Sequence[str]
) -> Iterator[Callable[[], Row]]:
    """A look at each component that a suite names; its queries are first."""
    from .._suite.read import GROUPS, read

    with libraries_on_stderr():
        suite = read(name, catalogue, settings)
        from .._draw.prepare import check_device  # torch from here on

        check_device(suite.device)
    kept: list[Tensor] = []
    yield lambda: _queries(suite, catalogue, kept)
    for group, kind in GROUPS.items():
        for key in getattr(suite, group):
            yield partial(_used, suite, catalogue, f"{group}.{key}", kind, key, kept)
    for i, use in enumerate(suite.metrics):
        yield partial(_used, suite, catalogue, f"metrics[{i}] {use.use}", "metric", i, kept)


def _queries(suite: Suite, catalogue: Catalogue, kept: list[Tensor]) -> Row:
    """The dataset; `kept` receives some queries if it keeps its contract."""
    from .._suite.components import Components
    from ..check import WEIGHTS, Violation, check_dataset

    try:
        dataset = Components(suite, catalogue).dataset
    except WeightsError as error:  # of a library, say
        return judged("queries", [Violation(WEIGHTS, str(error))])
    except (Exception, SystemExit) as error:  # plugins may raise anything
        return judged("queries", [Violation("make", reason_of(error))])
    found = check_dataset(dataset)
    if not found:
        kept.append(_some(dataset))
    return judged("queries", found)


def _some(dataset: Dataset) -> Tensor:
    """Queries from all of it, since the first may be alike."""
    count = MANY if len(dataset.data_shape) == 1 else SOME
    step = max(1, len(dataset) // count)
    return dataset.load(range(0, len(dataset), step)[:count])


def _used(
    suite: Suite,
    catalogue: Catalogue,
    label: str,
    kind: str,
    key: str | int,
    kept: list[Tensor],
) -> Row:
    """One component, alone in memory."""
    from .._suite.components import Components
    from ..check import WEIGHTS, Violation, check_made

    def anew() -> object:
        return getattr(Components(suite, catalogue), kind)(key)

    try:
        made = anew()
    except WeightsError as error:
        return judged(label, [Violation(WEIGHTS, str(error))])
    except (Exception, SystemExit) as error:  # plugins may raise anything; it is what we look for
        return judged(label, [Violation("make", reason_of(error))])
    data = kept[0] if kept else None
    if data is not None and kind == "extractor":
        data = data[:FEW]
    note = BLIND if kind == "prior" and data is None else ""
    return judged(label, check_made(kind, made, data, anew), note)
