"""All that is read of the environment by a name of ours."""

DISABLE = "FIBER_AUDIT_DISABLE_PLUGINS"
AUTOLOAD = "FIBER_AUDIT_DISABLE_PLUGIN_AUTOLOAD"
SET = "FIBER_AUDIT_SET"
TRUSTED = "FIBER_AUDIT_ALLOW_PICKLE"
"""The same as `fiber_audit.loading.tensors.TRUSTED`, which is slow to import."""
