"""What the study of situs inversus draws: networks, priors, samplers, and their combinations."""

from __future__ import annotations

from dataclasses import dataclass

from fiber_audit_chest.dataset import Orientation
from fiber_audit_chest.extractors import (
    Autoencoder,
    ChestExtractor,
    Contrastive,
    FlipAveraged,
    Supervised,
    Untrained,
)
from fiber_audit_chest.weights import SHIPPED
from fiber_audit_moment_matched.moment_matched import MomentMatched
from fiber_audit_ndtm.ndtm import NDTM

from fiber_audit.contracts import Sampler

SEEDS = (0, 1, 2)
SAMPLERS: dict[str, Sampler] = {
    "moment-matched": MomentMatched(),
    "moment-matched, whole": MomentMatched(pace="whole"),
    "moment-matched, gradual": MomentMatched(pace="gradual"),
    "ndtm": NDTM(steps=50, inner_steps=6, guidance=10.0),
}
CONTROLS = ("autoencoder", "supervised F", "supervised G", "untrained")


@dataclass(frozen=True)
class Cell:
    """One network on one prior, by one sampler, for one set of queries; network "" is unguided."""

    prior: str
    network: str
    seed: int
    sampler: str
    facing: Orientation = "mirrored"

    @property
    def name(self) -> str:
        """A file's name."""
        return f"{self.prior}-{self.network}-{self.seed}-{self.sampler}-{self.facing}"


CELLS = [
    Cell("chest-both", "", 0, ""),
    *(Cell("chest-both", n, s, "moment-matched") for s in SEEDS for n in ("F", "G")),
    *(Cell("chest-both", "S", 0, "moment-matched", f) for f in ("mirrored", "real")),
    *(Cell("chest-both", n, s, "moment-matched, whole") for s in SEEDS for n in ("F", "G")),
    Cell("chest-both", "S", 0, "moment-matched, whole"),
    *(Cell("chest-both", n, s, "ndtm") for s in SEEDS for n in ("F", "G")),
    Cell("chest-both", "S", 0, "ndtm"),
    *(Cell("chest-both", n, 0, "moment-matched") for n in CONTROLS),
    Cell("chest-usual", "", 0, ""),
    *(Cell("chest-usual", n, s, "moment-matched") for s in SEEDS for n in ("F", "G")),
]


def network(cell: Cell) -> tuple[ChestExtractor, float | None]:
    """The network, and what a linear probe reads of the side in it."""
    match cell.network:
        case "F" | "G":
            flips = cell.network == "F"
            name = f"contrastive-{'flips' if flips else 'plain'}-{cell.seed}"
            return Contrastive(flips=flips, seed=cell.seed), SHIPPED.facts(name)["side_probe"]  # type: ignore[arg-type]
        case "S":
            return FlipAveraged(), None
        case "supervised F" | "supervised G":
            flips = cell.network.endswith("F")
            name = f"classifier-{'flips' if flips else 'plain'}"
            return Supervised(flips=flips), SHIPPED.facts(name)["side_probe"]
        case "autoencoder":
            return Autoencoder(), SHIPPED.facts("autoencoder")["side_probe"]
        case _:
            return Untrained(), None
