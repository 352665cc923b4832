"""The page: every part of the report, through one template, into one file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..files import write_atomically
from . import facts
from .answer import MARKS, answer_of, bounds_of
from .beside import Beside
from .cards import cards_of
from .drawn import drawn
from .headlines import axis_tables, pooled
from .pictures import Keep
from .plots import scatters
from .samplers import samplers
from .sources import Sources, read_sources
from .template import rendered
from .tiles import exhibits, sentences

FILE = "report.html"


def write(run: Path, tell: Callable[[str], None]) -> Path:
    """See `fiber_audit._report.write_report`."""
    sources = read_sources(run)
    for sentence in sources.missing.values():
        tell(sentence)
    beside = Beside(run / FILE)
    text = render(sources, beside.keep)
    path = write_atomically(run / FILE, text)
    beside.sweep()
    return path


def render(sources: Sources, keep: Keep) -> str:
    """The text of report.html."""
    records, verdicts = sources.records, sources.verdicts
    bounds = bounds_of(records, verdicts)
    answer = answer_of(records, verdicts)
    draws = drawn(records, sources.galleries, sources.missing, keep)
    suites = records["suite"].dropna()
    beside = samplers(records, bounds)
    return rendered(
        "page.html.j2",
        suite=str(suites.iloc[0]) if len(suites) else "audit",
        answer=answer,
        marks=MARKS,
        cards=cards_of(sources, answer, {d.audit: len(d.grid.queries) for d in draws if d.grid}),
        samplers=beside,
        plots=scatters(records) if beside else [],
        tables=axis_tables(records, bounds),
        pooled=pooled(records, bounds),
        said=" ".join(sentence.text for sentence in sentences(sources.tables, {})),
        exhibits=list(exhibits(sources.tables, {d.audit: d.anchor for d in draws})),
        draws=draws,
        costs=facts.costs(records),
        cost_names=list(facts.COSTS.values()),
        provenance=facts.provenance(records, sources.environment),
        suite_toml=sources.suite_toml,
    )
