"""The site: every page is reached, every link ends somewhere, nothing comes from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from browser import browsed, needs_axe, serious
from docs_site import html, links
from docs_site.components import KINDS
from docs_site.markdown import prose

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
MADE = {f"reference/{kind}s.md" for kind in KINDS} | {
    "reference/commands.md",
    "reference/tables.md",
}


def name(page):
    return page.relative_to(ROOT).as_posix()


def in_nav(text):
    return re.findall(r"[\w/-]+\.md", text.partition("\nnav:\n")[2])


def test_every_page_is_in_the_navigation_once():
    nav = in_nav((ROOT / "mkdocs.yml").read_text())
    written = {page.relative_to(ROOT / "docs").as_posix() for page in PAGES}

    assert len(nav) == len({*nav})
    assert {*nav} == written | MADE | {*links.outside_pages()}


def anchors(text):
    heads = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", text, flags=re.S | re.M), re.M)
    bare = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", head).replace("`", "") for head in heads)
    return {re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", head).strip().lower()) for head in bare}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_into_the_reference_lead_to_pages_that_are_made(page):
    for link in re.findall(r"\]\(([^)#:]*\.md)", page.read_text()):
        there = (page.parent / link).resolve()
        if there.parent == ROOT / "docs" / "reference":
            assert there.exists() or there.relative_to(ROOT / "docs").as_posix() in MADE


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_to_a_place_on_a_page_find_it(page):
    for path, anchor in re.findall(r"\]\(([^)#:\s]*)#([^)]+)\)", page.read_text()):
        there = (page.parent / path).resolve() if path else page
        if there.suffix == ".md" and there.exists():
            assert anchor in anchors(there.read_text()), (path, anchor)


@pytest.mark.parametrize("page", [*PAGES, *sorted(ROOT.glob("plugins/*/README.md"))], ids=name)
def test_a_list_or_table_follows_an_empty_line_or_it_is_a_paragraph_on_the_site(page):
    lines = ["", *prose(page.read_text()).splitlines()]
    for before, line in pairwise(lines):
        starts = re.match(r"([-*] |\d+\. |\| )", line)
        inside = re.match(r"([-*] |\d+\. |\||  )", before)
        assert not (starts and before.strip() and not inside), (before, line)


def test_what_links_lead_out_of_the_docs_is_on_the_site_too():
    text = "[a](../plugins/fiber_audit_fid/README.md#x) [b](../fiber_audit/_run.py) `[c](../d)`"

    assert links.rewritten(text, "docs/ci.md", "ci.md") == (
        "[a](plugins/fid.md#x) [b](source/fiber_audit/_run.py.md) `[c](../d)`"
    )
    assert {*links.targets(text, "docs/ci.md")} == {
        "plugins/fiber_audit_fid/README.md",
        "fiber_audit/_run.py",
    }


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ('<script src="https://example.org/x.js"></script>', "is fetched from elsewhere"),
        ('<img src="//example.org/x.png">', "is fetched from elsewhere"),
        ('<link rel="stylesheet" href="http://example.org/x.css">', "is fetched from elsewhere"),
        ('<a href="nowhere.html">x</a>', "leads nowhere"),
        ('<a href="#nothing">x</a>', "leads to no place on that page"),
        ('<a href="b.html#nothing">x</a>', "leads to no place on that page"),
        ('<a href="https://example.org">x</a> <a href="b.html#here">y</a>', None),
    ],
)
def test_what_the_site_must_not_have_is_found_out(body, complaint, tmp_path):
    (tmp_path / "a.html").write_text(body)
    (tmp_path / "b.html").write_text('<h1 id="here">b</h1>')

    found = [*html.complaints(tmp_path)]

    assert [said.partition(" ")[2] for said in found] == [] if complaint is None else found
    assert complaint is None or complaint in found[0]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site; warnings are errors."""
    pytest.importorskip("mkdocs")
    built = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(built)]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=quiet, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return built


@pytest.mark.slow  # a minute; CI builds the site as well
def test_the_site_is_built_without_a_warning(site):
    assert (site / "reference" / "metrics.html").exists()


@pytest.mark.slow
@needs_axe
@pytest.mark.parametrize("width", [390, 1300])
@pytest.mark.parametrize(
    "page", ["index", "your-network", "hooks", "reference/metrics", "studies/texture-and-shape"]
)
def test_axe_finds_nothing_serious_on_the_site(site, page, width, tmp_path):
    found, complaints, _ = browsed(site / f"{page}.html", tmp_path, serious(), width=width)

    assert found == []
    assert complaints == []
