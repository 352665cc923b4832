"""Reproduce the shipped weights: ``python -m fiber_audit_chest.train all --data PATH``."""
