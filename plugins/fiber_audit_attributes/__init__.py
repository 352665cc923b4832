"""Attributes: what has a name, how to read it off, and how much of it a network ignores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fiber_audit import hookimpl

if TYPE_CHECKING:
    from fiber_audit.contracts import Offers


@hookimpl
def fiber_audit_metrics() -> Offers:
    """Offer the attribute invariance index."""
    return {"invariance": "fiber_audit_attributes.invariance:Invariance"}


@hookimpl
def fiber_audit_attributes() -> Offers:
    """Offer attributes that any image or table has, and probes of the user's own."""
    return {
        "mean-colour": "fiber_audit_attributes.brightness:MeanColour",
        "contrast": "fiber_audit_attributes.brightness:Contrast",
        "high-frequency": "fiber_audit_attributes.fineness:HighFrequencyEnergy",
        "position": "fiber_audit_attributes.place:Position",
        "mirror-side": "fiber_audit_attributes.place:MirrorSide",
        "column": "fiber_audit_attributes.column:Column",
        "linear-probe": "fiber_audit_attributes.linear_probe:LinearProbe",
        "function": "fiber_audit_attributes.function:FunctionAttribute",
    }
