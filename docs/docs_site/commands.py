"""Command lines of ours in a page, and whether the command would take them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from .command_line import commands
from .markdown import blocks

SHELLS = ("bash", "shell", "sh", "console")
PLACEHOLDER = re.compile(r"[\[\]…|]|\.\.\.|<|\$\{")
"""A line of a synopsis, not of a shell."""


def lines_of(text: str) -> list[str]:
    """The commands of a block, without comments and prompts; a line that goes on is one."""
    joined = text.replace("\\\n", " ")
    bare = (
        re.sub(r"(^|\s)# .*$", "", line).removeprefix("$ ").strip() for line in joined.split("\n")
    )
    return [line for line in bare if line]


def told(page: str) -> Iterator[str]:
    """Every `fiber-audit …` of a page: in blocks of a shell, indented, or between backticks."""
    for block in blocks(page):
        if block.language in SHELLS:
            yield from lines_of(block.text)
    outside = re.sub(r"^( *)```.*?^\1```\s*$", "", page, flags=re.DOTALL | re.MULTILINE)
    yield from lines_of("\n".join(re.findall(r"^    (fiber-audit .*)$", outside, re.MULTILINE)))
    yield from re.findall(r"`(fiber-audit [^`]+)`", outside.replace("\n", " "))


def words_of(line: str) -> list[str]:
    """The words after `fiber-audit`, up to what the shell does next; none for another command."""
    if not line.startswith("fiber-audit ") or PLACEHOLDER.search(line):
        return []
    return shlex.split(re.split(r"&&|;|>", line)[0])[1:]


def complaint(words: list[str]) -> str | None:
    """Why the command would refuse these words, or None."""
    known = commands()
    if words[0] not in known:
        return None if words[0].startswith("-") else f"{words[0]}: no such command"
    command = known[words[0]]
    options = {n for p in command.params for n in [*p.opts, *p.secondary_opts]} | {"--help"}
    for word in words[1:]:
        name = word.partition("=")[0]
        if re.match(r"--?[a-z]", name) and name not in options:
            return f"{words[0]}: no option {name}"
    return None
