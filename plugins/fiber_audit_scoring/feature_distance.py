"""How far is an input from where it should be, as the audited extractor sees it?"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from fiber_audit.contracts import Axis, Better, Block, Metric, Needs
from fiber_audit.sampling import rms


class FeatureDistance(Metric):
    """What the fiber losses observe: `distance`, the RMS over features of a difference.

    draws, unguided      from the target of their query
    jittered             of queries after a jitter of 1 % and 8 bits, from the query
    reconstructions      of queries through encode and decode (lossy priors), from the query
    """

    axis: Axis = "fidelity"
    better: Better = "lower"
    needs = Needs(parts=("draws", "unguided", "jittered", "reconstructions"))

    def observe(self, block: Block) -> Mapping[str, Tensor]:
        """`distance`, (n,) float64."""
        aimed = block.part in ("draws", "unguided")
        wanted = block.targets if aimed else block.of_query
        return {"distance": rms(block.features().double() - wanted.double())}
