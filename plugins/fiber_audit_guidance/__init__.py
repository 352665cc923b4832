"""Training-free guidance, one file per method, each from its paper's update rule."""

from __future__ import annotations

from fiber_audit import hookimpl
from fiber_audit.contracts import Offers


@hookimpl
def fiber_audit_samplers() -> Offers:
    """Six published methods and the null."""
    return {
        "unconditional": "fiber_audit_guidance.unconditional:Unconditional",
        "dps": "fiber_audit_guidance.dps:DPS",
        "mpgd": "fiber_audit_guidance.mpgd:MPGD",
        "freedom": "fiber_audit_guidance.freedom:FreeDoM",
        "ugd": "fiber_audit_guidance.ugd:UGD",
        "tfg": "fiber_audit_guidance.tfg:TFG",
        "red-diff": "fiber_audit_guidance.red_diff:REDDiff",
    }
