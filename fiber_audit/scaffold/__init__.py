"""A new plugin project, installable and tested, for ``fiber-audit new``."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from ..errors import UnknownName, UsageError, suggestion
from ..files import write_atomically

KINDS = ("extractor", "prior", "sampler", "metric", "attribute", "dataset", "exporter")
SUFFIX = ".jinja"
LONGEST = 60


def create_project(
    name: str,
    kind: str = "extractor",
    into: Path | None = None,
    taken: Mapping[str, str] | None = None,
) -> Path:
    """Write a plugin project that offers one component; returns its folder.

    name: of the component and of the folder, lower-case words with hyphens. The distribution is
    ``fiber-audit-NAME``, the package ``fiber_audit_NAME``. into: the folder that will hold it, by
    default the current one. taken: name -> what has it already, e.g. "the sampler ndtm/ndtm".

    Raises:
        UsageError: the name cannot be one or is taken, or its folder is not empty or no folder.
        UnknownName: there is no such kind.
        DiskError: a file cannot be written.
    """
    from jinja2 import Environment, StrictUndefined

    if kind not in KINDS:
        raise UnknownName(f"kind {kind!r}: no such kind. {suggestion(kind, KINDS)}")
    _refuse(name, taken or {})
    folder = (into or Path()) / name
    module = name.replace("-", "_")
    words = {
        "name": name,
        "kind": kind,
        "package": f"fiber_audit_{module}",
        "class_name": "".join(map(str.capitalize, [*name.split("-"), kind])),
    }
    environment = Environment(
        undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False
    )
    _make(folder)
    for part in ("common", kind):
        for template in files(__package__).joinpath("templates", part).iterdir():
            text = environment.from_string(template.read_text("utf-8")).render(words)
            write_atomically(folder / _place(template.name, words), text)
    return folder


def _refuse(name: str, taken: Mapping[str, str]) -> None:
    """Names that are none, that something has, and that would shadow a module."""
    wrong = f"NAME = {name!r}: "
    fits = re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name) and len(name) <= LONGEST
    if not fits or keyword.iskeyword(name):
        raise UsageError(f"{wrong}write lower-case words with hyphens, e.g. my-network.")
    if name in taken:
        raise UsageError(f"{wrong}this is {taken[name]} already; choose another name.")
    module = name.replace("-", "_")
    for shadowed in (f"fiber_audit_{module}", module):
        if _importable(shadowed):
            raise UsageError(f"{wrong}there is a module {shadowed} already; choose another name.")


def _importable(module: str) -> bool:
    """Whether a module would be found; a mere folder of that name is none."""
    try:
        found = find_spec(module)
    except ValueError:  # it is loaded, and says no more of itself
        return True
    return found is not None and found.origin is not None


def _make(folder: Path) -> None:
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(f"{folder}: this is there already; choose another name, or delete it.")
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        told = (error.strerror or str(error)).lower()
        raise UsageError(f"{folder}: cannot be a folder ({told}); give another --into.") from error


def _place(template: str, words: Mapping[str, str]) -> Path:
    """Where a template's file goes: package--x.py.jinja is PACKAGE/x.py, tests--x is tests/x."""
    *folders, file = template.removesuffix(SUFFIX).split("--")
    return Path(*(words["package"] if folder == "package" else folder for folder in folders), file)
