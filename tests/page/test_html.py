"""Pages are valid HTML, light, and readable by everyone."""

import os
from pathlib import Path

import pytest
from made_run import everything, gallery, hostile, row

from fiber_audit._judge.compare import compare
from fiber_audit._report import write_comparison, write_report
from fiber_audit.records import frame

AXE = os.environ.get("AXE_CORE", "")
"""The path of axe.min.js (npm install axe-core)."""


def pages(run):
    """Name -> the text of a page of each kind."""
    found = {"everything": write_report(run(*everything())).read_text("utf-8")}
    found["hostile"] = write_report(run(*hostile("<b>'\"&amp;</b>"))).read_text("utf-8")
    found["empty"] = write_report(run([])).read_text("utf-8")
    folder = run([row()], [gallery()])
    changes = compare(frame([row()]), frame([row(value=0.5)]))
    path = write_comparison(folder, folder, changes, folder / "compare.html")
    return found | {"comparison": path.read_text("utf-8")}


def test_pages_are_valid_html(run):
    html5lib = pytest.importorskip("html5lib")
    for name, text in pages(run).items():
        parser = html5lib.HTMLParser(strict=False)
        parser.parse(text)
        assert parser.errors == [], name


def test_a_page_like_that_of_the_default_run_is_below_3_megabytes(run):
    """Three audits, 16 queries of four draws; noise, which no picture format makes smaller."""
    galleries = [gallery(f"net{i}/latent/s", (3, 28, 28), q=16, k=4) for i in range(3)]

    assert write_report(run(None, galleries)).stat().st_size < 3_000_000


@pytest.mark.skipif(not AXE, reason="AXE_CORE is not the path of axe.min.js")
@pytest.mark.parametrize("anchor", ["", "#draws-shape/latent/ndtm~0"])
def test_axe_finds_nothing_serious(browse, run, anchor):
    path = write_report(run(*everything()))
    script = Path(AXE).read_text("utf-8")
    asked = (
        f"(() => {{ {script}; return axe.run().then(r => r.violations.filter("
        "v => ['serious', 'critical'].includes(v.impact)).map(v => [v.id, v.nodes.length])) })()"
    )
    found, _, _ = browse(path, asked, anchor)

    assert found == []
