"""One thing that a plugin offers: made on demand, and known by its source."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache, cached_property
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import PluginError
from .guest import guest

KINDS = ("extractor", "prior", "sampler", "metric", "attribute", "dataset", "exporter", "executor")
CODE = "__fiber_audit_code__"
"""In a module: the digest of its code."""


@dataclass(frozen=True)
class Component:
    """kind and name, the plugin that offers it, and how it is made.

    offer: "module:Class" or a factory. origin: the plugin's module or object, None for an object
    of this process.
    """

    kind: str
    name: str
    plugin: str
    distribution: str
    version: str
    offer: str | Callable[..., Any] = field(repr=False, compare=False)
    origin: object = field(repr=False, compare=False, default=None)

    @property
    def qualified(self) -> str:
        """`plugin/name`, valid even where the bare name is not unique."""
        return f"{self.plugin}/{self.name}"

    @cached_property
    def factory(self) -> Callable[..., Any]:
        """What makes it, imported now if it was named; its keyword arguments are the options.

        Raises:
            PluginError: it cannot be imported.
        """
        if not isinstance(self.offer, str):
            return self.offer
        module, _, name = self.offer.partition(":")
        try:
            with guest():
                found = getattr(importlib.import_module(module), name)
            if not callable(found):
                raise TypeError(f"{name} is not callable")
        except (Exception, SystemExit) as error:  # plugins may raise anything
            raise PluginError(
                f"plugin {self.plugin!r}: {self.kind} {self.name!r} cannot be imported from "
                f"{self.offer} ({type(error).__name__}: {error})."
            ) from error
        return found

    @property
    def code(self) -> str:
        """Digest of the plugin's Python source: of its package, or of its loose file.

        Of a module that is loaded, what it was when first asked for: the code that runs stays that
        when the file is edited.

        An object of this process has none: whoever offers it puts what it is into its name.
        """
        if self.origin is None:
            return ""
        factory = self.offer if isinstance(self.offer, str) else self.offer.__module__
        names = {getattr(self.origin, "__name__", ""), str(factory).partition(":")[0]}
        roots = {name.partition(".")[0] for name in names if name}
        found = sorted(_digest(name, self.origin) for name in roots)
        return sha256("".join(found).encode()).hexdigest()[:32]


def _digest(name: str, origin: object) -> str:
    """Digest of all Python files of a package, or of the file of a module; "" if it has none.

    origin: a plugin's module, which counts if it has that name; a later one may have its place.
    """
    mine = isinstance(origin, ModuleType) and origin.__name__ == name
    module = origin if mine else sys.modules.get(name)
    if not isinstance(module, ModuleType):
        spec = None if name in sys.modules else importlib.util.find_spec(name)
        return _of_files(spec.origin, spec.submodule_search_locations) if spec else ""
    kept = vars(module)
    if CODE not in kept:
        kept[CODE] = _of_files(kept.get("__file__"), kept.get("__path__"))
    return str(kept[CODE])


def _of_files(file: str | None, folders: Iterable[str] | None) -> str:
    """A package has folders, and no file of its own where it lacks an __init__.py."""
    if folders is not None:
        files = sorted(path for folder in folders for path in Path(folder).rglob("*.py"))
    else:
        files = [Path(file)] if file and Path(file).is_file() else []
    stats = [(str(path), path.stat()) for path in files]
    return digest_of(tuple((n, s.st_mtime_ns, s.st_size) for n, s in stats)) if stats else ""


@cache
def digest_of(files: tuple[tuple[str, int, int], ...]) -> str:
    """Digest of files, given as (path, time, size): of their names and contents."""
    found = sha256()
    for name, _, _ in files:
        found.update(Path(name).name.encode() + b"\0")
        found.update(sha256(Path(name).read_bytes()).digest())
    return found.hexdigest()
