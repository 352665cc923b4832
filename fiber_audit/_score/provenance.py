"""Where a run came from: versions, machine, git commit; written to environment.json."""

from __future__ import annotations

import os
import platform
import secrets
import subprocess
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

from .. import __version__
from .._suite.components import Components
from ..contracts import Dataset, Extractor, Prior
from ..loading import state_digest
from .imported import imported


def environment(components: Components) -> dict[str, Any]:
    """The facts of environment.json for a run of these components that starts now.

    run_id is unlike that of any other run, wherever its directory is.
    """
    catalogue, suite = components.catalogue, components.suite.name
    sha, dirty = git_state()
    started = datetime.now(UTC)
    return {
        "fiber_audit": __version__,
        "run_id": f"{suite}-{started:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}",
        "started_at": f"{started:%Y-%m-%dT%H:%M:%SZ}",
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "libraries": imported(),
        "plugins": {
            c.plugin: {"distribution": c.distribution, "version": c.version} for c in catalogue
        },
        "broken_plugins": catalogue.broken,
        "components": _facts(components),
        "weights": _weights(components),
        "git_sha": sha,
        "git_dirty": dirty,
    }


def _facts(components: Components) -> dict[str, dict[str, str]]:
    """Path in the suite -> what the component there tells of itself.

    Those that cannot be made, and those that have nothing to tell, are left out.
    """
    suite = components.suite
    makers: dict[str, Callable[[], Extractor | Prior | Dataset]] = {
        "queries": lambda: components.dataset,
        **{f"extractors.{key}": partial(components.extractor, key) for key in suite.extractors},
        **{f"priors.{key}": partial(components.prior, key) for key in suite.priors},
    }
    found = {}
    for path, make in makers.items():
        with suppress(Exception, SystemExit):  # why it cannot be made is told in its rows
            found[path] = {str(k): str(v) for k, v in make().facts.items()}
    return {path: facts for path, facts in found.items() if facts}


def _weights(components: Components) -> dict[str, str]:
    """Path in the suite -> sha256 of the weights there, as declared, or of its parameters.

    Components without any are left out, and those that cannot be made.
    """
    suite, found = components.suite, dict[str, str]()
    for key in suite.extractors:
        with suppress(Exception, SystemExit):
            made = components.extractor(key)
            found[f"extractors.{key}"] = made.weights_sha256 or state_digest(made.network)
    for key in suite.priors:
        with suppress(Exception, SystemExit):
            prior = components.prior(key)
            states = [state_digest(m) for _, m in sorted(prior.modules.items())]
            found[f"priors.{key}"] = prior.weights_sha256 or " ".join(filter(None, states))
    for key in suite.attributes:
        with suppress(Exception, SystemExit):
            found[f"attributes.{key}"] = components.attribute(key).weights_sha256
    return {path: digest for path, digest in found.items() if digest}


def git_state() -> tuple[str, bool | None]:
    """(commit, whether tracked files differ) of the working directory; ("", None) if none."""
    try:
        sha = _git("rev-parse", "HEAD")
        return sha, bool(_git("status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return "", None


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], capture_output=True, text=True, timeout=10, check=True)
    return done.stdout.strip()
