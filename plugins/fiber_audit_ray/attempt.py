"""Calling what a plugin wrote, in a process that has to go on whatever it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fiber_audit import PluginError


def attempt(work: Callable[[Any], Any], piece: Any) -> Any | Exception:
    """work(piece), or the exception that it raised.

    >>> attempt(int, "8"), attempt(int, "eight")
    (8, ValueError("invalid literal for int() with base 10: 'eight'"))
    """
    try:
        return work(piece)
    except Exception as error:  # plugins may raise anything; one piece pays for it
        return error
    except SystemExit as error:
        return PluginError(f"A plugin called sys.exit({error.code!r}); it should raise an error.")
