"""Names of models as a user writes them."""

from __future__ import annotations

from pathlib import Path

from fiber_audit import WeightsError


def expanded(name: str) -> str:
    """A path below a home folder, ~, in full; another path, or a name on the hub, as it is.

    Raises:
        WeightsError: it is nobody's home.
    """
    if not name.startswith("~"):
        return name
    try:
        return str(Path(name).expanduser())
    except RuntimeError as error:
        raise WeightsError(f"{name}: there is no such home folder; give the whole path.") from error
