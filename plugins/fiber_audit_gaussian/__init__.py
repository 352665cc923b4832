"""`gaussian`: a Gaussian fitted to the user's own data in seconds, with its exact denoiser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fiber_audit import hookimpl

if TYPE_CHECKING:
    from fiber_audit.contracts import Offers


@hookimpl
def fiber_audit_priors() -> Offers:
    """Offer the Gaussian."""
    return {"gaussian": "fiber_audit_gaussian.prior:GaussianPrior"}
