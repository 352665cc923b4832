"""`fiber-audit doctor`: what is installed here, what is missing, and how to get it."""

from __future__ import annotations

import json
import os
import platform
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import FiberAuditError, PluginError, reason_of
from .parameters import with_json
from .plugins import Plugins, with_plugins
from .shared import Exit, tell
from .stdout import libraries_on_stderr

if TYPE_CHECKING:
    from .._suite.catalogue import Catalogue

SMALL = (
    "queries.n=4",
    "draws=2",
    "unguided_steps=2",
    "conditions=[]",
    "samplers.moment-matched.steps=2",
    "samplers.moment-matched.polish=0",
    "samplers.moment-matched.restarts=0",
    "samplers.moment-matched.guided_below=1.0",
)
"""The default suite in small: all its parts, and hardly any work."""


@click.command()
@with_json
@with_plugins()
def doctor(as_json: bool, plugins: Plugins) -> int:
    """Look at the installation: versions, devices, plugins, caches, and what is missing.

    Exit code 3: something that the default suite needs does not work. Nothing is fetched.
    """
    from ..loading.offline import offline
    from .progress import Bar

    with Bar() as bar, libraries_on_stderr():
        bar(0, 0, "looking around")
        catalogue = plugins.catalogue()
        with offline():
            found = _findings(catalogue, bar)
    if as_json:
        click.echo(json.dumps(found, indent=2, allow_nan=False))
    else:
        for line in _lines(found):
            tell(line)
    return Exit.INTERNAL if found["default_suite"] else Exit.OK


def _findings(catalogue: Catalogue, bar: Any) -> dict[str, Any]:
    """Everything, as JSON holds it."""
    from .. import __version__
    from .caches import caches
    from .installed import lacks, libraries, wanted

    wanting = wanted(catalogue)
    known = libraries(wanting)
    found: dict[str, Any] = {
        "fiber_audit": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "libraries": [asdict(each) | {"wrong": each.wrong} for each in known],
        "devices": _devices(),
        "plugins": list(_plugins(catalogue)),
        "missing": [asdict(each) for each in lacks(known, wanting)],
    }
    bar(0, 0, "measuring caches")
    found["caches"] = [asdict(each) | {"path": str(each.path)} for each in caches()]
    bar(0, 0, "trying the default suite in small")
    return found | {"default_suite": list(_trial(catalogue))}


def _devices() -> list[dict[str, str]]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found = [{"device": "cpu", "what": f"{cores} cores, {platform.machine()}"}]
    try:
        import torch
    except Exception as error:  # a broken library may raise anything
        return [*found, {"device": "none other", "what": f"torch: {reason_of(error)}"}]
    for i in range(torch.cuda.device_count()):
        memory = torch.cuda.get_device_properties(i).total_memory
        name = torch.cuda.get_device_name(i)
        found.append({"device": f"cuda:{i}", "what": f"{name}, {_bytes(memory)}"})
    if torch.backends.mps.is_available():
        found.append({"device": "mps", "what": "Metal"})
    return found


def _plugins(catalogue: Catalogue) -> Iterator[dict[str, Any]]:
    """Every plugin: why it did not load, and which of its components cannot be imported."""
    for name in dict.fromkeys(component.plugin for component in catalogue):
        own = [component for component in catalogue if component.plugin == name]
        yield {
            "plugin": name,
            "distribution": f"{own[0].distribution} {own[0].version}".strip(),
            "components": len(own),
            "wrong": [why for component in own if (why := _unimportable(component))],
        }
    for name, why in catalogue.broken.items():
        told = f"it did not load: {why}"
        yield {"plugin": name, "distribution": "", "components": 0, "wrong": [told]}


def _unimportable(component: Any) -> str:
    try:
        component.factory  # noqa: B018  # it is imported here
    except PluginError as error:
        return str(error)
    return ""


def _trial(catalogue: Catalogue) -> Iterator[str]:
    """Run the default suite in small; what does not work, a sentence each."""
    from .._suite.read import read

    try:
        with tempfile.TemporaryDirectory(prefix="fiber-audit-") as folder:
            from .. import _run

            suite = read(None, catalogue, SMALL)
            done = _run.run(suite, catalogue, _run.Options(out=Path(folder) / "run"))
    except FiberAuditError as error:
        yield from str(error).splitlines()
        return
    except (Exception, SystemExit) as error:  # a broken library may raise anything
        yield reason_of(error)
        return
    rows = done.records[done.records["status"].isin(["error", "skipped"])]
    rows = rows[rows["statistic"].isna()]  # whole cells: so few draws leave a statistic undefined
    for audit, message in dict.fromkeys(zip(rows["audit"], rows["message"], strict=True)):
        yield f"{audit}: {message}"


def _lines(found: dict[str, Any]) -> Iterator[str]:
    """The same for a person."""
    yield f"fiber-audit {found['fiber_audit']}, Python {found['python']}, {found['platform']}"
    there = {e["name"]: e["version"] for e in found["libraries"] if not e["wrong"]}
    yield "libraries: " + ", ".join(f"{name} {version}" for name, version in there.items())
    for each in found["devices"]:
        yield f"device {each['device']}: {each['what']}"
    for each in found["plugins"]:
        count = f"{each['components']} components"
        yield f"plugin {each['plugin']} ({each['distribution'] or 'no distribution'}): {count}"
        for why in each["wrong"]:
            yield f"  wrong: {why}"
    for each in found["missing"]:
        wanting = ", ".join(each["components"]) or "fiber-audit itself"
        yield f"missing: {', '.join(each['libraries'])}, for {wanting}"
        yield f"  get it: {each['command']}"
    for each in found["caches"]:
        size = "none" if each["size"] is None else _bytes(each["size"])
        yield f"cache of {each['what']}: {each['path']}, {size}"
    for why in found["default_suite"]:
        yield f"default suite, wrong: {why}"
    if not found["default_suite"]:
        yield "default suite: works (fiber-audit run)"


def _bytes(count: int) -> str:
    """A size for a person.

    >>> _bytes(0), _bytes(123456), _bytes(5 * 10**9)
    ('0.0 MB', '0.1 MB', '5.0 GB')
    """
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
