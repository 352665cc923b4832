"""The kit of authors who load real models: libraries of an extra, hubs, digests.

Nothing here touches the network unless it is told to download, and what other libraries raise
leaves as one sentence with the command that mends it.
"""

from .digests import digest_of, state_digest
from .hubs import hub
from .libraries import library, versions

__all__ = ["digest_of", "hub", "library", "state_digest", "versions"]
