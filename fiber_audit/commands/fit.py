"""`fiber-audit fit`: fit a suite's priors and samplers to data, where they have to be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .._suite import options
from ..contracts import Fittable, Fitting
from ..errors import FiberAuditError, PluginError, UnknownName, UsageError, reason_of, suggestion
from .shared import Disable, Extra, Settings, catalogue_of, say
from .stdout import libraries_on_stderr

if TYPE_CHECKING:
    from .._suite.catalogue import Catalogue
    from .._suite.suite import Suite


def fit(
    suite: Annotated[str, typer.Argument(help="a .toml file, or the name of a shipped suite")],
    name: Annotated[
        str | None, typer.Argument(help="the suite's name for one of them (default: all)")
    ] = None,
    settings: Settings = [],
    p: Disable = [],
    plugin: Extra = [],
) -> None:
    """Fit the priors of a suite that have to be fitted to its training data; goes on if killed."""
    from .._suite.read import read

    catalogue = catalogue_of(p, plugin)
    resolved = read(suite, catalogue, settings)
    found = dict(_fittable(resolved, catalogue))
    if not found:
        raise UsageError(f"{suite}: nothing in it has to be fitted; run it as it is.")
    if name is not None and name not in found:
        raise UnknownName(f"NAME = {name!r}: nothing of that name is fitted. "
                          f"{suggestion(name, found)}")  # fmt: skip

    from .._draw.prepare import check_device  # torch from here on
    from .._suite.components import Components

    check_device(resolved.device)
    with libraries_on_stderr():
        data = Components(resolved, catalogue).training
        for key in [name] if name is not None else found:
            factory, chosen = found[key]
            say(f"{key}: fitting to {len(data)} items of {tuple(data.data_shape)}")
            task = Fitting(data, resolved.device, resolved.seed, say)
            try:
                factory.fit(task, **chosen)
            except FiberAuditError:
                raise
            except (Exception, SystemExit) as error:  # plugins may raise anything
                raise PluginError(f"{key}: it could not be fitted ({reason_of(error)}).") from error


def _fittable(
    suite: Suite, catalogue: Catalogue
) -> Iterator[tuple[str, tuple[Any, dict[str, Any]]]]:
    """(the suite's name, (factory, all its options)) of everything that can be fitted."""
    for kind, uses in (("prior", suite.priors), ("sampler", suite.samplers)):
        for key, use in uses.items():
            factory = catalogue.find(kind, use.use).factory
            if isinstance(factory, Fittable):
                chosen = options.validated(factory, use.options)
                yield key, (factory, {**options.defaults_of(factory), **chosen})
