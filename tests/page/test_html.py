"""Pages are valid HTML, light, and readable by everyone."""

import pytest
from browser import needs_axe, serious
from made_run import everything, gallery, hostile, row

from fiber_audit._judge.compare import compare
from fiber_audit._report import write_comparison, write_report
from fiber_audit.records import frame


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


@needs_axe
@pytest.mark.parametrize("width", [390, 1300])
@pytest.mark.parametrize("anchor", ["", "#draws-shape/latent/ndtm~0"])
def test_axe_finds_nothing_serious_on_a_report(browse, run, anchor, width):
    path = write_report(run(*everything()))

    assert browse(path, serious(), anchor, width)[0] == []


@needs_axe
@pytest.mark.parametrize("width", [390, 1300])
def test_axe_finds_nothing_serious_on_a_comparison(browse, run, width):
    path = run([row()], [gallery()]) / "compare.html"
    path.write_text(pages(run)["comparison"], "utf-8")

    assert browse(path, serious(), width=width)[0] == []


@needs_axe
def test_axe_finds_a_picture_without_words_and_a_text_without_contrast(browse, run):
    path = write_report(run([row()]))
    bad = '<img src="data:,"><p style="color: #ddd; background: #fff">pale</p></main>'
    path.write_text(path.read_text("utf-8").replace("</main>", bad), "utf-8")

    assert [rule for rule, _ in browse(path, serious())[0]] == ["color-contrast", "image-alt"]
