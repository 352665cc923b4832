"""What comes from outside is shown on a terminal, and never obeyed by it or read as markup."""

import io

import pandas as pd
import pytest

from fiber_audit._judge.verdicts import Verdict
from fiber_audit._report.plain import plain
from fiber_audit._suite.condition import Condition
from fiber_audit.commands.progress import Bar, summary_table
from fiber_audit.commands.report import report
from fiber_audit.records import frame

MARKUP = ["[/bold]", "[red]x[/]", "[link=file:///etc]x[/link]", ":bomb:", "[/", "\\[", "{task.id}"]
ACTING = ["\x1b[2J", "\x1b]0;title\x07", "a\rb", "\x9b31m", "\u202egpj.exe", "\0", "\x7f", "\ud800"]


def row(text, **more):
    return {"audit": text, "metric": text, "axis": text, "statistic": "mean", "value": 0.5,
            "status": "error", "message": text} | more  # fmt: skip


@pytest.mark.parametrize("text", MARKUP)
def test_brackets_and_colons_in_names_and_messages_are_printed_as_they_are(capsys, text):
    verdict = Verdict(Condition(metric="m", max=1.0), "a", "fail", f"verdict {text}")
    summary_table(frame([row(text)]), [verdict])
    shown = capsys.readouterr().err

    assert f"fail: verdict {text}\n" in shown
    assert shown.count(text) == 5


@pytest.mark.parametrize("text", ACTING)
def test_control_characters_never_reach_the_terminal(capsys, text):
    verdict = Verdict(Condition(metric="m", max=1.0), "a", "fail", f"verdict {text}")
    table = frame([row("name")])
    table["message"] = pd.Series([text], dtype=object)  # as a plugin could hand it over
    summary_table(table, [verdict])
    shown = capsys.readouterr().err

    assert text not in shown
    assert not set(shown) & set("\x1b\x07\r\x9b\u202e\0\x7f\ud800")
    assert f"fail: verdict {plain(text)}\n" in shown


@pytest.mark.parametrize("text", [*MARKUP, *ACTING])
def test_the_bar_neither_obeys_nor_interprets_what_it_says(monkeypatch, text):
    class Terminal(io.StringIO):
        encoding = "utf-8"

        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with Bar() as bar:
        bar(1, 2, f"drawing {text}")
        bar._progress.refresh()

    assert f"drawing {plain(text)}" in terminal.getvalue()
    assert text in MARKUP or f"drawing {text}" not in terminal.getvalue()


def test_a_table_shows_the_headline_of_each_metric_and_whose_view_it_is(capsys):
    rows = [
        row("a", value=0.25, status="pass", message="all is well"),
        row("a", value=9.75, statistic="random_pairs"), row("a", value=8.75, query="q"),
        row("a", metric="clip_loss", seen_by="clip", value=0.125, status="ok"),
        row("a", metric="many", statistic="one", value=6.5),
        row("a", metric="many", statistic="two", value=7.5),
        row("b", value=None, statistic=None, message="It fell over."),
    ]  # fmt: skip
    summary_table(frame(rows), [])
    shown = capsys.readouterr().err

    assert all(there in shown for there in ("0.25", "0.125", "clip_loss, seen by clip"))
    assert "error It fell over." in shown
    assert not any(absent in shown for absent in ("9.75", "8.75", "6.5", "7.5", "all is well"))


def test_the_command_prints_the_page_and_tells_of_missing_pictures(tmp_path, capsys):
    from fiber_audit import records
    from fiber_audit._score import exhibits

    run = tmp_path / "a run"
    run.mkdir()
    (run / "suite.toml").write_text("")
    (run / "environment.json").write_text('{"fiber_audit": "1.0"}')
    exhibits.save({}, run)
    records.write(frame([row("[/red]/p/s", status="ok", message=None)]), run)
    report(run)
    told = capsys.readouterr()

    assert told.out == f"{run}/report.html\n"
    assert told.err.startswith("fiber-audit: The pictures of [/red]/p/s are missing from the run")
    assert (run / "report.html").is_file()


def test_plain_text_keeps_every_other_character():
    text = "Ω 形 é e\u0301 👩\u200d🔬 \\ [x] 'q' \"q\" &lt; –"
    assert plain(text) == text
    assert plain("a\tb\nc", keep="\n\t") == "a\tb\nc"
    assert plain("a\tb\nc") == "a\\tb\\nc"


def test_without_a_terminal_a_run_says_every_minute_how_far_it_is(monkeypatch, capsys):
    from fiber_audit.commands import progress

    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with progress.Bar() as bar:
        for second in range(0, 150, 10):
            now[0] = float(second)
            bar(second, 150, "net/prior/sampler")

    assert capsys.readouterr().err.splitlines() == [
        "fiber-audit: 60 of 150 draws, net/prior/sampler",
        "fiber-audit: 120 of 150 draws, net/prior/sampler",
    ]
