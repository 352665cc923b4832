"""The verbs of the command line, one file each; `fiber_audit.cli` assembles them."""
