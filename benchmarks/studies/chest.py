"""Do networks of chest radiographs tell a chest from its mirror image? Situs inversus in small.

Command   OMP_NUM_THREADS=1 python benchmarks/studies/chest.py --data pneumoniamnist.npz
Writes    benchmarks/results/study_chest.csv, docs/img/study_chest.png (20 minutes)
Expect    prior chest-both: usual side of F minus G at least .3, interval above 0, by NDTM and by
          moment-matched, and near what is expected by Bayes; S within .1 of
          unguided, for real and mirrored queries alike; judges apart at most .05

32 test radiographs x 4 draws. usual: share of draws that judge 1 takes for the usual side, with a
95 % interval over queries (Wilson's; of a difference, the jackknife's); usual_2: judge 2;
agree: share of draws on which both say the same. loss: RMS fiber loss by that of random pairs of
queries; ceiling: of the queries after a jitter of 1 %. label_kept: share of draws with the label
that the judge of the label gives the query. probe: how often a linear probe of the features tells
a held-out picture from its mirror image. expected: the share of the usual side that the codes of
the queries tell of by Bayes, where both are as frequent. seed "all" pools three trainings. Finished
draws are kept in --runs: kill it and run it again.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from chest_cells import CELLS, Cell, network
from chest_picture import paint
from chest_study import Q, Study, table
from fiber_audit_chest.attributes import ChestLabel, ChestSide
from fiber_audit_chest.dataset import ChestRadiographs
from fiber_audit_chest.priors import Both, Usual
from fiber_audit_chest.radiographs import masked, read

sys.path.insert(0, str(Path(__file__).parents[1]))
from tabulated import head, write

ROOT = Path(__file__).parents[2]
OUT = ROOT / "benchmarks" / "results" / "study_chest.csv"
PICTURE = ROOT / "docs" / "img" / "study_chest.png"


def opened(data: Path, runs: Path) -> Study:
    """Children: queries of both kinds, shipped priors and judges."""
    sets = [ChestRadiographs(str(data), n=Q, orientation=o) for o in ("mirrored", "real")]
    return Study(
        runs,
        {"mirrored": sets[0].load(range(Q)), "real": sets[1].load(range(Q))},
        masked(read(data, "train")[0].float() / 255),
        {"chest-both": Both(), "chest-usual": Usual()},
        (ChestSide(1), ChestSide(2)),
        ChestLabel(),
        network,
    )


def main() -> None:
    """Draw, judge, write the table and the picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=Path, default=Path("runs/study_chest"))
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--picture", type=Path, default=PICTURE)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    study, first, rows = opened(asked.data, asked.runs), head(), []
    for row in table(study, CELLS):
        rows.append({**first, **row})
        print({k: v for k, v in row.items() if v != ""}, flush=True)
        write(asked.out, rows)
    shown = {c.network: study.draws(c)[0] for c in CELLS if _shown(c)}
    usual = {name: study.sides[0].read(x) for name, x in shown.items()}
    paint(study.queries["mirrored"], shown, usual, asked.picture)


def _shown(cell: Cell) -> bool:
    return (
        cell.prior == "chest-both"
        and cell.seed == 0
        and cell.facing == "mirrored"
        and cell.sampler in ("ndtm", "")
        and cell.network in ("F", "G", "S", "")
    )


if __name__ == "__main__":
    main()
