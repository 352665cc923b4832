"""Audit a network in one call, or run a suite from Python."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import _run
from .._suite.catalogue import Catalogue
from .._suite.identity import digest
from .._suite.read import parse, read
from .._suite.suite import Suite
from ..contracts import Dataset, Metric, Prior, Sampler
from ..errors import UsageError
from .result import Result
from .wrapped import dataset_of, extractor_of, fingerprint, source_of

if TYPE_CHECKING:
    from torch import Tensor

PROBED = 4
Given = str | Mapping[str, Any]
"""A component by name, or by a table like a suite's: ``{"use": "ndtm", "guidance": 5.0}``."""


def audit(
    extractor: object,
    *,
    prior: Prior | Given,
    queries: object,
    sampler: Sampler | Given | None = None,
    metrics: Sequence[Metric | Given] | None = None,
    draws: int = 4,
    labels: object = None,
    n: int | None = None,
    conditions: Sequence[Mapping[str, Any]] = (),
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
            of several by name. It takes queries as they are and returns a row of features each,
            which are flattened. What you give is copied, never changed.
        prior: a generative model of your data: a Prior, a name, or a table with options.
        queries: inputs to audit, (n, c, h, w) float32 in [0, 1] or (n, columns): a tensor, an
            array, a torch Dataset of such rows (with labels or without), a Dataset, a name or a
            table.
        sampler: how to draw; by default the one of `fiber_audit/_front/defaults.toml`.
        metrics: what to measure; by default fidelity, diversity and health.
        draws: per query.
        labels: (n,) class of each query, for metrics that ask for it.
        n: take only the first n queries.
        conditions: tables like those of a suite, for `Result.passed`.
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
    default = tomllib.loads(files(__package__).joinpath("defaults.toml").read_text("utf-8"))
    table: dict[str, Any] = {
        **default,
        "name": name, "seed": seed, "draws": draws, "batch_size": batch_size, "device": device,
        "conditions": [dict(each) for each in conditions],
    }  # fmt: skip
    table["queries"] = _queries(catalogue, queries, labels, n)
    table["extractors"] = _extractors(catalogue, extractor, table["queries"])
    table["priors"] = {"prior": _component(catalogue, "prior", prior, Prior)}
    if sampler is not None:
        table["samplers"] = {_called(sampler): _component(catalogue, "sampler", sampler, Sampler)}
    if metrics is not None:
        table["metrics"] = [_component(catalogue, "metric", each, Metric) for each in metrics]
    suite = parse(table, catalogue)
    return _finished(suite, catalogue, _run.Options(out=Path(out) if out else None), progress)


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


def _finished(suite: Suite, catalogue: Catalogue, options: _run.Options, progress: bool) -> Result:
    if not progress:
        return Result(_run.run(suite, catalogue, options))
    from ..commands.progress import Bar

    with Bar() as bar:
        return Result(_run.run(suite, catalogue, options, bar))


def _queries(catalogue: Catalogue, given: object, labels: object, n: int | None) -> dict[str, Any]:
    if isinstance(given, str | Mapping):
        table = {"use": given} if isinstance(given, str) else dict(given)
        return table | ({} if n is None else {"n": n})
    dataset = dataset_of(given, labels, n)
    return {"use": _offered(catalogue, "dataset", f"queries-{len(dataset)}", dataset)}


def _extractors(
    catalogue: Catalogue, given: object, queries: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    several = given if isinstance(given, Mapping) and "use" not in given else {"network": given}
    found = {}
    for key, each in several.items():
        if isinstance(each, str | Mapping):
            name = each if isinstance(each, str) else key
            found[str(name).rpartition("/")[2]] = _table(each)
            continue
        made = extractor_of(each, _some(catalogue, queries))
        known = fingerprint(made, _some(catalogue, queries))
        found[str(key)] = {"use": _offered(catalogue, "extractor", f"{key}-{known[:12]}", made)}
    return found


def _some(catalogue: Catalogue, queries: Mapping[str, Any]) -> Tensor:
    """A few queries to try a network on, checked."""
    from .._suite import options
    from ..check.first_block import queries_problems

    factory = catalogue.find("dataset", queries["use"]).factory
    given = {key: value for key, value in queries.items() if key != "use"}
    dataset: Dataset = factory(**options.validated(factory, given))
    rows = list(range(min(PROBED, len(dataset))))
    x = dataset.load(rows)
    wrong = queries_problems(x, [dataset.ids[i] for i in rows], 0, tuple(dataset.data_shape))
    if wrong:
        raise UsageError(wrong)
    return x


def _component(
    catalogue: Catalogue, kind: str, given: object, contract: type[Any]
) -> dict[str, Any]:
    if isinstance(given, str | Mapping):
        return _table(given)
    if not isinstance(given, contract):
        raise UsageError(
            f"{kind}: a {type(given).__name__} is none; give a fiber_audit.contracts."
            f"{contract.__name__}, a name or a table."
        )
    label = _called(given)
    return {"use": _offered(catalogue, kind, label, given)}


def _table(given: Given) -> dict[str, Any]:
    return {"use": given} if isinstance(given, str) else dict(given)


def _called(given: object) -> str:
    """A short name for a component."""
    if isinstance(given, str):
        return given.rpartition("/")[2]
    if isinstance(given, Mapping):
        return str(given.get("use", "sampler")).rpartition("/")[2]
    return type(given).__name__.lower()


def _offered(catalogue: Catalogue, kind: str, label: str, made: object) -> str:
    """Put an object of this process into the catalogue; returns the name to use it by.

    What cannot be told from options or weights is part of the name: attributes and source.
    """
    if kind not in ("dataset", "extractor"):  # content is looked at, or is in the name already
        label += f"-{digest(repr(sorted(vars(made).items(), key=str)), source_of(made))[:8]}"
    catalogue.add(kind, label, lambda: made)
    return f"here/{label}"
