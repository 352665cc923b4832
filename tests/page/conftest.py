"""Fixtures for tests of pages and figures: made runs, and a real browser where there is one."""

import pytest
from browser import browsed
from made_run import make_run

from fiber_audit._report import write_report


@pytest.fixture
def run(tmp_path):
    """Write a run directory."""
    return lambda *contents, **more: make_run(tmp_path / "run", *contents, **more)


@pytest.fixture
def page(run):
    """Write the report of a made run and return its text."""
    return lambda *contents, **more: write_report(run(*contents, **more)).read_text("utf-8")


@pytest.fixture
def browse(tmp_path):
    """Open a page in a real browser: see `browsed`."""
    return lambda path, *args, **more: browsed(path, tmp_path / "browser", *args, **more)
