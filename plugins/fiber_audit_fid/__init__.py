"""Fréchet and kernel distances, the two Inceptions, and the blind spots between networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fiber_audit import hookimpl

if TYPE_CHECKING:
    from fiber_audit.contracts import Offers


@hookimpl
def fiber_audit_extractors() -> Offers:
    """Offer the networks of the FID, and all of torch-fidelity's."""
    return {
        "inception-tf": "fiber_audit_fid.inception_tf:InceptionTF",
        "inception-torchvision": "fiber_audit_fid.inception_torchvision:InceptionTorchvision",
        "torch-fidelity": "fiber_audit_fid.fidelity_extractor:TorchFidelityExtractor",
    }


@hookimpl
def fiber_audit_metrics() -> Offers:
    """Offer distances of sets in any extractor's features, and the blind-spot matrix."""
    return {
        "frechet_distance": "fiber_audit_fid.set_metrics:Frechet",
        "kernel_distance": "fiber_audit_fid.set_metrics:Kernel",
        "gaussian_kernel_distance": "fiber_audit_fid.set_metrics:GaussianKernel",
        "precision": "fiber_audit_fid.set_metrics:Precision",
        "recall": "fiber_audit_fid.set_metrics:Recall",
        "density": "fiber_audit_fid.set_metrics:Density",
        "coverage": "fiber_audit_fid.set_metrics:Coverage",
        "blind_spot": "fiber_audit_fid.blind_spot_metrics:BlindSpot",
        "blind_spot_score": "fiber_audit_fid.blind_spot_metrics:BlindSpotScore",
        "edit_response": "fiber_audit_fid.edit_response:EditResponse",
    }
