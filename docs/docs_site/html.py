"""Laws of the built site: nothing is fetched from elsewhere, and every link has an end."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

FETCHED = {
    *(("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("video", "src")),
    *(("link", "href"), ("object", "data"), ("use", "href")),
}
QUIET = {"canonical", "alternate", "prev", "next"}
"""Relations of a link that a browser does not fetch."""


class Page(HTMLParser):
    """What a page links to, what it fetches, and the names of its places."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links, self.fetched, self.ids = set[str](), set[str](), set[str]()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note one element."""
        given = {name: value or "" for name, value in attrs}
        self.ids |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.add(given["href"])
        if given.get("rel") not in QUIET:
            self.fetched |= {given[n] for t, n in FETCHED if t == tag and n in given}


def complaints(site: Path) -> Iterator[str]:
    """One sentence for everything that is fetched from elsewhere, and for every dead link."""
    pages = {path.resolve(): Page(path.read_text()) for path in sorted(site.rglob("*.html"))}
    for path, page in pages.items():
        if path.name == "404.html":
            continue  # its links are those of a server's root
        name = path.relative_to(site.resolve())
        for address in sorted(page.fetched):
            if urlsplit(address).scheme in ("http", "https") or address.startswith("//"):
                yield f"{name}: {address} is fetched from elsewhere."
        for link in sorted(page.links | page.fetched):
            yield from (f"{name}: {link} {why}." for why in _dead(path, link, pages))


def _dead(path: Path, link: str, pages: dict[Path, Page]) -> Iterator[str]:
    parts = urlsplit(link)
    if parts.scheme or link.startswith("//"):
        return
    there = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if there.is_dir():
        there /= "index.html"
    if not there.exists():
        yield "leads nowhere"
    elif parts.fragment and there in pages and unquote(parts.fragment) not in pages[there].ids:
        yield "leads to no place on that page"
