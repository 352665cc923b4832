"""What only tells of the command answers at once: it loads hardly anything, of anybody."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from fiber_audit.commands.main import VERBS, app, guarded

LOADED = """
import sys
before = {*sys.modules}
from fiber_audit.commands.main import guarded
code = guarded(sys.argv[1:])
print(*{*sys.modules} - before, sep="\\n", file=sys.stderr)
sys.exit(code)
"""
READS_DISTRIBUTIONS = {"importlib.metadata", "email", "zipfile", "csv"}
SLOW = {*READS_DISTRIBUTIONS, "asyncio", "concurrent", "ctypes.util", "multiprocessing", "unittest"}


def loaded_by(*arguments):
    """Modules that a command line loads, beyond those that Python and its `site` load."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *arguments], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split())


def foreign(modules):
    """Packages that are not Python's own, nor a plugin of ours."""
    tops = {name.partition(".")[0] for name in modules} - sys.stdlib_module_names
    return {name for name in tops if not name.startswith(("fiber_audit_", "_", "__"))}


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"]], ids=" ".join)
def test_help_loads_what_reads_the_command_line_and_nothing_else(arguments):
    loaded = loaded_by(*arguments)

    assert foreign(loaded) == {"fiber_audit", "click", "lazy_loader"}
    assert loaded & SLOW == set()


def test_the_version_is_read_from_what_is_installed_and_nothing_else():
    loaded = loaded_by("--version")

    assert foreign(loaded) == {"fiber_audit", "click", "lazy_loader"}
    assert loaded & SLOW <= READS_DISTRIBUTIONS


def test_a_list_loads_the_plugins_and_no_library_of_theirs():
    loaded = loaded_by("list")

    assert foreign(loaded) == {"fiber_audit", "click", "lazy_loader", "pluggy"}
    assert loaded & SLOW <= READS_DISTRIBUTIONS


def test_help_of_a_verb_loads_no_library_either():
    code = "\n".join(
        (
            "import sys",
            "from fiber_audit.commands.main import VERBS, guarded",
            "for verb in VERBS:",
            "    before = {*sys.modules}",
            "    assert guarded([verb, '--help']) == 0",
            "    print(*{*sys.modules} - before, sep='\\n', file=sys.stderr)",
        )
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert foreign(done.stderr.split()) <= {"fiber_audit", "click", "lazy_loader"}
    assert SLOW.isdisjoint(done.stderr.split())


def test_the_line_of_a_verb_is_the_first_of_what_its_help_says():
    context = click.Context(app)
    first = {verb: app.get_command(context, verb).help.split("\n\n")[0] for verb in VERBS}

    assert first == VERBS


def test_help_names_every_verb_and_a_verb_that_is_none_is_not_found(capsys):
    assert guarded(["--help"]) == 0
    told = capsys.readouterr().out

    assert all(f"\n  {verb} " in told for verb in VERBS)
    assert guarded(["repotr"]) == 4
    assert "No such command 'repotr'. Did you mean 'report'?" in capsys.readouterr().err


def test_without_a_verb_the_help_is_a_complaint(capsys):
    assert guarded([]) == 4
    told = capsys.readouterr()

    assert told.out == ""
    assert all(f"\n  {verb} " in told.err for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_argument_and_option_is_explained(verb, capsys):
    assert guarded([verb, "--help"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    for parameter in app.get_command(click.Context(app), verb).params:
        assert parameter.help, parameter.name
        assert " ".join(parameter.help.split()) in told, parameter.name


@pytest.mark.parametrize("number", ["nan", "inf", "1e999"])
@pytest.mark.parametrize("option", ["--low", "--goal", "--seconds"])
def test_a_number_on_the_command_line_is_finite(option, number, capsys):
    assert guarded(["tune", "mpgd", option, number]) == 4
    assert f"{option} {number}: give a finite number" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_list_that_is_stopped_ends_as_any_command_does(tmp_path, name):
    (tmp_path / "stopping.py").write_text(
        f"import os, signal\nos.kill(os.getpid(), signal.{name})\nwhile True: pass\n"
    )
    code = "from fiber_audit.commands.main import main; main()"
    line = [sys.executable, "-c", code, "list", "--plugin", "stopping.py"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=60)

    assert done.returncode == 2
    assert done.stderr.startswith("fiber-audit: interrupted; ")
    assert len(done.stderr.splitlines()) == 1
