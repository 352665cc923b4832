"""The page: every part of the report, through one template, into one file."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ..files import write_atomically
from . import facts
from .answer import MARKS, answer_of, bounds_of
from .drawn import drawn
from .headlines import axis_tables, pooled
from .plain import plain
from .plots import scatters
from .sources import Sources, read_sources
from .tiles import exhibits, sentences

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

FILE = "report.html"


def write(run: Path, tell: Callable[[str], None]) -> Path:
    """See `fiber_audit._report.write_report`."""
    sources = read_sources(run)
    for sentence in sources.missing.values():
        tell(sentence)
    return write_atomically(run / FILE, render(sources))


def render(sources: Sources) -> str:
    """The text of report.html."""
    records, verdicts = sources.records, sources.verdicts
    bounds = bounds_of(records, verdicts)
    draws = drawn(records, sources.galleries, sources.missing)
    anchors = {d.audit: d.anchor for d in draws}
    suites = records["suite"].dropna()
    return (
        _jinja()
        .get_template("page.html.j2")
        .render(
            suite=str(suites.iloc[0]) if len(suites) else "audit",
            answer=answer_of(records, verdicts),
            marks=MARKS,
            tables=axis_tables(records, bounds),
            pooled=pooled(records, bounds),
            plots=scatters(records),
            sentences=list(sentences(sources.tables, anchors)),
            exhibits=list(exhibits(sources.tables, anchors)),
            draws=draws,
            costs=facts.costs(records),
            cost_names=list(facts.COSTS.values()),
            provenance=facts.provenance(records, sources.environment),
            suite_toml=sources.suite_toml,
        )
    )


@cache
def _jinja() -> Environment:
    """Every expression of the template is plain text, then escaped; only plots are HTML."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup, escape

    def breakable(text: str) -> Markup:
        marked = str(escape(plain(text))).replace("_", "_<wbr>").replace("/", "/<wbr>")
        return Markup(marked)  # escaped in the line above

    def shown(found: object) -> object:
        if isinstance(found, str) and not isinstance(found, Markup):
            return plain(found, keep="\n\t")
        return found

    jinja = Environment(
        loader=PackageLoader("fiber_audit._report", "."),
        autoescape=True,
        finalize=shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.filters["breakable"] = breakable
    return jinja
