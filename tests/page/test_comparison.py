"""Two runs on one page: the worst first, and below each draw the one from the same noise."""

import re

import numpy as np
import pytest
from made_run import Reader, gallery, make_run, row

from fiber_audit._judge.compare import compare
from fiber_audit._report import write_comparison
from fiber_audit._report.images import data_uri
from fiber_audit.errors import DataError
from fiber_audit.records import frame


def losses(value, audit="shape/latent/ndtm"):
    """A headline with its per-query numbers."""
    shared = {"stderr": 0.001, "ci_low": 0.99 * value, "ci_high": 1.01 * value}
    return [
        row(audit, value=value, **shared),
        *(row(audit, value=value, query=f"digit-{i}") for i in range(2)),
    ]


def changes():
    """A run compared with itself."""
    return compare(frame(losses(0.1)), frame(losses(0.1)))


@pytest.fixture
def compared(tmp_path):
    """Write two runs and the page of both; returns its text."""

    def write(before, after, base=(), new=()):
        folders = [make_run(tmp_path / name, *what) for name, what in
                   (("base", (before, base)), ("new", (after, new)))]  # fmt: skip
        found = compare(frame(before), frame(after))
        return write_comparison(*folders, found, tmp_path / "compare.html").read_text("utf-8")

    return write


def test_what_got_worse_is_first_and_the_page_says_so_at_the_top(compared):
    good, bad = losses(0.1, "a/b/c"), losses(0.1, "d/e/f")
    text = compared([*good, *bad], [*losses(0.1, "a/b/c"), *losses(0.3, "d/e/f")])

    assert "<title>Worse: two runs" in text
    assert "1 fail, 1 pass" in text
    rows = re.findall(r'<span class="badge (\w+)">', text)
    assert rows == ["fail", "pass"]
    assert "+200.0%" in text
    assert Reader(text)


def test_draws_of_one_noise_are_below_each_other_in_both_runs(compared):
    old = gallery(k=3)
    new = gallery(k=3, queries=old.queries, draws=1 - old.draws, fiber_loss=1 + old.fiber_loss)
    text = compared(losses(0.1), losses(0.3), [old], [new])

    assert text.count("<article") == 2
    for card in text.split("<article")[1:]:
        i = 0 if "query digit-0" in card else 1
        places = [card.index(data_uri(g.draws[i, j])) for g in (old, new) for j in range(3)]
        assert places == sorted(places)


def test_the_query_that_moved_away_most_is_first(compared):
    old = gallery(fiber_loss=np.full((2, 3), 0.1))
    loss = np.full((2, 3), 0.1)
    loss[1] = 0.9
    new = gallery(queries=old.queries, fiber_loss=loss)
    text = compared(losses(0.1), losses(0.3), [old], [new])

    assert re.findall(r"<h4>(digit-\d) <span class=\"soft\">mean loss (\S+)</span>", text) == [
        ("digit-1", "+0.8"),
        ("digit-0", "+0"),
    ]


def test_queries_that_are_not_the_same_inputs_are_counted_and_not_shown(compared):
    text = compared(
        losses(0.1), losses(0.1), [gallery()], [gallery(queries=np.zeros((2, 3, 6, 6)))]
    )

    assert "2 queries of one name are other inputs." in text
    assert "<article" not in text


def test_lost_and_suspicious_draws_and_tables_are_compared_too(compared):
    lost = np.array([[True, False, False]] * 2)
    flags = np.array([[False, True, False]] * 2)
    for shape in ((3, 6, 6), (5,)):
        old, new = gallery(shape=shape), gallery(shape=shape, lost=lost, suspicions={"odd": flags})
        text = compared(losses(0.1), losses(0.1), [old], [new])
        assert text.count("lost") >= 2
        assert text.count('class="suspect"') == 2
        assert "nan" not in re.sub("base64,[A-Za-z0-9+/=]+", "", text)


def test_records_alone_have_a_page_without_draws(tmp_path):
    records = frame(losses(0.1))
    path = tmp_path / "records.csv"
    path.write_text("")
    text = write_comparison(path, path, compare(records, records), tmp_path / "c.html").read_text()

    assert "give two run directories to see draws" in text


def test_a_name_is_text_on_this_page_too(compared):
    evil = "<script>alert(1)</script>"
    audit = f"{evil}/p/s"
    text = compared(losses(0.1, audit), losses(0.3, audit), [gallery(audit)], [gallery(audit)])

    assert "<script" not in text
    assert "default-src 'none'" in text


def test_the_command_writes_the_page_and_its_exit_code_is_that_of_the_comparison(command, tmp_path):
    for name, value in (("base", 0.1), ("new", 0.3)):
        make_run(tmp_path / name, losses(value), [gallery()])

    done = command("compare", "base", "new", "--html", "pages/c.html", toy=False)

    assert done.returncode == 1, done.stderr
    assert "Worse" in (tmp_path / "pages" / "c.html").read_text("utf-8")
    assert "pages/c.html" in done.stderr
    (tmp_path / "new" / "gallery" / "odd.npz").write_text("odd")
    assert command("compare", "base", "new", "--html", "c.html", toy=False).returncode == 4
    with pytest.raises(DataError, match=r"odd\.npz"):
        write_comparison(tmp_path / "base", tmp_path / "new", changes(), tmp_path / "c.html")
