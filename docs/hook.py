"""MkDocs' events: pages are made from the code, links follow, and the result is looked at."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from docs_site import command_line, components, html, links, math, tables
from mkdocs.structure.files import File, Files

LOG = logging.getLogger("mkdocs.hooks.fiber_audit")
HOMES = dict[str, str]()
"""Page of the site -> its path in the repository, where links start."""


def on_files(files: Files, *, config: Any) -> Files:
    """Add what is made: the reference, READMEs, and the sources that pages link to."""
    made = components.pages()
    made |= {"reference/commands.md": command_line.page(), "reference/tables.md": tables.page()}
    texts = {page: (links.ROOT / path).read_text() for page, path in links.outside_pages().items()}
    HOMES.clear()
    HOMES.update({page: f"docs/{page}" for page in made} | links.outside_pages())
    for file in files.documentation_pages():
        HOMES[file.src_uri] = f"docs/{file.src_uri}"
        texts[file.src_uri] = file.content_string
    linked = (path for page, text in texts.items() for path in links.targets(text, HOMES[page]))
    for page, path in links.sources(linked).items():
        if page.endswith(".md"):
            made[page] = links.source_page(path)
            if path.endswith(".md"):
                HOMES[page] = path
        else:
            files.append(File.generated(config, page, abs_src_path=str(links.ROOT / path)))
    outside = {page: texts[page] for page in links.outside_pages()}
    for page, text in (made | outside).items():
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Links as they are on the site, and formulas as MathML."""
    home = HOMES.get(page.file.src_uri)
    if home is None:
        return markdown
    return math.shown(links.rewritten(markdown, home, page.file.src_uri))


def on_post_page(output: str, **_: Any) -> str:
    """The theme's dialogue of the search has no name, which a screen reader needs."""
    return output.replace('role="dialog">', 'role="dialog" aria-label="Search">')


def on_post_build(*, config: Any) -> None:
    """Complain of what the laws of the site forbid; strict builds then fail."""
    for sentence in html.complaints(Path(config.site_dir)):
        LOG.warning(sentence)
