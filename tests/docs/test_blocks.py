"""Every block of code in README, docs and READMEs of plugins is run, or says why not.

A comment above a block: `file: NAME` (it is written there), `more of: NAME` (added to it),
`runs in: PATH` (a test of its own, or CI), `not run: REASON`; Python that is not run is compiled.
Blocks of Python whose first line is a path are files of the plugins that test_authors.py loads.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
from docs_site.commands import SHELLS, lines_of, words_of
from docs_site.markdown import blocks
from docs_site.suites import problems
from PIL import Image

from fiber_audit._suite.catalogue import Catalogue
from fiber_audit.commands.main import guarded

ROOT = Path(__file__).parents[2]
OWN_TEST = {"cluster.md": "test_cluster.py"}
"""Pages whose blocks have a test file of their own."""
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [page for page in PAGES if page.name not in OWN_TEST]
READMES = sorted(ROOT.glob("plugins/*/README.md"))
REASONS = {"needs a GPU", "needs the internet", "installs packages", "needs a git checkout"}
FILE = re.compile(r"# [\w/]+\.py\n")
EXAMPLE = ROOT / "examples" / "fiber_audit_brightness" / "fiber_audit_brightness.py"


def name(page):
    return page.relative_to(ROOT).as_posix()


def of(page, *languages):
    return [block for block in blocks(page.read_text()) if block.language in languages]


@pytest.fixture(scope="module")
def catalogue():
    installed = Catalogue.load()
    known = "brightness" in installed.names("extractor")
    return installed if known else Catalogue.load(extra=[str(EXAMPLE)])


@pytest.mark.parametrize("page", [*PAGES, *READMES], ids=name)
def test_every_piece_of_a_suite_is_valid(page, catalogue):
    for block in of(page, "toml"):
        assert problems(tomllib.loads(block.text), catalogue) == [], block.line


def test_a_piece_that_is_wrong_is_found_out(catalogue):
    def said(text):
        return problems(tomllib.loads(text), catalogue)

    assert said("drawz = 2") == ["drawz: no such key"]
    assert len(said("[samplers.ndtm]\nstepz = 2")) == 1
    assert len(said("[priors.a]\nuse = 'no-such'")) == 1
    assert len(said("[[conditions]]\nmetric = 'diversity'")) == 1


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_suites_and_commands_are_as_wide_as_the_site_shows(page):
    for block in of(page, "toml", "text", *SHELLS):
        assert max(map(len, block.text.splitlines())) <= 88, block


AUDITS = {"README.md", "docs/python.md"}
"""Pages whose Python draws from fibers."""
MARKED = [
    pytest.param(page, marks=pytest.mark.slow) if name(page) in AUDITS else page
    for page in [*PAGES, *READMES]
]


@pytest.mark.parametrize("page", MARKED, ids=name)
def test_python_runs_from_the_top_of_a_page_to_its_end(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    space = {"__name__": "page"}
    for block in of(page, "python"):
        code = compile(block.text, f"{name(page)}:{block.line}", "exec")
        if not FILE.match(block.text) and not elsewhere(block):
            exec(code, space)


def elsewhere(block):
    """Whether a block is not run here; the reason must be one that is known."""
    if block.comment.startswith("runs in: "):
        assert (ROOT / block.comment.removeprefix("runs in: ")).exists(), block
        return True
    if block.comment.startswith("not run: "):
        assert block.comment.removeprefix("not run: ") in REASONS, block
        return True
    return False


def test_files_that_pages_show_are_loaded_by_the_tests_of_authors():
    pages = {page.name for page in PAGES for b in of(page, "python") if FILE.match(b.text)}

    assert pages == {"hooks.md", "write-a-plugin.md"}


class Toy:
    """What a tutorial needs, made small: files, and settings that replace those of the page."""

    def __init__(self, prepare=lambda folder: None, small=(), settings="", files="", words=None):
        self.prepare, self.small, self.settings, self.files = prepare, small, settings, files
        self.words = words or {}
        self.plugins = []


def photographs(folder):
    rng = np.random.default_rng(0)
    (folder / "photos").mkdir()
    for i in range(24):
        x = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        Image.fromarray(x).resize((32, 32)).save(folder / "photos" / f"{i}.png")


TOYS = {
    "your-network.md": Toy(
        photographs,
        [
            ("size = 64", "size = 16"),
            ("steps = 10 ", "steps = 1\npolish = 0\nrestarts = 0 "),
            ("directions = 4", "directions = 1"),
            ("width = 32", "width = 4\nlevels = 1\ndepth = 1\nsteps = 2\njudged = 0"),
            ("max = 0.5", "max = 50"),
        ],
        settings="queries.n=2 draws=1 unguided_steps=2",
    ),
    "ci.md": Toy(
        small=[
            ("[samplers.ndtm]", "[samplers.ndtm]\nsteps = 2"),
            ("max = 0.15", "max = 50"),
            ("min = 0.5", "min = 0"),
            (re.compile(r"\[\[conditions\]\] +# no worse.*?(?=\[\[)", re.DOTALL), ""),
        ],
        settings="queries.n=2 draws=2 unguided_steps=2",
        words={"runs/my-network-0123456789": "runs/my-network-*"},
    ),
    "write-a-plugin.md": Toy(
        settings="queries.n=2 draws=1 unguided_steps=2 samplers.ndtm.steps=2",
        files="my-network",
    ),
}


@pytest.mark.slow  # networks of torchvision and of EfficientNet, and a prior that is trained
@pytest.mark.parametrize("page", TOYS)
def test_the_commands_of_a_tutorial_do_what_they_say(page, tmp_path, monkeypatch, capfd):
    toy = TOYS[page]
    monkeypatch.chdir(tmp_path)
    toy.prepare(tmp_path)
    for block in of(ROOT / "docs" / page, "toml", "python", *SHELLS):
        if block.language == "python" and FILE.match(block.text):
            path = tmp_path / toy.files / block.text.split("\n")[0].removeprefix("# ")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
        if block.language == "toml" and block.comment.startswith(("file: ", "more of: ")):
            text = block.text
            for old, new in toy.small:
                text = old.sub(new, text) if isinstance(old, re.Pattern) else text.replace(old, new)
            mode = "w" if block.comment.startswith("file: ") else "a"
            with (tmp_path / block.comment.split(": ")[1]).open(mode) as file:
                file.write(text)
        if block.language in SHELLS and not elsewhere(block):
            run(lines_of(block.text), toy, monkeypatch)


def module(plugin):
    return f"fiber_audit_{plugin.replace('-', '_')}"


def run(lines, toy, monkeypatch):
    """Every line must succeed."""
    for line in lines:
        words = words_of(line)
        assert words, f"{line}: no command of ours; give the block a comment"
        found = {w: next(iter(Path().glob(p)), p) for w, p in toy.words.items()}
        words = [str(found.get(word, word)) for word in words]
        if words[0] != "new":
            words += [word for plugin in toy.plugins for word in ("--plugin", module(plugin))]
        with monkeypatch.context() as patch:
            if words[0] == "run":
                patch.setenv("FIBER_AUDIT_SET", toy.settings)
            assert guarded(words) == 0, line
        if words[0] == "new":  # and then what `pip install -e` would do
            toy.plugins.append(words[1])
            monkeypatch.syspath_prepend(Path(words[1]).resolve())


def test_every_block_of_a_shell_runs_or_says_why_not():
    for page in PAGES:
        for block in of(page, *SHELLS):
            if page.name not in TOYS:
                assert elsewhere(block), f"{name(page)}:{block.line}"


def test_pages_with_a_test_of_their_own_have_it():
    for page, test in OWN_TEST.items():
        assert f'"{page}"' in (Path(__file__).parent / test).read_text()


def test_reasons_are_used():
    told = {block.comment for page in PAGES for block in blocks(page.read_text())}

    assert {f"not run: {reason}" for reason in REASONS} <= told
