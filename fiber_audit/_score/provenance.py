"""Where a run came from: versions, machine, git commit; written to environment.json."""

from __future__ import annotations

import os
import platform
import secrets
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from .. import __version__
from .._suite.catalogue import Catalogue

LIBRARIES = ("torch", "torchvision", "diffusers", "torch-fidelity", "numpy", "scipy", "pandas")


def environment(catalogue: Catalogue, suite: str) -> dict[str, Any]:
    """The facts of environment.json for a run of the suite of that name that starts now.

    run_id is unlike that of any other run, wherever its directory is.
    """
    sha, dirty = git_state()
    started = datetime.now(UTC)
    return {
        "fiber_audit": __version__,
        "run_id": f"{suite}-{started:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}",
        "started_at": f"{started:%Y-%m-%dT%H:%M:%SZ}",
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "libraries": {name: _version(name) for name in LIBRARIES},
        "plugins": {
            c.plugin: {"distribution": c.distribution, "version": c.version} for c in catalogue
        },
        "broken_plugins": catalogue.broken,
        "git_sha": sha,
        "git_dirty": dirty,
    }


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


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
