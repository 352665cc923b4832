"""The page: every part of the report, through one template, into one file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..store import write_atomically
from . import facts
from .blind_spots import matrices
from .gallery import Gallery
from .headlines import headlines, pooled
from .pictures import grids
from .plots import scatters
from .verdict import MARKS, verdict_of

if TYPE_CHECKING:
    import pandas as pd


def write_report(
    path: Path,
    records: pd.DataFrame,
    galleries: Sequence[Gallery],
    environment: Mapping[str, object],
    suite_toml: str,
) -> None:
    """Write report.html: one file that needs no network and no script, atomically.

    records: the frame of `fiber_audit.records`. galleries: one per audit that has draws.
    environment: the facts of environment.json. The same arguments give the same bytes.
    """
    page = render(records, galleries, environment, suite_toml)
    write_atomically(path, page.encode("utf-8"))


def render(
    records: pd.DataFrame,
    galleries: Sequence[Gallery],
    environment: Mapping[str, object],
    suite_toml: str,
) -> str:
    """The text of report.html."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup, escape

    jinja = Environment(
        loader=PackageLoader("fiber_audit.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.filters["breakable"] = lambda text: Markup(
        str(escape(text)).replace("_", "_<wbr>").replace("/", "/<wbr>")
    )
    suites = records["suite"].dropna()
    return jinja.get_template("page.html.j2").render(
        suite=str(suites.iloc[0]) if len(suites) else "audit",
        verdict=verdict_of(records),
        marks=MARKS,
        table=headlines(records),
        pooled=pooled(records),
        plots=scatters(records),
        matrices=matrices(records),
        grids=grids(galleries),
        costs=facts.costs(records),
        cost_names=list(facts.COSTS.values()),
        provenance=facts.provenance(records, environment),
        suite_toml=suite_toml,
    )
