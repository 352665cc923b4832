"""Audit a network in one call, or run a suite from Python."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import _run
from .._suite.catalogue import Catalogue
from .._suite.condition import Condition
from .._suite.read import parse, read
from .._suite.suite import Suite
from ..contracts import Attribute, Metric, Prior, Sampler
from ..errors import UsageError
from .attributes import attributes_of, usual
from .here import Here
from .parts import (
    Named,
    called,
    component_of,
    extractors_of,
    made_of,
    queries_of,
    several_of,
    some_of,
    taken_by,
)
from .result import Result

if TYPE_CHECKING:
    from torch import Tensor


def audit(
    extractor: object,
    *,
    prior: Prior | Named,
    queries: object,
    sampler: Sampler | Named | None = None,
    metrics: Sequence[Metric | Named] | None = None,
    attributes: Mapping[str, Attribute | Callable[[Tensor], Tensor] | Named] | None = None,
    draws: int = 4,
    labels: object = None,
    n: int | None = None,
    conditions: Sequence[Condition | Mapping[str, Any]] = (),
    name: str = "audit",
    seed: int = 0,
    batch_size: int = 64,
    device: str = "cpu",
    out: str | Path | None = None,
    plugins: Sequence[str] = (),
    progress: bool = False,
) -> Result:
    """What can a network not tell apart? Draws from its fibers, measured and shown.

    Args:
        extractor: a torch module in eval mode, a function, an Extractor, the name of one, or a dict
            of several by names of your own. It takes queries as they are and returns a row of
            features each, which are flattened. A network is copied, never changed; a function is
            called as it is, with whatever it closes over.
        prior: a generative model of your data: a Prior, a name, or a table with options.
        queries: inputs to audit, (n, c, h, w) float32 in [0, 1] or (n, columns): a tensor, an
            array, a torch Dataset of such rows (with labels or without), a Dataset, a name or a
            table.
        sampler: how to draw; by default the one of `fiber_audit/_front/defaults.toml`.
        metrics: what to measure, objects under the name of their class in lower case; by
            default fidelity, diversity and health.
        attributes: what has a name in your inputs, for the attribute invariance index: by names of
            your own functions (n, ...) -> (n,), integers for classes, or Attributes, names, tables.
            By default colour, contrast, fineness, position and side of images, the columns of
            tables; none where `metrics` are given.
        draws: per query.
        labels: (n,) class of each query, for metrics that ask for it; in place of the data set's.
        n: take only the first n queries, and their labels.
        conditions: Conditions, or tables like those of a suite, for `Result.passed`.
        name: of the run.
        seed: root of all randomness.
        batch_size: draws computed together.
        device: a torch device.
        out: the run directory; by default one of its own for every network, prior and data.
        plugins: modules or .py files to load besides the installed plugins.
        progress: show a bar on stderr.

    Raises:
        UsageError: a component does not keep its contract, or a name or an option is wrong; one
            sentence for each. Nothing is written.
    """
    catalogue = Catalogue.load(extra=plugins)
    wanted = None if metrics is None else several_of(metrics)
    here = Here(catalogue, taken_by(wanted or ()))
    default = tomllib.loads(files(__package__).joinpath("defaults.toml").read_text("utf-8"))
    table: dict[str, Any] = {
        **default,
        "name": name, "seed": seed, "draws": draws, "batch_size": batch_size, "device": device,
        "conditions": [c.table() if isinstance(c, Condition) else c for c in conditions],
    }  # fmt: skip
    table["queries"] = queries_of(here, queries, labels, n)
    dataset = cache(lambda: made_of(here, table["queries"]))
    table["extractors"] = extractors_of(here, extractor, dataset)
    table["priors"] = {"prior": component_of(here, "prior", prior, Prior)}
    if sampler is not None:
        made = component_of(here, "sampler", sampler, Sampler)
        table["samplers"] = {called(sampler): made}
    if wanted is not None:
        table["metrics"] = [component_of(here, "metric", each, Metric) for each in wanted]
    if wanted is None or attributes is not None:
        chosen = usual(tuple(dataset().data_shape)) if attributes is None else attributes
        table["attributes"] = attributes_of(here, chosen, some_of(dataset())) if chosen else {}
        if chosen:
            invariance = {"use": "invariance", "attributes": list(table["attributes"])}
            table["metrics"] = [*table["metrics"], invariance]
    suite = parse(table, catalogue)
    place = here.path(suite) if out is None else Path(out)
    return _finished(suite, catalogue, _run.Options(out=place), progress)


def run(
    suite: str | Path | Suite | Mapping[str, Any],
    *,
    out: str | Path | None = None,
    settings: Sequence[str] = (),
    plugins: Sequence[str] = (),
    progress: bool = False,
) -> Result:
    """Run a suite, or what is missing of it: a .toml file, a shipped name, a Suite or a dict.

    settings are ``path=value`` as of ``--set``; plugins are modules or .py files to load besides.

    Raises:
        SuiteError: carries every problem of the suite.
    """
    catalogue = Catalogue.load(extra=plugins)
    resolved = _resolved(suite, catalogue, settings)
    return _finished(resolved, catalogue, _run.Options(out=Path(out) if out else None), progress)


def load_suite(
    suite: str | Path | Mapping[str, Any],
    *,
    settings: Sequence[str] = (),
    plugins: Sequence[str] = (),
) -> Suite:
    """Read and check a suite without running it.

    Raises:
        SuiteError: carries every problem.
    """
    return _resolved(suite, Catalogue.load(extra=plugins), settings)


def _resolved(
    suite: str | Path | Suite | Mapping[str, Any], catalogue: Catalogue, settings: Sequence[str]
) -> Suite:
    if isinstance(suite, Suite | Mapping):
        if settings:
            raise UsageError("settings: they belong to a suite's file; change the suite itself.")
        return suite if isinstance(suite, Suite) else parse(suite, catalogue)
    return read(str(suite), catalogue, settings)


def _finished(suite: Suite, catalogue: Catalogue, chosen: _run.Options, progress: bool) -> Result:
    if not progress:
        return Result(_run.run(suite, catalogue, chosen))
    from ..commands.progress import Bar

    with Bar() as bar:
        return Result(_run.run(suite, catalogue, chosen, bar))
