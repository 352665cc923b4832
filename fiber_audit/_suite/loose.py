"""A plugin in a file of its own: executed anew each time, under a name that nobody else has."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

LOOSE = "__fiber_audit_loose__"
"""Set in modules that came from here; a later file of that name may take their place."""


def load_file(where: str) -> ModuleType:
    """Execute a .py file as a module that is named for it.

    Raises:
        FileNotFoundError: there is none.
        ImportError: its name is that of another module. Whatever the file raises passes, and then
            it is as if it had not been loaded.
    """
    path = Path(where).resolve()
    name = path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise FileNotFoundError(f"no such file: {where}")
    if other := _owner(name, path):
        raise ImportError(f"the name {name!r} is that of {other}; rename the file")
    before = sys.modules.get(name)
    module = importlib.util.module_from_spec(spec)
    vars(module)[LOOSE] = True
    sys.modules[name] = module  # so that its annotations and its classes can be resolved
    try:
        spec.loader.exec_module(module)
    except BaseException:
        if before is None:
            sys.modules.pop(name, None)
        else:
            sys.modules[name] = before
        raise
    return module


def _owner(name: str, path: Path) -> str:
    """What other module has that name, loaded or not; "" if none has."""
    if name in sys.modules:
        module = sys.modules[name]
        if getattr(module, LOOSE, False):
            return ""
        found = getattr(module, "__file__", None) or "a built-in module"
    else:
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, ValueError):  # the name has a dot
            return ""
        found = (spec.origin if spec else None) or ""  # a folder without __init__.py is no matter
    return "" if not found or Path(found).resolve() == path else found
