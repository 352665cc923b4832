"""The front door from Python: `fiber_audit.audit`, `run` and `load_suite`, and what they return."""
