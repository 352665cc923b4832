"""Records and draws -> one self-contained page. matplotlib and jinja2 load on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .gallery import Gallery, gallery_of
    from .page import write_report

_LAZY = {"Gallery": "gallery", "gallery_of": "gallery", "write_report": "page"}

__all__ = ["Gallery", "gallery_of", "write_report"]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
