"""Reproduce the shipped weights: ``python -m fiber_audit_color_mnist.train NAME --data PATH``."""
