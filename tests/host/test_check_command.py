"""`fiber-audit check`: what it says of a component, on which stream, and how it ends."""

from __future__ import annotations

import json
import sys
from typing import NamedTuple

import pytest

from fiber_audit.commands.main import guarded

LOUD = """
import os, subprocess
from fiber_audit import hookimpl
from fiber_audit.contracts import Count, Extractor

print("loud: imported")


@hookimpl
def fiber_audit_extractors():
    print("loud: asked")
    return {"loud": Loud, "lost": "no_such_module:Network", "gone": "loud:Network"}


class Loud(Extractor):
    def __init__(self, cells: Count = 1, broken: bool = False):
        import torch

        self.network = torch.nn.AdaptiveAvgPool2d(cells)
        self.feature_size = 3 * cells**2 + broken
        os.write(1, b"loud: from C\\n")

    def features(self, x):
        print("loud: called")
        subprocess.run(["echo", "loud: a child"])
        return self.network(x).flatten(1)
"""


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def check(capfd):
    """Run `fiber-audit check ARGUMENTS` in this process."""

    def call(*arguments):
        code = guarded(["check", *arguments])
        return Done(code, *capfd.readouterr())

    return call


@pytest.fixture
def loud(tmp_path, check):
    """The same with the plugin above in a file."""
    path = tmp_path / "loud.py"
    path.write_text(LOUD)
    yield lambda *arguments: check(*arguments, "--plugin", str(path))
    sys.modules.pop("loud", None)


def test_what_libraries_print_goes_to_stderr_and_json_stays_json(loud):
    done = loud("loud/loud", "--json")

    assert json.loads(done.stdout) == [
        {"component": "extractor loud/loud", "status": "kept", "violations": []}
    ]
    for words in ("imported", "asked", "from C", "called", "a child"):
        assert f"loud: {words}" in done.stderr
    assert done.returncode == 0


def test_options_are_set_and_a_broken_promise_is_an_error(loud):
    done = loud("loud", "--set", "cells=2", "--set", "broken=true")

    assert done.returncode == 3
    assert "violated  extractor loud/loud" in done.stdout
    assert "shape: features are (4, 12), not (4, 13); flatten them" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("loud", "--set", "cell=2"), "loud.cell = 2: no such option. Did you mean 'cells'?"),
        (("loud", "--set", "cells=0"), "loud.cells = 0: Input should be greater than or equal"),
        (("loud", "--set", "cells"), "--set 'cells': write path=value"),
        (("--set", "cells=2"), "--set: it sets an option of one component; give its NAME, too."),
        (("lound",), "NAME = 'lound': no such component or plugin. Did you mean 'loud'?"),
    ],
)
def test_a_users_mistake_is_one_sentence(loud, arguments, sentence):
    done = loud(*arguments)

    assert done.returncode == 4
    assert done.stdout == ""
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("fiber-audit: ")]
    assert sentence in line


def test_a_class_that_cannot_be_imported_is_one_sentence_and_costs_only_itself(loud):
    done = loud("loud")

    assert done.returncode == 3
    assert "kept  extractor loud/loud" in done.stdout
    lines = [line for line in done.stdout.splitlines() if "import: " in line]
    assert len(lines) == 2
    assert "'lost' cannot be imported from no_such_module:Network" in done.stdout
    assert "'gone' cannot be imported from loud:Network" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_options_that_cannot_be_read_are_one_sentence(tmp_path, check):
    path = tmp_path / "odd.py"
    path.write_text(
        "from __future__ import annotations\n"
        "from fiber_audit import hookimpl\n\n"
        "@hookimpl\ndef fiber_audit_metrics():\n    return {'odd': make}\n\n"
        "def make(x: Missing = 1): ...\n"
    )

    done = check("odd", "--plugin", str(path))

    assert done.returncode == 3
    (line,) = [line for line in done.stdout.splitlines() if "options: " in line]
    assert "cannot be read" in line
    assert "name 'Missing' is not defined" in line


def test_what_cannot_be_made_without_options_is_left_out_with_the_way_out(check):
    done = check("blind_spot")

    assert done.returncode == 0
    assert "skipped  metric fid/blind_spot" in done.stdout
    assert "blind_spot.measured_by: this option is required. Give it with --set." in done.stdout
