"""Where a run came from: versions, machine, git commit; written to environment.json."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version

from . import __version__
from .plugins import Catalogue

LIBRARIES = ("torch", "torchvision", "diffusers", "torch-fidelity", "numpy", "scipy", "pandas")


def environment(catalogue: Catalogue, started_at: str) -> str:
    """The JSON text of environment.json."""
    sha, dirty = git_state()
    facts = {
        "fiber_audit": __version__,
        "started_at": started_at,
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
    return json.dumps(facts, indent=2, allow_nan=False) + "\n"


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
