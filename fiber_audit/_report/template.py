"""The templates: every expression is made plain text, then escaped; only our SVG is HTML."""

from __future__ import annotations

import base64
from functools import cache
from hashlib import sha256
from importlib import resources
from typing import TYPE_CHECKING

from .plain import plain

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

SCRIPT = "explore.js"


def rendered(name: str, **parts: object) -> str:
    """One page of a template. The policy lets one script run, which is ours."""
    script = resources.files(__package__).joinpath(SCRIPT).read_text("utf-8").strip()
    digest = base64.b64encode(sha256(script.encode()).digest()).decode("ascii")
    return _jinja().get_template(name).render(script=script, script_digest=digest, **parts)


@cache
def _jinja() -> Environment:
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
