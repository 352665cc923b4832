"""fiber-audit: what can your network not tell apart?

    import fiber_audit

    result = fiber_audit.audit(my_network, prior="color-mnist-latent", queries=images)
    run = fiber_audit.run("suite.toml")

Importing this package imports no torch; what needs it loads on first use. Authors of plugins find
their kits in `fiber_audit.contracts`, `fiber_audit.sampling` and `fiber_audit.measuring`.
"""

from __future__ import annotations

from importlib.metadata import version

from .errors import (
    DataError,
    DiskError,
    DivergedError,
    FiberAuditError,
    PluginError,
    SuiteError,
    UnknownName,
    UsageError,
    WeightsError,
)
from .hookspecs import hookimpl

__version__ = version("fiber-audit")

__all__ = [
    "DataError",
    "DiskError",
    "DivergedError",
    "FiberAuditError",
    "PluginError",
    "SuiteError",
    "UnknownName",
    "UsageError",
    "WeightsError",
    "__version__",
    "hookimpl",
]
