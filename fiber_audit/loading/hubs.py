"""Load a model by the name that its library gives it, and say in one sentence why it cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from ..errors import FiberAuditError
from .failures import failure
from .offline import offline


@contextmanager
def hub(model: str, download: bool) -> Iterator[None]:
    """Load `model` from a hub's cache, or with download = True from the hub itself.

    Whatever a library raises inside is told in one sentence.

    Raises:
        WeightsError: it is not in the cache, gated, of no such name or revision, or no model.
        DiskError: there is no room for it.
    """
    try:
        with nullcontext() if download else offline():
            yield
    except FiberAuditError:
        raise
    except Exception as error:  # libraries raise anything: KeyError for a strange config.json
        raise failure(error, model, download) from error
