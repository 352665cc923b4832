"""The code of functions and classes, and what it refers to."""

from __future__ import annotations

import inspect
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

HOST = __name__.partition(".")[0]


def source_of(what: Any) -> str:
    """The code of a function or a class: as written, and as compiled where it is a function.

    Two functions on one line have one source, and one that was typed into an interpreter has none.
    """
    try:
        written = inspect.getsource(what)
    except (OSError, TypeError):
        written = ""
    if isinstance(what, FunctionType):
        return f"{written} {_compiled(what.__code__)}"
    if written or is_library(what):
        return written
    return " ".join(f"{name} {_compiled(each.__code__)}" for name, each in _methods(what))


def closed_over(what: Any) -> Iterator[tuple[str, Any]]:
    """(name, value) of what the code of a user's function or class takes from outside, sorted."""
    if is_library(what):
        return
    if isinstance(what, FunctionType):
        yield from _outside(what)
        return
    for name, value in sorted(vars(what).items()):
        if not (name.startswith("__") or isinstance(value, (FunctionType, property))):
            yield name, value
    for _, each in _methods(what):
        yield from _outside(each)


def is_library(what: Any) -> bool:
    """Whether code is of the host, of Python or of an installed package: known by its name."""
    name = str(getattr(what, "__module__", ""))
    if name == "__main__":  # the user's, whoever started it
        return False
    if name.partition(".")[0] == HOST or is_standard(what):
        return True
    paths = sysconfig.get_paths()
    return _lies_in(name, paths["purelib"], paths["platlib"])


def is_standard(what: Any) -> bool:
    """Whether code is of Python itself."""
    top = str(getattr(what, "__module__", "")).partition(".")[0]
    return top in sys.stdlib_module_names and top != "__main__"


def _lies_in(name: str, *folders: str) -> bool:
    file = getattr(sys.modules.get(name), "__file__", None)
    return file is not None and any(Path(file).is_relative_to(folder) for folder in folders)


def _methods(what: Any) -> Iterator[tuple[str, FunctionType]]:
    for name, value in sorted(vars(what).items()):
        found = getattr(value, "fget", getattr(value, "__func__", value))
        if isinstance(found, FunctionType):
            yield name, found


def _outside(function: FunctionType) -> Iterator[tuple[str, Any]]:
    try:
        found = inspect.getclosurevars(function)
    except (TypeError, ValueError):  # a cell that is empty still
        return
    yield from sorted({**found.globals, **found.nonlocals}.items())


def _compiled(code: CodeType) -> str:
    inner = [_compiled(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts]
    return f"{code.co_code.hex()} {code.co_names} {code.co_freevars} {inner}"
