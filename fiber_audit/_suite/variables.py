"""All that is read of the environment by a name of ours."""

from ..loading.tensors import TRUSTED

__all__ = ["AUTOLOAD", "DISABLE", "SET", "TRUSTED"]

DISABLE = "FIBER_AUDIT_DISABLE_PLUGINS"
AUTOLOAD = "FIBER_AUDIT_DISABLE_PLUGIN_AUTOLOAD"
SET = "FIBER_AUDIT_SET"
