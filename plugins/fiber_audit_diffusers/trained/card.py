"""`card.md` and `quality.json`: what a fit was made of and how good it is, to read and to parse."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from fiber_audit.fitting import Record, write_file

from .kernel_distance import Distance
from .quality import Quality

READING = """
Kernel distance (KID) of each set to the held-out items, ± its standard error; smaller is nearer.
Training data are the floor, a Gaussian with mean and covariance of the training data is the mark
to beat. Networks with random weights see contrast, texture and layout and know no objects: a prior
that fails here is broken, one that passes may still draw what no expert would take for real.
"""
RECITING = """
Nearest training item: a draw is {ratio:.2f} times as far from it as a held-out item (median), and
{copies:.1%} of the draws are nearer to one than all but 1 % of the held-out items. Well below 1,
and well above 1 %, says that the prior recites its training data, or that its draws are blurred.
Items of one patient or one scene on both sides of the split hide it.
"""


def write_card(folder: Path, record: Record, quality: Quality | None) -> list[str]:
    """Write both files; returns what to say: the table, line by line."""
    text, lines = f"# A prior of {record.data['items']:,} items\n\n", list[str]()
    text += "".join(f"- {name}: {value}\n" for name, value in _made(record).items())
    if quality is not None:
        lines = _table(quality)
        text += "\n## Quality\n\n" + "\n".join(lines) + "\n" + READING
        if quality.recital is not None:
            text += RECITING.format(**dataclasses.asdict(quality.recital))
        content = json.dumps(dataclasses.asdict(quality), indent=2, allow_nan=False)
        write_file(folder / "quality.json", content + "\n")
    write_file(folder / "card.md", text)
    return lines


def _made(record: Record) -> dict[str, object]:
    options = ", ".join(f"{name} {value}" for name, value in record.options.items() if value != "")
    return {
        "data": f"{record.data['items']:,} items of {tuple(record.data['shape'])}",
        "options": options,
        "seed": record.seed,
        "steps": f"{record.step:,}",
        **dict(record.facts or {}),
    }


def _table(quality: Quality) -> list[str]:
    who = list(next(iter(quality.distances.values())))
    rows = [["seen by", *who], ["---"] * (len(who) + 1)]
    rows += [[eye, *(_cell(found[w]) for w in who)] for eye, found in quality.distances.items()]
    said = f"{quality.draws:,} draws and {quality.held_out:,} held-out items:"
    if quality.lost:
        said = f"{quality.lost:,} draws were not finite and are left out; {said}"
    return [said, "", *(f"| {' | '.join(row)} |" for row in rows)]


def _cell(distance: Distance | None) -> str:
    if distance is None:
        return "too few items, or too large numbers"
    return f"{distance.value:.3g} ± {distance.stderr:.2g}"
