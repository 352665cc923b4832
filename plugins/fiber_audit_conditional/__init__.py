"""Conditional generators with a fiber loss: samplers that are trained once for an extractor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fiber_audit import hookimpl

if TYPE_CHECKING:
    from fiber_audit.contracts import Offers


@hookimpl
def fiber_audit_samplers() -> Offers:
    """Offer the paper's seven classes, two earlier systems, and a trained one that is guided."""
    return {
        "cond-diffusion": "fiber_audit_conditional.cond_diffusion:ConditionalDiffusion",
        "cond-flow": "fiber_audit_conditional.cond_flow:ConditionalFlow",
        "conditioned": "fiber_audit_conditional.conditioned:Conditioned",
        "dnf": "fiber_audit_conditional.dnf:DenoisingFlow",
        "fff": "fiber_audit_conditional.fff:FreeFormFlow",
        "fif": "fiber_audit_conditional.fif:FreeFormInjectiveFlow",
        "mlf": "fiber_audit_conditional.mlf:MultilevelFlow",
        "nf": "fiber_audit_conditional.nf:NormalisingFlow",
        "rcdm": "fiber_audit_conditional.rcdm:RCDM",
        "rombach-cinn": "fiber_audit_conditional.rombach:RombachCINN",
    }
