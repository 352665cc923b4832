"""Situs inversus in small: do networks tell a chest radiograph from its mirror image?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fiber_audit import hookimpl

if TYPE_CHECKING:
    from fiber_audit.contracts import Offers


@hookimpl
def fiber_audit_datasets() -> Offers:
    """Offer radiographs whose corners are black, mirrored or not."""
    return {"chest-radiographs": "fiber_audit_chest.dataset:ChestRadiographs"}


@hookimpl
def fiber_audit_extractors() -> Offers:
    """Offer networks that were taught to ignore the side, must ignore it, or were not."""
    return {
        "chest-contrastive": "fiber_audit_chest.extractors:Contrastive",
        "chest-classifier": "fiber_audit_chest.extractors:Supervised",
        "chest-flip-average": "fiber_audit_chest.extractors:FlipAveraged",
        "chest-autoencoder": "fiber_audit_chest.extractors:Autoencoder",
        "chest-untrained": "fiber_audit_chest.extractors:Untrained",
    }


@hookimpl
def fiber_audit_priors() -> Offers:
    """Offer chests that face either way, or the usual one."""
    return {
        "chest-both": "fiber_audit_chest.priors:Both",
        "chest-usual": "fiber_audit_chest.priors:Usual",
    }


@hookimpl
def fiber_audit_attributes() -> Offers:
    """Offer the side that a chest faces, and its label, as judges see them."""
    return {
        "chest-side": "fiber_audit_chest.attributes:ChestSide",
        "chest-label": "fiber_audit_chest.attributes:ChestLabel",
    }
