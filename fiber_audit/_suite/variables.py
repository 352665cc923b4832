"""All that is read of the environment by a name of ours."""

DISABLE = "FIBER_AUDIT_DISABLE_PLUGINS"
AUTOLOAD = "FIBER_AUDIT_DISABLE_PLUGIN_AUTOLOAD"
SET = "FIBER_AUDIT_SET"
