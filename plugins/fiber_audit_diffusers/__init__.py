"""Generative models that others trained: diffusers pipelines, ADM, and one of a user's own data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fiber_audit import hookimpl

if TYPE_CHECKING:
    from fiber_audit.contracts import Offers


@hookimpl
def fiber_audit_priors() -> Offers:
    """Offer a pipeline of diffusers, a checkpoint of guided-diffusion, and a prior to be fitted."""
    return {
        "diffusers": "fiber_audit_diffusers.prior:DiffusersPrior",
        "adm": "fiber_audit_diffusers.adm:AdmPrior",
        "trained": "fiber_audit_diffusers.trained.prior:TrainedPrior",
    }
