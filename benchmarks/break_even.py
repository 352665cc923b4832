"""After how many draws training pays: trained samplers beside training-free ones.

Command   OMP_NUM_THREADS=1 python benchmarks/break_even.py --work runs/figure4
Needs     the fits of benchmarks/color_mnist/figure4.py, and benchmarks/results/figure4.csv
Writes    benchmarks/results/break_even.csv, docs/img/break_even.svg
Expect    flat lines of trained samplers that cross the rising ones of guided samplers

One row per trained sampler and per rival; `pays_beside_X` is the least number of draws that cost no
more, training included, than as many of X, which may be nearer to the fiber or farther: see
`fiber_loss`, which is that of figure4.csv.

Seconds are those that the CPU spent in this process, on one thread, whatever else the machine did.
Training is computed: seconds of a step, measured over `timed_steps` of a fit with the same options,
times the steps that the fit took, and those of the fit that it began with. Neither reading and
encoding the data nor looks at held-out data are in it. A sampler that guides computes blocks of 16
rows, so fewer than 16 of its draws cost as much as 16.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from break_even_picture import PICTURE, draw
from break_even_seconds import Seconds, Timing, timed
from tabulated import head, write

import fiber_audit
from fiber_audit import FiberAuditError, Suite
from fiber_audit._judge.advice import Choice, pays_after
from fiber_audit._judge.interval import Interval
from fiber_audit._suite.catalogue import Catalogue
from fiber_audit._suite.components import Components
from fiber_audit._suite.options import defaults_of

HERE = Path(__file__).parent
SUITE = HERE / "color_mnist" / "figure4.toml"
LOSSES = HERE / "results" / "figure4.csv"
OUT = HERE / "results" / "break_even.csv"
PAIR = ("shape", "latent")
RIVALS = ("ndtm-5", "moment-matched")
"""A draw of NDTM takes as long with any guidance."""
SHOWN = ("fiber_loss", "fiber_loss_low", "fiber_loss_high", "fiber_rms", "colour_kl",
         "colour_kl_floor", "colour_w1", "colour_w1_floor")  # fmt: skip


def suite_in(work: Path) -> Suite:
    """The suite of figure 4, whose fits are in this folder, on the CPU."""
    suite = fiber_audit.load_suite(SUITE)
    samplers = dict(suite.samplers)
    for key, use in suite.samplers.items():
        lie = {n: str(work / use.options[n]) for n in ("path", "start") if n in use.options}
        samplers[key] = use.model_copy(update=lie)
    return suite.model_copy(update={"samplers": samplers, "training": None, "device": "cpu"})


def rows(
    components: Components, losses: pd.DataFrame, seconds: dict[str, Seconds]
) -> Iterator[dict[str, Any]]:
    """One row per sampler, in the suite's order."""
    about = head()
    for key, found in seconds.items():
        use = components.suite.samplers[key]
        factory = components.component("sampler", use).factory
        as_choice = Choice(key, Interval(0, 0, 0), found.training, found.per_draw)
        yield {
            **about,
            "sampler": key,
            "class": use.use,
            "fiber_weight": {**defaults_of(factory), **use.options}.get("fiber_weight"),
            "corrections": use.options.get("corrections", 0),
            **{name: losses[name].get(key) for name in SHOWN},
            "training_steps": found.steps,
            "timed_steps": found.timed_steps,
            "training_cpu_seconds": found.training,
            "timed_draws": found.timed_draws,
            "cpu_seconds_per_draw": found.per_draw,
            **{
                f"pays_beside_{rival}": _told(pays_after(as_choice, seconds[rival].per_draw))
                for rival in RIVALS
                if found.training
            },
        }


def _told(draws: int | None) -> int | str:
    return "never" if draws is None else draws


def main() -> None:
    """Measure, tabulate and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path("runs/figure4"), help="of figure4.py")
    parser.add_argument("--draws", type=int, default=64, help="draws of a trained one in a round")
    parser.add_argument("--guided", type=int, default=16, help="of one that guides, which is slow")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=100, help="steps of a training to time")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--picture", type=Path, default=PICTURE)
    options = parser.parse_args()
    torch.set_num_threads(1)
    components = Components(suite_in(options.work), Catalogue.load())
    timing = Timing(options.draws, options.guided, options.rounds, options.steps)
    losses = pd.read_csv(LOSSES).set_index("label")
    table = list(rows(components, losses, timed(components, PAIR, RIVALS, timing)))
    write(options.out, table)
    draw(pd.read_csv(options.out), options.picture)
    print(f"wrote {options.out} and {options.picture}")


if __name__ == "__main__":
    try:
        main()
    except FiberAuditError as error:
        raise SystemExit(str(error)) from error
