"""Texture against shape, with the truth known: digits filled with textures, drawn independently."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fiber_audit import hookimpl

if TYPE_CHECKING:
    from fiber_audit.contracts import Offers


@hookimpl
def fiber_audit_datasets() -> Offers:
    """Offer digits filled with textures."""
    return {"texture-shape": "fiber_audit_texture_shape.dataset:TextureShape"}


@hookimpl
def fiber_audit_extractors() -> Offers:
    """Offer networks that were taught the shape, the texture, or both."""
    return {"texture-shape-net": "fiber_audit_texture_shape.extractors:TextureShapeNet"}


@hookimpl
def fiber_audit_priors() -> Offers:
    """Offer a generative model of such pictures."""
    return {"texture-shape-flow": "fiber_audit_texture_shape.priors:TextureShapeFlow"}


@hookimpl
def fiber_audit_attributes() -> Offers:
    """Offer the shape and the texture, as judges see them."""
    return {
        "figure-shape": "fiber_audit_texture_shape.attributes:FigureShape",
        "figure-texture": "fiber_audit_texture_shape.attributes:FigureTexture",
    }
