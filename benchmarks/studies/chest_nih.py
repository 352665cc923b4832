"""Situs inversus on 1,000 adult radiographs of 64 pixels, split by patient.

Command   OMP_NUM_THREADS=1 python benchmarks/studies/chest_nih.py --data DATA
          DATA: the folder of NIH ChestX-ray14 (images/*.png, Data_Entry_2017.csv), or an .npz of it
Writes    benchmarks/results/study_chest_nih.csv, study_chest_nih_prior.csv (30 minutes)
Expect    F minus G above 0 with its interval, and near what is expected by Bayes

Networks, prior and judges are trained on 70 % of the patients; queries are 32 mirrored pictures of
32 others. Columns are those of chest.py; expected: fitted on held-out pictures of all other
patients; accuracy: of a judge, on held-out pictures. The prior's are those of chest_quality.py, of
as many draws as there are training pictures. Networks and finished draws are kept in --runs: kill
it and run it again.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from chest_cells import SEEDS, Cell
from chest_nih_data import read
from chest_nih_networks import Trained
from chest_nih_prior import both, quality
from chest_study import Q, Study, table
from fiber_audit_chest.radiographs import mirrored

sys.path.insert(0, str(Path(__file__).parents[1]))
from tabulated import head, write

RESULTS = Path(__file__).parents[1] / "results"
PRIOR = "chest-both"
CELLS = [
    Cell(PRIOR, "", 0, ""),
    *(Cell(PRIOR, n, s, "moment-matched") for s in SEEDS for n in ("F", "G")),
    *(Cell(PRIOR, "S", 0, "moment-matched", f) for f in ("mirrored", "real")),
    *(Cell(PRIOR, n, s, "moment-matched, gradual") for s in SEEDS for n in ("F", "G")),
    *(Cell(PRIOR, n, s, "ndtm") for s in SEEDS for n in ("F", "G")),
    Cell(PRIOR, "S", 0, "ndtm"),
]


def opened(data: Path, runs: Path) -> tuple[Study, Trained]:
    """The study, and its networks. Expected: from the codes of others, new to the networks too."""
    adults = read(data)
    seen, held = adults.halves()
    trained = Trained(adults.part(seen), adults.part(held), runs / "weights")
    judges = trained.judge(1), trained.judge(2)
    chosen = adults.one_each(held)[:Q]
    asked = {adults.patients[i] for i in chosen}
    others = [i for i in held if adults.patients[i] not in asked]
    queries = adults.part(chosen).x
    study = Study(
        runs,
        {"mirrored": mirrored(queries), "real": queries},
        adults.part(others).x,
        {PRIOR: both(trained)},
        judges,
        None,
        trained.network,
    )
    return study, trained


def main() -> None:
    """Train, draw, judge; write the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=Path, default=Path("runs/study_chest_nih"))
    parser.add_argument("--results", type=Path, default=RESULTS)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    study, trained = opened(asked.data, asked.runs)
    first = {**head(), "seen": len(trained.seen.x), "held_out": len(trained.held.x)}
    rows = [
        {**first, "network": f"judge {which}", "accuracy": trained.judge(which).accuracy}
        for which in (1, 2)
    ]
    for row in table(study, CELLS):
        rows.append({**first, **row})
        print({k: v for k, v in row.items() if v != ""}, flush=True)
        write(asked.results / "study_chest_nih.csv", rows)
    found = [{**first, "prior": PRIOR, **row} for row in quality(both(trained), trained)]
    write(asked.results / "study_chest_nih_prior.csv", found)


if __name__ == "__main__":
    main()
