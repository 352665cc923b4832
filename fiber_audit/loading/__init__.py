"""The kit of authors who load real models: libraries of an extra, hubs, digests.

A digest is of what was learned, a fingerprint of what it was learned from. Nothing here touches the
network unless it is told to download, and what other libraries raise leaves as one sentence with
the command that mends it.
"""

from .digests import digest_of, state_digest
from .fingerprints import fingerprint
from .hubs import hub
from .libraries import library, versions
from .places import placed
from .shipped import Shipped
from .tensors import read_tensors, trust

__all__ = [
    "Shipped",
    "digest_of",
    "fingerprint",
    "hub",
    "library",
    "placed",
    "read_tensors",
    "state_digest",
    "trust",
    "versions",
]
