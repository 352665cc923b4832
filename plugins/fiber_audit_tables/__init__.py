"""Tables: a network that tells classes apart, and what of each column it ignores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fiber_audit import hookimpl

if TYPE_CHECKING:
    from fiber_audit.contracts import Offers


@hookimpl
def fiber_audit_extractors() -> Offers:
    """Offer the network of a table."""
    return {"table-mlp": "fiber_audit_tables.extractor:TableMLPExtractor"}
