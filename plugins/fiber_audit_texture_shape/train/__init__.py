"""Reproduce the shipped weights: ``python -m fiber_audit_texture_shape.train all --data PATH``."""
