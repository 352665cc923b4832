r"""TeX between dollars becomes MathML, which browsers show without a script.

>>> shown("a $x^2$ b").startswith('a <math xmlns=')
True
"""

from __future__ import annotations

import re

from latex2mathml.converter import convert

from .links import outside_code

BLOCK = re.compile(r"^\$\$(.+?)\$\$$", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"(?<![\w$\\])\$([^$\n]*[^$\s])\$(?![\w$])")


def shown(text: str) -> str:
    """A page with its formulas as MathML; code stays."""

    def block(found: re.Match[str]) -> str:
        return f"<div>{convert(found[1].strip(), display='block')}</div>"

    def inline(found: re.Match[str]) -> str:
        return convert(found[1])

    return outside_code(text, lambda part: INLINE.sub(inline, BLOCK.sub(block, part)))
