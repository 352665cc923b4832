"""Discover plugins, load them one by one, remember the broken: the catalogue of components.

Nothing here imports torch, and one bad plugin costs one plugin.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from importlib.metadata import Distribution, EntryPoint, entry_points
from pathlib import Path

import pluggy

from .. import hookspecs
from ..errors import PluginError, UnknownName, UsageError, suggestion
from ..hookspecs import GROUP
from .component import KINDS, Component
from .guest import guest
from .loose import load_file
from .variables import AUTOLOAD, DISABLE


@dataclass
class Catalogue:
    """Everything the installed plugins offer, and why some could not be loaded."""

    components: list[Component] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)
    loaded: Loaded | None = None

    @classmethod
    def load(
        cls,
        disabled: Iterable[str] = (),
        extra: Iterable[str] = (),
        autoload: bool | None = None,
        strict: bool = False,
    ) -> Catalogue:
        """Load the plugins of the entry-point group, less `disabled`, and the `extra` ones.

        extra: importable modules or paths of .py files. autoload=False ignores entry points;
        None asks the environment. strict=True raises PluginError at the first broken plugin.
        """
        disabled, extra = tuple(disabled), tuple(extra)
        if autoload is None:
            autoload = not os.environ.get(AUTOLOAD)
        catalogue = cls(loaded=Loaded(disabled, extra, autoload))
        manager = pluggy.PluginManager(GROUP)
        manager.add_hookspecs(hookspecs)
        entries = sorted(entry_points(group=GROUP), key=lambda e: e.name) if autoload else []
        known = [entry.name for entry in entries]
        off = {name: f"-p no:{name}" for name in disabled}
        off |= {name: f"{DISABLE} = {name!r}" for name in _words(os.environ.get(DISABLE, ""))}
        if autoload and (unknown := off.keys() - known):
            name = min(unknown)
            raise UnknownName(f"{off[name]}: no such plugin. {suggestion(name, known)}")
        distribution = cache(_distribution)  # slow to read, and many plugins are of one
        for entry in entries:
            if entry.name not in off and entry.name not in catalogue.broken:
                if known.count(entry.name) > 1:
                    catalogue.broken[entry.name] = _twice(entry.name, entries)
                else:
                    catalogue._add(manager, entry.name, entry.load, *distribution(entry.dist))
        for where in extra:
            name = Path(where).stem if where.endswith(".py") else where
            catalogue._add(manager, name, _importer(where), "", "")
            if name in catalogue.broken:  # the user named it, so it must load
                raise UsageError(f"--plugin {where}: {catalogue.broken[name]}")
        if strict and catalogue.broken:
            name, reason = next(iter(catalogue.broken.items()))
            raise PluginError(f"plugin {name!r} did not load: {reason}")
        return catalogue

    def _add(
        self,
        manager: pluggy.PluginManager,
        name: str,
        load: Callable[[], object],
        distribution: str,
        version: str,
    ) -> None:
        """Register one plugin and ask its hooks; whatever it does wrong costs this plugin only."""
        if manager.has_plugin(name):
            self.broken[name] = f"a plugin of the name {name!r} is loaded already"
            return
        try:
            with guest():
                plugin = load()
                manager.register(plugin, name=name)
                manager.check_pending()
                self.components += [
                    Component(kind, key, name, distribution, version, offer, plugin)
                    for kind, offers in _offered(manager, plugin)
                    for key, offer in offers.items()
                ]
        except (Exception, SystemExit) as error:  # plugins may raise anything; it is reported
            told = "sys.exit()" if isinstance(error, SystemExit) else str(error)
            self.broken[name] = f"{type(error).__name__}: {told}"
            if manager.get_plugin(name) is not None:
                manager.unregister(name=name)

    def add(
        self, kind: str, name: str, factory: Callable[[], object], version: str = ""
    ) -> Component:
        """Offer an object of this process, as `here/name`; a later one of that name replaces it.

        version: what tells it from others of its name, for instance a digest of its content.
        """
        made = Component(kind, name, "here", "", version, factory, None)
        self.components = [
            c for c in self.components if (c.kind, c.qualified) != (kind, made.qualified)
        ]
        self.components.append(made)
        return made

    def __iter__(self) -> Iterator[Component]:
        return iter(sorted(self.components, key=lambda c: (KINDS.index(c.kind), c.name, c.plugin)))

    def names(self, kind: str) -> list[str]:
        """The bare names of a kind, sorted."""
        return sorted({c.name for c in self.components if c.kind == kind})

    def find(self, kind: str, name: str) -> Component:
        """The component called `name` or `plugin/name`; UnknownName says what there is."""
        known = [c for c in self.components if c.kind == kind]
        hits = [c for c in known if name in (c.name, c.qualified)]
        if len(hits) == 1:
            return hits[0]
        if hits:
            ways = " or ".join(repr(c.qualified) for c in hits)
            raise UnknownName(f"{kind} {name!r} is offered by several plugins; write {ways}.")
        hint = suggestion(name, (c.name for c in known))
        reasons = "; ".join(f"{plugin} ({why})" for plugin, why in self.broken.items())
        lost = f" Plugins that did not load: {reasons}." if reasons else ""
        raise UnknownName(f"no such {kind}. {hint}{lost}")


@dataclass(frozen=True)
class Loaded:
    """What a catalogue was loaded from, for other processes to load the same."""

    disabled: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    autoload: bool = True

    def again(self) -> Catalogue:
        """The same catalogue, in this process."""
        return Catalogue.load(self.disabled, self.extra, self.autoload)


def _offered(
    manager: pluggy.PluginManager, plugin: object
) -> Iterator[tuple[str, Mapping[str, str | Callable[..., object]]]]:
    """(kind, what is offered) of every hook that the plugin implements."""
    for caller in manager.get_hookcallers(plugin) or ():
        for implementation in caller.get_hookimpls():
            if implementation.plugin is not plugin:
                continue
            offers = implementation.function()
            if not isinstance(offers, Mapping):
                raise TypeError(f"{caller.name} returned {type(offers).__name__}, not a mapping")
            for key, offer in offers.items():
                if not (isinstance(key, str) and key and "/" not in key and key.isprintable()):
                    raise TypeError(f"{caller.name}: {key!r} is no name; use letters and dashes")
                if not (callable(offer) or (isinstance(offer, str) and offer.count(":") == 1)):
                    raise TypeError(f"{caller.name}: {key!r} is not callable, nor 'module:Class'")
            yield caller.name.removeprefix("fiber_audit_").removesuffix("s"), offers


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _twice(name: str, entries: Iterable[EntryPoint]) -> str:
    who = sorted(f"{_distribution(e.dist)[0]} ({e.value})" for e in entries if e.name == name)
    return f"several distributions have a plugin of this name: {', '.join(who)}; uninstall one"


def _distribution(of: Distribution | None) -> tuple[str, str]:
    """Its name and version."""
    return (of.name, of.version) if of is not None else ("", "")


def _importer(where: str) -> Callable[[], object]:
    return partial(load_file if where.endswith(".py") else importlib.import_module, where)
