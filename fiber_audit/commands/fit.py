"""`fiber-audit fit`: fit a suite's priors and samplers to data, where they have to be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from ..contracts import Fittable, Fitting
from ..errors import FiberAuditError, PluginError, UnknownName, UsageError, reason_of, suggestion
from .parameters import argument, with_settings
from .plugins import Plugins, with_plugins
from .shared import say
from .stdout import libraries_on_stderr

if TYPE_CHECKING:
    from .._draw.plan import Audit
    from .._suite.catalogue import Catalogue
    from .._suite.components import Components
    from .._suite.suite import Suite


@click.command()
@argument("suite", help="a .toml file, or the name of a shipped suite")
@argument("names", nargs=-1, help="the suite's names of some of them (default: all)")
@with_settings
@with_plugins(weights=True)
def fit(
    suite: str,
    names: tuple[str, ...],
    settings: tuple[str, ...],
    plugins: Plugins,
) -> None:
    """Fit the priors and samplers of a suite that have to be fitted; goes on if killed."""
    from .._suite.read import read

    catalogue = plugins.catalogue()
    resolved = read(suite, catalogue, settings)
    found = _in_order(_fittable(resolved, catalogue))
    if not found:
        raise UsageError(f"{suite}: nothing in it has to be fitted; run it as it is.")
    known = {each.key for each in found}
    for name in names:
        if name not in known:
            raise UnknownName(f"NAMES = {name!r}: nothing of that name is fitted. "
                              f"{suggestion(name, known)}")  # fmt: skip

    from .._draw.prepare import check_device  # torch from here on
    from .._suite.components import Components

    check_device(resolved.device)
    with libraries_on_stderr():
        components = Components(resolved, catalogue)
        data = components.training
        for each in found:
            if not names or each.key in names:
                say(f"{each.label}: fitting to {len(data)} items of {tuple(data.data_shape)}")
                _fit(each, Fitting(data, resolved.device, resolved.seed, say), components)


class _Task(NamedTuple):
    """One fit. key: the suite's name of it. audit: whose pair a sampler is fitted to."""

    key: str
    factory: Fittable
    options: dict[str, Any]
    audit: Audit | None = None

    @property
    def label(self) -> str:
        """What a person is told that it is."""
        return self.key if self.audit is None else self.audit.name


def _fit(each: _Task, task: Fitting, components: Components) -> None:
    if each.audit is not None:
        extractor = components.extractor(each.audit.extractor)
        task = replace(task, extractor=extractor, prior=components.prior(each.audit.prior))
    try:
        each.factory.fit(task, **each.options)
    except FiberAuditError:
        raise
    except (Exception, SystemExit) as error:  # plugins may raise anything
        told = f"{each.label}: it could not be fitted ({reason_of(error)})."
        raise PluginError(told) from error


def _fittable(suite: Suite, catalogue: Catalogue) -> Iterator[_Task]:
    """Everything that can be fitted, priors first: samplers need them."""
    from .._draw.plan import Audit, audits
    from .._suite.options import defaults_of, validated

    planned = [(audit, _behind(audit.sampler, suite, catalogue)) for audit in audits(suite)]
    for kind, uses in (("prior", suite.priors), ("sampler", suite.samplers)):
        for key, use in uses.items():
            factory = catalogue.find(kind, use.use).factory
            if not isinstance(factory, Fittable):
                continue
            chosen = {**defaults_of(factory), **validated(factory, use.options)}
            if kind == "prior":
                yield _Task(key, factory, chosen)
                continue
            pairs = [(audit.extractor, audit.prior) for audit, keys in planned if key in keys]
            for pair in dict.fromkeys(pairs):
                yield _Task(key, factory, chosen, Audit(*pair, key))


def _in_order(tasks: Iterable[_Task]) -> list[_Task]:
    """The same, but each behind the one whose `path` it starts from."""
    given = list(tasks)
    made = {each.options["path"]: each for each in given if each.options.get("path")}

    def depth(task: _Task) -> int:
        seen, ahead = list[str](), made.get(task.options.get("start"))
        while ahead is not None and ahead.key not in seen:
            seen.append(ahead.key)
            ahead = made.get(ahead.options.get("start"))
        return len(seen)

    return sorted(given, key=depth)


def _behind(sampler: str, suite: Suite, catalogue: Catalogue) -> set[str]:
    """A sampler of the suite, those that it draws by, and theirs."""
    from .._suite.options import named_of

    found, ahead = set[str](), [sampler]
    while ahead:
        key = ahead.pop()
        found.add(key)
        use = suite.samplers[key]
        named = named_of(catalogue.find("sampler", use.use).factory)
        ahead += [use.options[n] for n, k in named.items() if k == "sampler" and n in use.options]
    return found
