"""fiber-audit: what can your network not tell apart?

Importing this package imports no torch; the names below load on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import (
    DataError,
    DivergedError,
    FiberAuditError,
    PluginError,
    SuiteError,
    UnknownName,
    UsageError,
    WeightsError,
)
from .hookspecs import hookimpl

if TYPE_CHECKING:
    from .rng import Noise, derive_seed
    from .sampling import at, clipped, finish, rms, start, unguided
    from .schedule import FlowSchedule, Schedule, VPSchedule, noise_of, over, step

__version__ = "0.1.0"

_LAZY = {
    "Noise": "rng",
    "derive_seed": "rng",
    "at": "sampling",
    "clipped": "sampling",
    "finish": "sampling",
    "rms": "sampling",
    "start": "sampling",
    "unguided": "sampling",
    "FlowSchedule": "schedule",
    "Schedule": "schedule",
    "VPSchedule": "schedule",
    "noise_of": "schedule",
    "over": "schedule",
    "step": "schedule",
}

__all__ = [
    "DataError",
    "DivergedError",
    "FiberAuditError",
    "FlowSchedule",
    "Noise",
    "PluginError",
    "Schedule",
    "SuiteError",
    "UnknownName",
    "UsageError",
    "VPSchedule",
    "WeightsError",
    "__version__",
    "at",
    "clipped",
    "derive_seed",
    "finish",
    "hookimpl",
    "noise_of",
    "over",
    "rms",
    "start",
    "step",
    "unguided",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
