"""A new plugin project, installable and tested, for ``fiber-audit new``."""

from __future__ import annotations

import keyword
import re
from importlib.resources import files
from pathlib import Path

from ..errors import UnknownName, UsageError, suggestion

KINDS = ("extractor", "prior", "sampler", "metric", "dataset", "exporter")
SUFFIX = ".jinja"


def create_project(name: str, kind: str = "extractor", into: Path | None = None) -> Path:
    """Write a plugin project that offers one component; returns its folder.

    name: of the component and of the folder, lower-case words with hyphens. The distribution is
    ``fiber-audit-NAME``, the package ``fiber_audit_NAME``. into: the folder that will hold it, by
    default the current one.

    Raises:
        UsageError: the name cannot be one, or its folder is not empty.
        UnknownName: there is no such kind.
    """
    from jinja2 import Environment, StrictUndefined

    if kind not in KINDS:
        raise UnknownName(f"kind {kind!r}: no such kind. {suggestion(kind, KINDS)}")
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name) or keyword.iskeyword(name):
        raise UsageError(f"NAME = {name!r}: write lower-case words with hyphens, e.g. my-network.")
    folder = (into or Path()) / name
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder}: this is there already; choose another name, or delete it.")
    module = name.replace("-", "_")
    words = {
        "name": name,
        "kind": kind,
        "module": module,
        "package": f"fiber_audit_{module}",
        "class_name": "".join(part.capitalize() for part in name.split("-")),
    }
    environment = Environment(
        undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False
    )
    for part in ("common", kind):
        for template in files(__package__).joinpath("templates", part).iterdir():
            target = folder / _place(template.name, words)
            target.parent.mkdir(parents=True, exist_ok=True)
            text = environment.from_string(template.read_text("utf-8")).render(words)
            target.write_text(text, encoding="utf-8")
    return folder


def _place(template: str, words: dict[str, str]) -> Path:
    """Where a template's file goes: package__x.py.jinja is PACKAGE/x.py, tests__x is tests/x."""
    *folders, file = template.removesuffix(SUFFIX).split("--")
    return Path(*(words["package"] if folder == "package" else folder for folder in folders), file)
