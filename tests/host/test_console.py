"""What comes from outside is shown on a terminal, and never obeyed by it or read as markup."""

import html
import io
import json
import re
import time

import pandas as pd
import pytest

from fiber_audit import records
from fiber_audit._judge.verdicts import Verdict
from fiber_audit._report.plain import plain
from fiber_audit._run import Run
from fiber_audit._score import exhibits
from fiber_audit._suite.condition import Condition
from fiber_audit.commands import progress
from fiber_audit.commands.ending import tell_ending
from fiber_audit.commands.main import guarded
from fiber_audit.commands.progress import Bar
from fiber_audit.records import frame

MARKUP = ["[/bold]", "[red]x[/]", "[link=file:///etc]x[/link]", ":bomb:", "[/", "\\[", "{task.id}"]
ACTING = ["\x1b[2J", "\x1b]0;title\x07", "a\rb", "\x9b31m", "\u202egpj.exe", "\0", "\x7f", "\ud800"]


def row(text, **more):
    return {"audit": text, "metric": text, "axis": text, "statistic": "mean", "value": 0.5,
            "status": "error", "message": text} | more  # fmt: skip


def ending(path, table, verdicts=(), tables=None, **how):
    """Tell how a run with this table ended."""
    exhibits.save(tables or {}, path)
    tell_ending(Run(path, table, list(verdicts)), **how)


@pytest.mark.parametrize("text", MARKUP)
def test_brackets_and_colons_in_names_and_messages_are_printed_as_they_are(tmp_path, capsys, text):
    verdict = Verdict(Condition(metric="m", max=1.0), "a", "fail", f"verdict {text}")
    ending(tmp_path, frame([row(text)]), [verdict])
    shown = capsys.readouterr().err

    assert f"fail: verdict {text}\n" in shown
    assert shown.count(text) == 5


@pytest.mark.parametrize("text", ACTING)
def test_control_characters_never_reach_the_terminal(tmp_path, capsys, text):
    verdict = Verdict(Condition(metric="m", max=1.0), "a", "fail", f"verdict {text}")
    table = frame([row("name")])
    table["message"] = pd.Series([text], dtype=object)  # as a plugin could hand it over
    ending(tmp_path, table, [verdict])
    shown = capsys.readouterr().err

    assert text not in shown
    assert not set(shown) & set("\x1b\x07\r\x9b\u202e\0\x7f\ud800")
    assert f"fail: verdict {plain(text)}\n" in shown


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


def terminal_of(monkeypatch):
    """Make stderr a terminal; returns what is written on it."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return terminal


@pytest.mark.parametrize("text", [*MARKUP, *ACTING])
def test_the_bar_neither_obeys_nor_interprets_what_it_says(monkeypatch, text):
    terminal = terminal_of(monkeypatch)
    with Bar() as bar:
        bar(1, 2, f"drawing {text}")
        bar._progress.refresh()

    assert f"drawing {plain(text)}" in terminal.getvalue()
    assert text in MARKUP or f"drawing {text}" not in terminal.getvalue()


def test_a_table_shows_the_headline_of_each_metric_and_whose_view_it_is(tmp_path, capsys):
    rows = [
        row("a", value=0.25, status="pass", message="all is well"),
        row("a", value=9.75, statistic="random_pairs"), row("a", value=8.75, query="q"),
        row("a", metric="clip_loss", seen_by="clip", value=0.125, status="ok"),
        row("a", metric="many", statistic="one", value=6.5),
        row("a", metric="many", statistic="two", value=7.5),
        row("b", value=None, statistic=None, message="It fell over."),
    ]  # fmt: skip
    ending(tmp_path, frame(rows))
    shown = capsys.readouterr().err

    assert all(there in shown for there in ("0.25", "0.125", "clip_loss, seen by clip"))
    assert "error It fell over." in shown
    assert not any(absent in shown for absent in ("9.75", "8.75", "6.5", "7.5", "all is well"))


def test_the_command_prints_the_page_and_tells_of_missing_pictures(tmp_path, capsys):
    run = tmp_path / "a run"
    run.mkdir()
    (run / "suite.toml").write_text("")
    (run / "environment.json").write_text('{"fiber_audit": "1.0"}')
    exhibits.save({}, run)
    records.write(frame([row("[/red]/p/s", status="ok", message=None)]), run)
    guarded(["report", str(run)])
    told = capsys.readouterr()

    assert told.out == f"{run}/report.html\n"
    assert told.err.startswith("fiber-audit: The pictures of [/red]/p/s are missing from the run")
    assert (run / "report.html").is_file()


def test_plain_text_keeps_every_other_character():
    text = "Ω 形 é e\u0301 👩\u200d🔬 \\ [x] 'q' \"q\" &lt; –"
    assert plain(text) == text
    assert plain("a\tb\nc", keep="\n\t") == "a\tb\nc"
    assert plain("a\tb\nc") == "a\\tb\\nc"


def test_the_bar_shows_the_audit_the_draws_per_second_and_the_time_left(monkeypatch):
    terminal, now = terminal_of(monkeypatch), [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    with Bar() as bar:
        for second in (10, 20, 40):  # the first piece also loads networks
            now[0] = float(second)
            bar(3 * second, 300, "net/prior/sampler")
        bar._progress.refresh()

    assert "net/prior/sampler" in terminal.getvalue()
    assert "120 of 300 draws, 3/s, 60 s left" in terminal.getvalue()


def test_the_bar_moves_while_nothing_is_finished(monkeypatch):
    terminal = terminal_of(monkeypatch)
    with Bar() as bar:
        bar(0, 0, "preparing")
        written = []
        for _ in range(3):
            time.sleep(0.3)
            written.append(len(terminal.getvalue()))

    assert written[0] < written[1] < written[2]


def test_colours_are_left_out_when_asked_by_an_option_or_by_the_variable(monkeypatch, tmp_path):
    verdict = Verdict(Condition(metric="m", max=1.0), "a", "fail", "why")
    shown = {}
    for case, how, variable in [("", {}, ""), ("option", {"colour": False}, ""), ("", {}, "1")]:
        terminal = terminal_of(monkeypatch)
        monkeypatch.setenv("NO_COLOR", variable)
        ending(tmp_path, frame([row("a")]), [verdict], **how)
        shown[case or variable] = terminal.getvalue()

    assert "\x1b[1;31mfail" in shown[""]
    assert "[1;31m" not in shown["option"] + shown["1"]
    assert "31m" not in shown["option"] + shown["1"]


def test_quietly_only_what_is_no_pass_is_told(capsys, tmp_path, monkeypatch):
    condition = Condition(metric="m", max=1.0)
    verdicts = [Verdict(condition, "a", status, f"it is {status}") for status in ("pass", "fail")]
    with Bar(quiet=True) as bar:
        bar(1, 2, "drawing")
    ending(tmp_path, frame([row("a")]), verdicts, quiet=True)

    assert capsys.readouterr().err == "fail: it is fail\n"


@pytest.mark.parametrize("samplers", [1, 2])
def test_a_run_ends_with_the_sentences_of_the_first_screen_of_its_page(
    command, toy_suite, tmp_path, samplers
):
    more = "[samplers.weak]\nuse = 'toy-projecting'\nstrength = 0.0\n" * (samplers - 1)
    done = command("run", str(toy_suite(more)), "--out", "run")
    *_, last = done.stderr.splitlines()
    page = re.sub(r"<[^>]+>", "", (tmp_path / "run" / "report.html").read_text())

    assert done.stdout == "run/report.html\n"
    assert " ".join(last.split()) in html.unescape(" ".join(page.split()))


def test_without_a_terminal_silence_is_broken_by_a_line_now_and_then(monkeypatch, capsys):
    monkeypatch.setattr(progress, "FIRST", 0.1)
    monkeypatch.setattr(progress, "MOST", 0.2)
    with Bar() as bar:
        bar(0, 0, "preparing \x1b[31m")
        time.sleep(0.25)
        bar(60, 150, "net/prior/sampler")
        time.sleep(0.8)
    lines = capsys.readouterr().err.splitlines()

    assert lines[0] == "fiber-audit: preparing \\x1b[31m"
    assert lines[-1] == "fiber-audit: 60 of 150 draws, net/prior/sampler"
    assert 3 <= len(lines) <= 7


def test_a_short_command_says_nothing_on_its_way(capsys):
    with Bar() as bar:
        bar(0, 0, "preparing")
        bar(1, 2, "net/prior/sampler")

    assert capsys.readouterr().err == ""


HOSTILE = "a\x1b]8;;http://x\x1b\\b\u202ec\x9b2Jd"
VERBS = [
    ["run", "SUITE", "--out", "RUN", "--dry-run"],
    ["run", "SUITE", "--out", "RUN"],
    ["run", "SUITE", "--out", "RUN", "--json"],
    ["report", "RUN"],
    ["compare", "RUN", "RUN"],
    ["advise", "SUITE", "--draws", "5", "--out", "RUN"],
    ["export", "RUN", "--to", "csv", "--out", "OUT"],
    ["merge", "RUN", "--out", "OUT"],
    ["figure", "RUN", "grid"],
    ["check", HOSTILE],
    ["list", HOSTILE],
    ["run", HOSTILE],
    ["run", "SUITE", "--set", f"{HOSTILE}=1"],
    ["tune", HOSTILE, "--suite", "SUITE"],
    ["new", HOSTILE],
    ["report", HOSTILE],
    [HOSTILE],
]


def test_no_verb_hands_a_terminal_what_it_would_obey(command, toy_suite, tmp_path):
    name = json.dumps(HOSTILE)
    text = toy_suite().read_text().replace("extractors.two", f"extractors.{name}")
    text = text.replace("samplers.proj", f"samplers.{name}").replace('"toy"', name, 1)
    text += (
        f"[samplers.bad]\nuse = 'toy-projecting'\ncrash = true\n"
        f"[[conditions]]\nmetric = 'toy_loss'\nmax = 0.0\nname = {name}\n"
    )
    (tmp_path / "hostile.toml").write_text(text)
    places = {"SUITE": "hostile.toml", "RUN": f"run{HOSTILE}", "OUT": f"out{HOSTILE}"}
    shown = ""
    for verb in VERBS:
        done = command(*(places.get(word, word) for word in verb))
        shown += done.stdout + done.stderr
        assert set(done.stdout + done.stderr) & {*map(chr, [*range(32), *range(127, 160)])} <= {
            "\n"
        }, verb
        assert "\u202e" not in done.stdout + done.stderr, verb

    assert "\\x1b]8;;http://x" in shown


def test_on_a_pipe_a_sentence_is_one_line(command, toy_suite, monkeypatch):
    sentence = "two ignores " + "colour, " * 60 + "and all"
    monkeypatch.setattr("fiber_audit.commands.ending.first_screen", lambda *_: [sentence])
    done = command("run", str(toy_suite()), "--out", "run")

    assert sentence in done.stderr.splitlines()
