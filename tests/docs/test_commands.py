"""Every command line that a page shows is one that the command takes."""

from __future__ import annotations

from pathlib import Path

import pytest
from docs_site.commands import complaint, lines_of, told, words_of

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/*/README.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_of_a_page_exists_with_its_options(page):
    lines = [words for line in told(page.read_text()) if (words := words_of(line))]

    assert [said for words in lines if (said := complaint(words))] == []


def test_there_are_many_commands_to_look_at():
    found = [
        words for page in PAGES for line in told(page.read_text()) if (words := words_of(line))
    ]

    assert len(found) > 100
    assert {words[0] for words in found} >= {"run", "check", "fit", "list", "new", "export", "tune"}


def test_a_command_that_was_renamed_is_found_out():
    assert complaint(["runn", "suite.toml"]) == "runn: no such command"
    assert complaint(["run", "suite.toml", "--sett", "draws=2"]) == "run: no option --sett"
    assert complaint(["run", "suite.toml", "--set", "draws=-2"]) is None


def test_a_block_is_read_as_a_shell_reads_it():
    assert lines_of("$ fiber-audit run  # the default\n\na \\\n  b") == [
        "fiber-audit run",
        "a    b",
    ]
    assert words_of("fiber-audit run x.toml && ls") == ["run", "x.toml"]
    assert words_of("fiber-audit run [SUITE]") == []
