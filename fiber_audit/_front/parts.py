"""What a user hands over, as the tables of a suite: objects, names, tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .._draw.inputs import loaded
from .._suite import options
from .._suite.condition import LOST
from ..check.first_block import queries_problems
from ..contracts import Dataset, Metric
from ..errors import DataError, FiberAuditError, PluginError, SuiteError, UsageError
from .content import content
from .here import Here
from .queries import Excerpt, GivenRows, dataset_of
from .wrapped import copied, extractor_of, fingerprint

if TYPE_CHECKING:
    from torch import Tensor

PROBED = 4
"""Queries that a network is tried on."""
Named = str | Mapping[str, Any]
"""A component by name, or by a table like a suite's: ``{"use": "ndtm", "guidance": 5.0}``."""


def queries_of(here: Here, given: object, labels: object, n: int | None) -> dict[str, Any]:
    """The table of a suite; a dataset by name is made here only where it gets other labels."""
    if not isinstance(given, str | Mapping):
        return _rows(here, dataset_of(given, labels, n))
    table = table_of("queries", given) | ({} if n is None else {"n": n})
    return table if labels is None else _rows(here, Excerpt(made_of(here, table), labels))


def _rows(here: Here, dataset: GivenRows | Excerpt) -> dict[str, Any]:
    label = f"queries-{len(dataset)}-{dataset.digest()[:12]}"
    return {"use": here.offer("dataset", label, dataset)}


def made_of(here: Here, queries: Mapping[str, Any]) -> Dataset:
    """The dataset that a table names.

    Raises:
        SuiteError: it does not exist, or an option is wrong.
    """
    factory = here.catalogue.find("dataset", queries["use"]).factory
    given = {key: value for key, value in queries.items() if key != "use"}
    if problems := options.problems_of(factory, given, "queries"):
        raise SuiteError(problems)
    try:
        made = factory(**options.validated(factory, given))
    except FiberAuditError:
        raise
    except (Exception, SystemExit) as error:  # plugins may raise anything
        told = f"{type(error).__name__}: {error}"
        raise PluginError(f"queries: {queries['use']!r} could not be made ({told}).") from error
    if not isinstance(made, Dataset):
        raise PluginError(f"queries: {queries['use']!r} made a {type(made).__name__}, no Dataset.")
    return made


def extractors_of(
    here: Here, given: object, dataset: Callable[[], Dataset]
) -> dict[str, dict[str, Any]]:
    """By the user's keys; a single one by its own name, or else as "network".

    dataset: of the queries, made only where a network has to be tried on some.
    """
    if isinstance(given, str | Mapping) and (isinstance(given, str) or "use" in given):
        table = table_of("extractor", given)
        return {called(table): table}
    several = given if isinstance(given, Mapping) else {"network": given}
    x: Tensor | None = None
    found: dict[str, dict[str, Any]] = {}
    for key, each in several.items():
        if str(key) in found:
            raise UsageError(f"extractor: two are called {str(key)!r}; give each its own name.")
        if isinstance(each, str | Mapping):
            found[str(key)] = table_of(f"extractors.{key}", each)
            continue
        x = some_of(dataset()) if x is None else x
        made = extractor_of(each, x)
        label = f"{key}-{fingerprint(made, x)[:12]}"
        found[str(key)] = {"use": here.offer("extractor", label, made)}
    return found


def some_of(dataset: Dataset) -> Tensor:
    """A few queries to try networks on, checked."""
    rows = list(range(min(PROBED, len(dataset))))
    if not rows:
        raise DataError("queries: the dataset is empty; give it at least one input.")
    x = loaded(dataset, rows)
    wrong = queries_problems(x, [dataset.ids[i] for i in rows], 0, tuple(dataset.data_shape))
    if wrong:
        raise UsageError(wrong)
    return x


def component_of(here: Here, kind: str, given: object, contract: type[Any]) -> dict[str, Any]:
    """The table of one prior, sampler or metric.

    Raises:
        UsageError: it does not keep the contract of its kind, or its table names none.
    """
    if isinstance(given, str | Mapping):
        return table_of(kind, given)
    if not isinstance(given, contract):
        raise UsageError(
            f"{kind}: a {type(given).__name__} is none; give a fiber_audit.contracts."
            f"{contract.__name__}, a name or a table."
        )
    made = copied(given) if kind == "prior" else given  # a prior is frozen, and may be moved
    return {"use": here.offer(kind, called(given), made, content(given))}


def table_of(where: str, given: Named) -> dict[str, Any]:
    """The table of a component by name or by a table.

    Raises:
        UsageError: it names none.
    """
    table = {"use": given} if isinstance(given, str) else dict(given)
    if not isinstance(table.get("use"), str):
        raise UsageError(f'{where}: the table {table!r} names no component; add use = "...".')
    return table


def called(given: object) -> str:
    """A short name for a component."""
    if isinstance(given, Mapping):
        given = given["use"]
    return given.rpartition("/")[2] if isinstance(given, str) else type(given).__name__.lower()


def several_of(metrics: object) -> Sequence[Any]:
    """A list of metrics; one alone is a list of one."""
    if isinstance(metrics, str | Mapping | Metric):
        return [metrics]
    if not isinstance(metrics, Iterable):
        raise UsageError(f"metrics: a {type(metrics).__name__} is no list; give a list of names.")
    return list(metrics)


def taken_by(metrics: Sequence[Any]) -> list[str]:
    """The names in the records that an object handed over must not get."""
    named = [m for m in metrics if isinstance(m, str) or (isinstance(m, Mapping) and "use" in m)]
    return [LOST, *(called(table_of("metric", each)) for each in named)]
