"""A page in a real browser, where there is one: what a script finds there, and what axe-core does.

axe-core is a script of npm: `npm install axe-core`, and its axe.min.js in the variable AXE_CORE.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
AXE = os.environ.get("AXE_CORE", "")
needs_axe = pytest.mark.skipif(not AXE, reason="AXE_CORE is not the path of axe.min.js")
MOUSE = "--blink-settings=primaryHoverType=2,availableHoverTypes=2"
"""As at a desk: some scripts make room for a keyboard only there."""


def browsed(path, profile, script="", anchor="", width=1300):
    """Open a page at an address; returns what a script found, complaints, and the page then.

    The script is an expression whose value is JSON; it is added to a copy of the page, whose policy
    is lifted for that, unless there is none. Chromium has no window below 500 pixels, whatever the
    width.
    """
    if CHROMIUM is None:
        pytest.skip("needs chromium")
    text = path.read_text("utf-8")
    if script:
        text = re.sub(r"<meta http-equiv=[^>]*>", "", text)
        found = f"<script>addEventListener('load', async () => {{ const found = {script};"
        found += "document.title = 'found ' + JSON.stringify(await found) })</script>"
        text = text.replace("</body>", found + "</body>")
    copy = path.with_name("browsed.html")
    copy.write_text(text, "utf-8")
    words = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--dump-dom", MOUSE]
    words += ["--enable-logging=stderr", "--virtual-time-budget=3000"]
    words += [f"--window-size={width},2000", f"--user-data-dir={profile}"]
    done = subprocess.run(
        [*words, copy.as_uri() + anchor], capture_output=True, text=True, timeout=120, check=True
    )
    complaints = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    title = unescape(re.search("<title>(.*?)</title>", done.stdout, re.DOTALL)[1])
    value = json.loads(title.removeprefix("found ")) if title.startswith("found ") else None
    return value, complaints, done.stdout


def serious():
    """A script for `browsed`: what axe-core calls serious or critical, as (rule, places)."""
    return (
        f"(() => {{ {Path(AXE).read_text('utf-8')}; return axe.run({{preload: false}}).then(r => "
        "r.violations.filter(v => ['serious', 'critical'].includes(v.impact))"
        ".map(v => [v.id, v.nodes.map(n => n.html.slice(0, 200))])) })()"
    )
