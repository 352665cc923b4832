"""How much of an audit the page shows; apart, so that to know it imports no torch."""

SHOWN = 16
"""Queries of an audit that the page shows."""
