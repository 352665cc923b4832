"""Plugin code is a guest: what it sets for the whole process is set back when it has returned."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

from ..errors import PluginError
from .settings import now, restore


@contextmanager
def guest() -> Iterator[None]:
    """Call plugin code: it prints on stderr, changes no global setting, and raises an `Exception`.

    Random states are not set back: the same numbers in every block would be worse than any.

    Raises:
        PluginError: it raised what is no `Exception`, as sys.exit() does. Ctrl-C goes through.
    """
    before = now()
    try:
        with redirect_stdout(sys.stderr):  # stdout carries data
            yield
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise PluginError(f"{type(error).__name__}: {error}") from error
    finally:
        restore(before)
