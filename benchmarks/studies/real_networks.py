"""What one real network cannot tell apart, do others see it? Photographs and radiographs.

Command   python benchmarks/studies/real_networks.py --weights F --inception F --pictures F
          --radiographs pneumoniamnist.npz
          weights: folder of resnet20-12fca82f.th and resnet56-4bfd9763.th of
          github.com/akamaster/pytorch_resnet_cifar10; inception: see real_networks_inception.py;
          pictures: CIFAR-10's test pictures, CLASS/*.jpg or .png
Writes    benchmarks/results/study_real_networks.csv and
          docs/img/study_real_networks_*.png (minutes on a GPU, which is used where there is one)
Expect    a network's draws are nearer in its own eyes than in those of others

48 queries x 4 draws, two samplers; EfficientNet-Lite0, whose draws of radiographs cost ten
times as much, guides a quick walk on 12: --queries 12 --runs OTHER --cells '*quick-lite0', then
--queries 12 --runs OTHER --kept. A row holds what one network guided: seen_* by each network
(distance of draws to their query by that of the prior's own draws), what became of the draws (fiber
loss, brittle, plausibility), and the invariance index of five attributes. Intervals are over
queries. All that is finished is kept in --runs: kill it and run it again.
"""

from __future__ import annotations

import argparse
import sys
from fnmatch import fnmatch
from pathlib import Path

import torch
from real_networks_picture import paint
from real_networks_runs import SAMPLERS, Cell, Runs
from real_networks_scenes import PRIOR, Sources, scenes
from real_networks_tables import finished, table

sys.path.insert(0, str(Path(__file__).parents[1]))
from tabulated import merged, write

ROOT = Path(__file__).parents[2]
KEY = ("scene", "sampler", "guided_by", "q")
"""What tells a row from the others."""
RESULTS, IMAGES = ROOT / "benchmarks" / "results", ROOT / "docs" / "img"


def cells(runs: Runs) -> list[Cell]:
    """All of a scene; the prior alone first."""
    name = runs.scene.name
    guided = [Cell(name, guide, sampler) for sampler in SAMPLERS for guide in runs.scene.networks]
    return [Cell(name), *guided]


def make(runs: Runs, cell: Cell) -> None:
    """Draw a cell, and let everybody look."""
    runs.draws(cell)
    for eye in runs.scene.networks:
        runs.seen(cell, eye)
        runs.scale(eye)
    runs.plausible(cell)
    runs.plausible(None)
    print(cell.name, flush=True)


def main() -> None:
    """Draw, look, write the tables and the picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name in ("weights", "inception", "pictures", "radiographs"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--prior", type=Path, default=PRIOR, help="of photographs")
    parser.add_argument("--runs", type=Path, default=Path("runs/study_real_networks"))
    parser.add_argument("--queries", type=int, default=48)
    parser.add_argument("--draws", type=int, default=4)
    parser.add_argument(
        "--cells",
        nargs="+",
        default=[],
        help="make those alone, say 'photographs-*-lite0'; no table",
    )
    parser.add_argument("--kept", action="store_true", help="tables of what is in --runs, no more")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--images", type=Path, default=IMAGES)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    given = Sources(asked.weights, asked.inception, asked.pictures, asked.radiographs, asked.prior)
    made = [
        Runs(scene, asked.runs, asked.queries, asked.draws, not asked.kept)
        for scene in scenes(given)
    ]
    every = [(runs, cell) for runs in made for cell in cells(runs)]
    if not asked.kept:
        for runs, cell in every:
            if any(fnmatch(cell.name, one) for one in asked.cells or ["*"]):
                make(runs, cell)
    if asked.cells:
        return
    out = asked.results / "study_real_networks.csv"
    write(out, merged(out, list(table(every)), KEY))
    for runs in made:
        if done := [cell for of, cell in finished(every) if of is runs]:
            shown = [cell for cell in done if cell.sampler == done[0].sampler]
            paint(runs, shown, asked.images / f"study_real_networks_{runs.scene.name}.png")


if __name__ == "__main__":
    main()
