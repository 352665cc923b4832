"""After how many draws training pays: trained samplers beside training-free ones.

Command   OMP_NUM_THREADS=1 python benchmarks/break_even.py --time [--run RUN] [--fits FOLDER]
Needs     a run of benchmarks/color_mnist/figure4.py and its fits
Writes    benchmarks/results/break_even.csv, docs/img/break_even.svg
Expect    flat lines of trained samplers that cross the rising ones of guided samplers

One row per trained sampler and per rival; `pays_beside_X` is the least number of draws that cost no
more, training included, than as many of X, which may be nearer to the fiber or farther: see
`fiber_loss`.

Without --time the seconds are what the fits and the run noted, busy as the machine was. With it
they are CPU seconds measured here, in one process and on one thread: draws in turns, medians over
rounds; training by some hundred steps of a fit with the same options, times the steps that the fit
took. Neither counts reading and encoding the data, nor looks at held-out data.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from break_even_picture import PICTURE, draw
from break_even_seconds import Seconds, Timing, noted, timed
from tabulated import head

import fiber_audit
from fiber_audit import DataError, FiberAuditError, Suite
from fiber_audit._judge.advice import Choice, pays_after
from fiber_audit._judge.interval import Interval
from fiber_audit._suite.catalogue import Catalogue
from fiber_audit._suite.components import Components
from fiber_audit._suite.options import defaults_of
from fiber_audit.records import read

RUN = Path("runs/figure4/run")
OUT = Path(__file__).parent / "results" / "break_even.csv"
PAIR = ("shape", "latent")
RIVALS = ("ndtm-5", "ndtm-10", "moment-matched")
STATISTICS = {
    "fiber_loss": ("fiber_loss_relative", "mean"),
    "colour_w1": ("colour_w1", "mean"),
    "colour_w1_floor": ("colour_w1", "floor"),
    "colour_kl": ("colour_kl", "mean"),
    "colour_kl_floor": ("colour_kl", "floor"),
}


def suite_of(run: Path, fits: Path | None, device: str) -> Suite:
    """The suite of a run, on this device.

    Its fits are where its paths lead from the folder that the run is in, or all in `fits`.
    """
    suite = fiber_audit.load_suite(run / "suite.toml")
    samplers = dict(suite.samplers)
    for key, use in suite.samplers.items():
        if "path" in use.options:
            given = Path(use.options["path"])
            path = run.parent / given if fits is None else fits / given.name
            samplers[key] = use.model_copy(update={"path": str(path)})
    return suite.model_copy(update={"samplers": samplers, "device": device})


def rows(
    components: Components, records: pd.DataFrame, seconds: dict[str, Seconds]
) -> Iterator[dict[str, Any]]:
    """One row per sampler, in the suite's order."""
    pooled = records[records["query"].isna() & records["seen_by"].isna()]
    about = {
        **head(),
    }
    for key, found in seconds.items():
        use = components.suite.samplers[key]
        own = pooled[pooled["audit"] == "/".join((*PAIR, key))]
        values = own.set_index(["metric", "statistic"])
        loss = values.loc[STATISTICS["fiber_loss"]]
        factory = components.component("sampler", use).factory
        weight = {**defaults_of(factory), **use.options}.get("fiber_weight")
        as_choice = Choice(key, Interval(0, 0, 0), found.training, found.per_draw)
        yield {
            **about,
            "sampler": key,
            "class": use.use,
            "fiber_weight": weight,
            **{name: values["value"].get(which) for name, which in STATISTICS.items()},
            "fiber_loss_low": loss["ci_low"],
            "fiber_loss_high": loss["ci_high"],
            "training_steps": found.steps,
            "training_seconds": found.training,
            "seconds_per_draw": found.per_draw,
            "timed": found.how,
            **{
                f"pays_beside_{rival}": _told(pays_after(as_choice, seconds[rival].per_draw))
                for rival in RIVALS
                if rival in seconds and found.training
            },
        }


def _told(draws: int | None) -> int | str:
    return "never" if draws is None else draws


def main() -> None:
    """Measure or look up, tabulate and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, default=RUN, help="default: that of figure4.py")
    parser.add_argument("--fits", type=Path, help="folder of the fits, if they were moved")
    parser.add_argument("--time", action="store_true", help="measure the seconds here and now")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--draws", type=int, default=64, help="draws of a sampler in a round")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=300, help="steps of training to time")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--picture", type=Path, default=PICTURE)
    options = parser.parse_args()
    torch.set_num_threads(1)
    records = read(options.run)
    suite = suite_of(options.run, options.fits, options.device)
    components = Components(suite, Catalogue.load())
    if options.time:
        timing = Timing(options.draws, options.rounds, options.steps)
        seconds = timed(components, PAIR, RIVALS, timing)
    else:
        seconds = noted(components, PAIR, RIVALS, records)
    table = list(rows(components, records, seconds))
    if not table:
        raise DataError(f"{options.run}: it holds no sampler of {'/'.join(PAIR)}.")
    options.out.parent.mkdir(exist_ok=True)
    with options.out.open("w", newline="") as file:
        names = list(dict.fromkeys(name for row in table for name in row))
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        for row in table:
            writer.writerow({k: f"{v:.5g}" if isinstance(v, float) else v for k, v in row.items()})
    draw(pd.read_csv(options.out), options.picture)
    print(f"wrote {options.out} and {options.picture}")


if __name__ == "__main__":
    try:
        main()
    except FiberAuditError as error:
        raise SystemExit(str(error)) from error
