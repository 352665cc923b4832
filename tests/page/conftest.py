"""Fixtures for tests of pages and figures: made runs, and a real browser where there is one."""

import json
import re
import shutil
import subprocess
from html import unescape

import pytest
from made_run import make_run

from fiber_audit._report import write_report

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)


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
    """Open a page at an address in a real browser; returns what a script found, and complaints.

    The script is an expression whose value is JSON; it is added to a copy of the page, whose policy
    is lifted for that, unless there is none.
    """
    if CHROMIUM is None:
        pytest.skip("needs chromium")

    def call(path, script="", anchor="", width=1300):
        text = path.read_text("utf-8")
        if script:
            text = re.sub(r"<meta http-equiv=[^>]*>", "", text)
            found = f"<script>addEventListener('load', async () => {{ const found = {script};"
            found += "document.title = 'found ' + JSON.stringify(await found) })</script>"
            text = text.replace("</body>", found + "</body>")
        copy = path.with_name("browsed.html")
        copy.write_text(text, "utf-8")
        words = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--dump-dom"]
        words += ["--enable-logging=stderr", "--virtual-time-budget=3000"]
        words += [f"--window-size={width},2000", f"--user-data-dir={tmp_path}/browser"]
        done = subprocess.run(
            [*words, copy.as_uri() + anchor],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        complaints = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
        title = unescape(re.search("<title>(.*?)</title>", done.stdout, re.DOTALL)[1])
        value = json.loads(title.removeprefix("found ")) if title.startswith("found ") else None
        return value, complaints, done.stdout

    return call
