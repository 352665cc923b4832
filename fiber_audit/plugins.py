"""Discover plugins, load them one by one, remember the broken: the catalogue of components.

Nothing here imports torch, and one bad plugin costs one plugin.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import pluggy

from . import hookspecs
from .errors import PluginError, UnknownName, UsageError, suggestion
from .hookspecs import GROUP

KINDS = ("extractor", "prior", "sampler", "metric", "dataset", "exporter", "executor")
DISABLE = "FIBER_AUDIT_DISABLE_PLUGINS"
AUTOLOAD = "FIBER_AUDIT_DISABLE_PLUGIN_AUTOLOAD"


@dataclass(frozen=True)
class Component:
    """One thing that a plugin offers."""

    kind: str
    name: str
    plugin: str
    distribution: str
    version: str
    factory: Callable[..., Any] = field(repr=False, compare=False)

    @property
    def qualified(self) -> str:
        """`plugin/name`, valid even where the bare name is not unique."""
        return f"{self.plugin}/{self.name}"


@dataclass
class Catalogue:
    """Everything the installed plugins offer, and why some could not be loaded."""

    components: list[Component] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)

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
        off = {*disabled, *_words(os.environ.get(DISABLE, ""))}
        if autoload is None:
            autoload = not os.environ.get(AUTOLOAD)
        catalogue = cls()
        manager = pluggy.PluginManager(GROUP)
        manager.add_hookspecs(hookspecs)
        entries = sorted(entry_points(group=GROUP), key=lambda e: e.name) if autoload else []
        unknown = set(disabled) - {entry.name for entry in entries}
        if unknown and autoload:
            name = min(unknown)
            known = suggestion(name, (entry.name for entry in entries))
            raise UnknownName(f"-p no:{name}: no such plugin. {known}")
        for entry in entries:
            if entry.name not in off:
                catalogue._add(manager, entry.name, entry.load, *_distribution(entry))
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
        found: list[Component] = []
        try:
            plugin = load()
            manager.register(plugin, name=name)
            for kind in KINDS:
                hook = f"fiber_audit_{kind}s"
                if not hasattr(plugin, hook):
                    continue
                offered = getattr(plugin, hook)()
                if not isinstance(offered, Mapping):
                    raise TypeError(f"{hook} returned {type(offered).__name__}, not a mapping")
                for key, factory in offered.items():
                    if not callable(factory):
                        raise TypeError(f"{hook}: {key!r} is not callable")
                    found.append(Component(kind, key, name, distribution, version, factory))
            _refuse_unknown_hooks(plugin)
        except Exception as error:  # plugins may raise anything; it is reported, not passed on
            self.broken[name] = f"{type(error).__name__}: {error}"
            if manager.has_plugin(name):
                manager.unregister(name=name)
        else:
            self.components += found

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


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _distribution(entry: EntryPoint) -> tuple[str, str]:
    return (entry.dist.name, entry.dist.version) if entry.dist is not None else ("", "")


def _importer(where: str) -> Callable[[], object]:
    def load() -> object:
        if not where.endswith(".py"):
            return importlib.import_module(where)
        path = Path(where).resolve()
        spec = importlib.util.spec_from_file_location(path.stem, path)
        if spec is None or spec.loader is None or not path.is_file():
            raise FileNotFoundError(f"no such file: {where}")
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module  # so that its annotations and its classes can be resolved
        spec.loader.exec_module(module)
        return module

    return load


def _refuse_unknown_hooks(plugin: object) -> None:
    known = {f"fiber_audit_{kind}s" for kind in KINDS}
    for name in dir(plugin):
        if hasattr(getattr(plugin, name, None), "fiber_audit_impl") and name not in known:
            raise TypeError(f"hook {name!r} does not exist. {suggestion(name, known)}")
