"""The exit codes of the command, and what it says to a person."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

WEAK = ("--set", "samplers.proj.strength=0.0")
HOLDS = "[[conditions]]\nmetric = 'toy_loss'\nmax = 0.1\n"


def test_0_when_all_conditions_hold_and_stdout_carries_json_only(process, toy_suite):
    done = process("run", str(toy_suite(HOLDS)), "--json")
    data = json.loads(done.stdout)

    assert done.returncode == 0, done.stderr
    assert data["verdicts"][0]["status"] == "pass"
    assert data["records"][0]["metric"] == "toy_loss"


def test_1_when_a_condition_fails_with_the_value_and_the_bound(command, toy_suite):
    done = command("run", str(toy_suite(HOLDS)), *WEAK)

    assert done.returncode == 1
    assert "toy_loss <= 0.1" in done.stderr


@pytest.mark.slow  # tests/faults/test_signals.py has it of a process that need not import all
def test_2_when_interrupted_and_the_same_command_goes_on(command, toy_suite, tmp_path):
    path = toy_suite()
    code = (
        "import time, fiber_audit._draw.store as s; from fiber_audit.commands.main import main\n"
        "save = s.Store.save\n"
        "def slow(*a): save(*a); time.sleep(0.5)\n"
        "s.Store.save = slow; main()"
    )
    from pathlib import Path

    toy = str(Path(__file__).with_name("toy.py"))
    line = ["run", str(path), "--out", "run", "--plugin", toy, "--set", "batch_size=1"]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *line], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    units = tmp_path / "run" / "units"
    deadline = time.monotonic() + 60
    while not (units.exists() and any(units.iterdir())) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=60)

    assert process.returncode == 2, stderr
    assert "run the same command again" in stderr
    assert command("run", str(path), "--out", "run", "--set", "batch_size=1").returncode == 0


def test_3_when_a_cell_ends_in_an_error_while_the_rest_is_complete(command, toy_suite):
    path = toy_suite("[samplers.bad]\nuse = 'toy-projecting'\ncrash = true\n")
    done = command("run", str(path), "--out", "run")

    assert done.returncode == 3
    assert "1 cells ended in an error" in done.stderr
    assert "two/gauss/proj" in (path.parent / "run" / "records.csv").read_text()


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["run", "nosuch.toml"], "'nosuch.toml': no such file"),
        (["run", "TOY", "--set", "draws=-2"], "draws = -2"),
        (
            ["run", "TOY", "--set", "samplers.proj.steps=3"],
            "samplers.proj.steps = 3: no such option",
        ),
        (["run", "TOY", "--set", "samplers.proj.use='ndmt'"], "samplers.proj.use = 'ndmt'"),
        (["run", "TOY", "--set", "samplers.proj.strength='much'"], "should be a valid number"),
        (["run", "TOY", "--set", "queries.n=5000"], "queries.n = 5000"),
        (["run", "TOY", "--shard", "3/2"], "--shard '3/2'"),
        (["run", "TOY", "--update-baseline"], "--baseline"),
        (["run", "TOY", "--baseline", "no.csv"], "no.csv"),
        (["run", "--stpes", "3"], "No such option"),
        (["runn"], "No such command"),
        (["list", "extractorz"], "Did you mean 'extractor'"),
        (["list", "-p", "scoring"], "-p no:NAME"),
        (["report", "."], "not a run directory"),
    ],
)
def test_4_for_bad_usage_one_sentence_and_nothing_written(
    command, toy_suite, tmp_path, arguments, part
):
    path = toy_suite()
    before = sorted(p.name for p in tmp_path.iterdir())
    done = command(*[str(path) if a == "TOY" else a for a in arguments])

    assert done.returncode == 4, done.stderr
    assert part in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_5_when_there_was_nothing_to_run(command, toy_suite):
    path = toy_suite()
    path.write_text(path.read_text().replace("toy-first-two", "toy-needs-weights"))
    done = command("run", str(path))

    assert done.returncode == 5
    assert "put it beside you" in done.stderr


def test_bad_toml_is_named_with_its_line(command, toy_suite):
    path = toy_suite()
    path.write_text("name = \n" + path.read_text())
    done = command("run", str(path))

    assert done.returncode == 4
    assert "not valid TOML" in done.stderr
    assert "line" in done.stderr


def test_list_as_json_says_where_each_component_comes_from(command):
    rows = json.loads(command("list", "--json", toy=False).stdout)

    assert {"kind", "name", "plugin", "distribution", "version"} == set(rows[0])
    assert ("sampler", "ndtm") in {(r["kind"], r["name"]) for r in rows}


def test_the_report_is_written_again_from_what_is_on_disk(command, toy_suite, tmp_path):
    command("run", str(toy_suite()), "--out", "run")
    page = tmp_path / "run" / "report.html"
    first = page.read_text()
    page.unlink()

    assert command("report", "run").returncode == 0
    assert page.read_text() == first


def test_the_first_baseline_can_be_made_by_the_suite_that_compares_with_it(command, toy_suite):
    path = toy_suite(
        "[[conditions]]\nmetric = 'toy_loss'\nbaseline = 'main.csv'\ntolerance = 0.05\n"
    )
    update = ("--baseline", "main.csv", "--update-baseline")

    assert "main.csv" in command("run", str(path)).stderr
    first = command("run", str(path), *update)
    assert first.returncode == 0, first.stderr
    assert (path.parent / "main.csv").exists()
    again = command("run", str(path), "--json")
    assert [v["status"] for v in json.loads(again.stdout)["verdicts"]] == ["pass"]


def test_a_dry_run_says_what_is_new_and_why_and_writes_nothing(command, toy_suite, tmp_path):
    path = str(toy_suite())
    first = command("run", path, "--out", "run", "--dry-run")

    assert "two/gauss/proj: 15 of 15 to draw, 15 to observe: new" in first.stdout
    assert "once a block of each audit has been timed" in first.stderr
    assert not (tmp_path / "run").exists()
    command("run", path, "--out", "run")
    assert (
        "two/gauss/proj: 0 of 15 to draw\n"
        in command("run", path, "--out", "run", "--dry-run").stdout
    )
    changed = command("run", path, "--out", "run", "--dry-run", *WEAK)
    assert "samplers.proj.strength: 1.0 -> 0.0" in changed.stdout
    assert "s of sampling on one worker" in changed.stderr
    more = command("run", path, "--out", "run", "--dry-run", "--set", "queries.n=7", "--json")
    rows = {row["name"]: row for row in json.loads(more.stdout)}
    assert rows["two/gauss/proj"]["to_draw"] == 6
    assert rows["two/gauss/proj"]["why"] == ["2 queries are new"]


def test_a_dry_run_names_every_audit_and_why_one_cannot_be_drawn(command, toy_suite):
    path = str(toy_suite('[priors.lost]\nuse = "trained"\npath = "nowhere"\n'))
    told = command("run", path, "--dry-run").stdout.splitlines()

    assert any(line.startswith("two/gauss/proj: 15 of 15 to draw") for line in told)
    (blocked,) = (line for line in told if line.startswith("two/lost/proj: "))
    assert "0 of 15 to draw: skipped, nowhere: nothing is fitted there" in blocked


LOST = """
from fiber_audit import WeightsError, hookimpl
from fiber_audit.contracts import Metric

class Lost(Metric):
    name = "lost_loss"
    def __init__(self): raise WeightsError("lens.safetensors: not here; put it beside you.")
    def observe(self, block): return {}
    def summarise(self, seen): return []

@hookimpl
def fiber_audit_metrics(): return {"lost_loss": Lost}
"""


def test_a_dry_run_names_a_metric_that_will_have_no_value_and_why(command, toy_suite, tmp_path):
    (tmp_path / "lost.py").write_text(LOST)
    metrics = "metrics=['toy_loss', 'lost_loss']"
    line = ("run", str(toy_suite()), "--out", "run", "--plugin", "lost.py", "--set", metrics)
    told = "lost_loss skipped, lens.safetensors: not here; put it beside you."

    asked = command(*line, "--dry-run").stdout
    assert f"two/gauss/proj: 15 of 15 to draw, 15 to observe: new; {told}\n" in asked
    command(*line)
    again = command(*line, "--dry-run").stdout
    assert f"two/gauss/proj: 0 of 15 to draw: {told}\n" in again
    assert "gauss: 0 of 15 to draw\n" in again.splitlines(keepends=True)[0]


def test_merging_a_part_of_the_shards_says_so_and_computes_only_if_asked(command, toy_suite):
    path = str(toy_suite())
    command("run", path, "--out", "one", "--shard", "1/2", "--set", "batch_size=3")
    part = command("merge", "one", "--out", "all")

    assert part.returncode == 4
    assert "6 draws are in none of the shards" in part.stderr
    assert command("merge", "one", "--out", "all", "--compute").returncode == 0


def test_sys_exit_in_a_plugin_does_not_make_a_command_green(command, toy_suite, tmp_path):
    (tmp_path / "quitter.py").write_text("import sys\nsys.exit(0)\n")
    done = command("run", str(toy_suite()), "--plugin", "quitter.py")

    assert done.returncode == 4
    assert "SystemExit" in done.stderr


def test_a_damaged_environment_is_told_or_made_anew_never_a_traceback(command, toy_suite, tmp_path):
    path = str(toy_suite())
    command("run", path, "--out", "run")
    for text in ("", "x", "3", "{}", "[1, 2]", '{"run_id": 3}'):
        (tmp_path / "run" / "environment.json").write_text(text)
        for line in (["report", "run"], ["run", path, "--out", "run"]):
            done = command(*line)
            assert done.returncode in (0, 4), (text, done.stderr)
            assert "Traceback" not in done.stderr, text


def test_a_misspelt_variable_of_ours_is_an_error(command):
    done = command("list", toy=False, FIBER_AUDIT_SETT="a=1")

    assert done.returncode == 4
    assert "FIBER_AUDIT_SETT: no such variable. Did you mean 'FIBER_AUDIT_SET'" in done.stderr


@pytest.mark.parametrize("arguments", [["list"], ["list", "--json"], ["--help"], ["--version"]])
def test_a_reader_that_goes_away_is_one_sentence_and_3(arguments):
    code = "from fiber_audit.commands.main import main; main()"
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            stdout=write,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        os.close(write)

    assert done.returncode == 3
    assert done.stderr == "fiber-audit: stdout cannot be written (broken pipe).\n"


def test_a_full_device_on_stdout_is_one_sentence_and_3(tmp_path):
    code = "from fiber_audit.commands.main import main; main()"
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-c", code, "list"], stdout=full, stderr=subprocess.PIPE, text=True
        )

    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert "cannot be written" in done.stderr or "no space" in done.stderr


def test_a_closed_stdout_is_one_sentence_and_3_before_anything_is_done(toy_suite, tmp_path):
    code = "from fiber_audit.commands.main import main; main()"
    line = [sys.executable, "-c", code, "run", str(toy_suite())]
    closed = ["sh", "-c", 'exec "$@" >&-', "sh", *line]
    done = subprocess.run(closed, cwd=tmp_path, stderr=subprocess.PIPE, text=True)

    assert done.returncode == 3
    assert done.stderr == "fiber-audit: stdout cannot be written (bad file descriptor).\n"
    assert [path.name for path in tmp_path.iterdir()] == ["toy.toml"]


@pytest.mark.parametrize(
    ("out", "code"), [("file", 4), ("file/below", 3), ("nul\0", 4), ("x" * 300, 3)]
)
def test_a_directory_that_cannot_be_is_one_sentence(
    toy_suite, tmp_path, toy_catalogue, out, code, capsys
):
    from fiber_audit.commands.main import guarded

    (tmp_path / "file").write_text("")
    toy = next(c for c in toy_catalogue if c.name == "toy-points").origin.__file__
    found = guarded(["run", str(toy_suite()), "--out", str(tmp_path / out), "--plugin", toy])

    assert found in (3, 4)
    assert "Traceback" not in capsys.readouterr().err


def test_square_brackets_and_control_characters_do_no_harm_to_the_console(command, toy_suite):
    path = toy_suite("[samplers.'a[red]b']\nuse = 'toy-projecting'\n[[conditions]]\n"
                     "metric = 'toy_loss'\nmax = 1.0\nname = '[bold]x[/nope]'\n")  # fmt: skip
    done = command("run", str(path))

    assert done.returncode == 0, done.stderr
    assert "a[red]b" in done.stderr
    assert "[bold]x[/nope]" in done.stderr
