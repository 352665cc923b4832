"""Where a file of the repository is on the site, and links that lead there.

Pages of docs/ are where they are. READMEs of plugins and a few more become pages, and so do source
files that some page links to: the site is whole without a server that shows the repository.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "benchmarks/README.md": "benchmarks.md",
    "tests/README.md": "tests.md",
    "plugins/fiber_audit_dashboards": "dashboards.md",
}
"""File or folder of the repository -> its page."""
LANGUAGES = {".py": "python", ".toml": "toml", ".csv": "text", ".json": "json", ".yml": "yaml"}
"""Files that are shown; others are handed out as they are."""
TILDES = "~" * 8
LINK = re.compile(r"(\]\()([^)\s]+)(\))")
CODE = re.compile(r"(^ *```.*?^ *```\s*?$|`[^`\n]*`)", re.DOTALL | re.MULTILINE)


def place_of(path: str) -> str:
    """Path in the repository -> path in the site's sources.

    >>> place_of("docs/ci.md"), place_of("plugins/fiber_audit_fid"), place_of("fiber_audit/_run.py")
    ('ci.md', 'plugins/fid.md', 'source/fiber_audit/_run.py.md')
    """
    if path in PAGES:
        return PAGES[path]
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    if plugin := re.fullmatch(r"plugins/fiber_audit_(\w+?)(/README\.md)?", path):
        return f"plugins/{plugin[1].replace('_', '-')}.md"
    shown = (ROOT / path).is_dir() or Path(path).suffix in LANGUAGES
    return f"source/{path}.md" if shown else f"source/{path}"


def plugin_pages() -> dict[str, str]:
    """Page -> README, of every plugin that has one."""
    readmes = sorted((ROOT / "plugins").glob("*/README.md"))
    paths = [readme.relative_to(ROOT).as_posix() for readme in readmes if readme.stat().st_size]
    return {place_of(path): path for path in paths}


def outside_pages() -> dict[str, str]:
    """Page -> file, of all files outside of docs/ that have a page of their own."""
    fixed = {page: path for path, page in PAGES.items() if path.endswith(".md")}
    return {p: f for p, f in fixed.items() if p != "index.md"} | plugin_pages()


def targets(text: str, home: str) -> Iterator[str]:
    """Paths in the repository that a page links to; home: its own path there."""
    for link in LINK.finditer(CODE.sub("", text)):
        if path := _local(link[2], home):
            yield path


def rewritten(text: str, home: str, page: str) -> str:
    """The page's text with links as they are on the site; page: where it is there."""

    def moved(link: re.Match[str]) -> str:
        path = _local(link[2], home)
        if path is None:
            return link[0]
        _, hash_, anchor = link[2].partition("#")
        there = posixpath.relpath(place_of(path), posixpath.dirname(page) or ".")
        return f"{link[1]}{there}{hash_}{anchor}{link[3]}"

    return outside_code(text, lambda part: LINK.sub(moved, part))


def outside_code(text: str, change: Callable[[str], str]) -> str:
    """Change what is no code."""
    parts = CODE.split(text)
    return "".join(part if i % 2 else change(part) for i, part in enumerate(parts))


def _local(link: str, home: str) -> str | None:
    path = link.partition("#")[0]
    if not path or "://" in link or link.startswith("mailto:"):
        return None
    return posixpath.normpath(posixpath.join(posixpath.dirname(home), path))


def sources(linked: Iterator[str]) -> dict[str, str]:
    """Page or file of the site -> what it shows, of the targets outside of docs/ without a page."""
    known = outside_pages().values()
    paths = {path for path in linked if not path.startswith("docs/") and (ROOT / path).exists()}
    paths = {path for path in paths if place_of(path).startswith("source/")} - {*known}
    paths |= {file for path in paths for file in _inside(path)}
    return {place_of(path): path for path in sorted(paths)}


def _inside(path: str) -> list[str]:
    found = sorted((ROOT / path).rglob("*.py")) if (ROOT / path).is_dir() else []
    return [p.relative_to(ROOT).as_posix() for p in found if "__pycache__" not in p.parts]


def source_page(path: str) -> str:
    """The page of a source file, or of a folder of them."""
    file = ROOT / path
    if file.suffix == ".md":
        return file.read_text()
    if not file.is_dir():
        return f"# {path}\n\n{TILDES}{LANGUAGES[file.suffix]}\n{file.read_text()}\n{TILDES}\n"
    home = posixpath.dirname(place_of(path))
    links = [f"- [{each}]({posixpath.relpath(place_of(each), home)})" for each in _inside(path)]
    return f"# {path}\n\n" + "\n".join(links) + "\n"
