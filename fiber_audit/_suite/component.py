"""One thing that a plugin offers: made on demand, and known by its source."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from functools import cache, cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from ..errors import PluginError

KINDS = ("extractor", "prior", "sampler", "metric", "dataset", "exporter", "executor")


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
            with redirect_stdout(sys.stderr):
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

        An object of this process has none: whoever offers it puts what it is into its name.
        """
        if self.origin is None:
            return ""
        factory = self.offer if isinstance(self.offer, str) else self.offer.__module__
        names = {getattr(self.origin, "__name__", ""), str(factory).partition(":")[0]}
        roots = {name.partition(".")[0] for name in names if name}
        return sha256("".join(sorted(map(_digest, roots))).encode()).hexdigest()[:32]


def _digest(module: str) -> str:
    """Digest of all Python files of a package, or of the file of a module; "" if it has none."""
    found = getattr(sys.modules.get(module), "__file__", None)
    if found is None and module not in sys.modules:
        spec = importlib.util.find_spec(module)
        found = spec.origin if spec else None
    if not found or not Path(found).is_file():
        return ""
    path = Path(found)
    files = sorted(path.parent.rglob("*.py")) if path.name == "__init__.py" else [path]
    return digest_of(tuple((str(f), f.stat().st_mtime_ns, f.stat().st_size) for f in files))


@cache
def digest_of(files: tuple[tuple[str, int, int], ...]) -> str:
    """Digest of files, given as (path, time, size): of their names and contents."""
    found = sha256()
    for name, _, _ in files:
        found.update(Path(name).name.encode() + b"\0")
        found.update(sha256(Path(name).read_bytes()).digest())
    return found.hexdigest()
