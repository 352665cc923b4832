"""The first screen: what each network ignores, of the draws that can be trusted most."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
from made_run import AUDITS, Reader, gallery, index, indices, row, table, verdict

from fiber_audit._report.bars import bars_of
from fiber_audit._report.chosen import chosen
from fiber_audit._report.examples import most_different, queries_of
from fiber_audit._report.told import UNTOLD
from fiber_audit.commands import ending
from fiber_audit.records import frame


def first_screen(text):
    return text[text.index('id="cards"') : text.index("<nav")]


def test_every_extractor_has_a_card_with_its_sentence_its_bars_and_its_pictures(page):
    rows, tables = indices()
    text = first_screen(page(rows, [gallery(a) for a in AUDITS], tables=tables))
    cards = text.split("<article")[1:]

    assert len(cards) == 2
    for card, audit in zip(cards, AUDITS, strict=True):
        name = audit.split("/")[0]
        assert f"</span> {name}</h2>" in card
        assert f"{name} ignores hue" in card
        assert card.count("<li>") == 3
        assert card.count("<img") == 2 * (1 + 3)
        assert f'href="#draws-{audit}~0"' in card


def test_bars_begin_with_what_is_ignored_and_have_the_interval_of_the_number_they_show():
    _, tables = indices()
    hue, size, tilt = bars_of(tables, AUDITS[0])

    assert (hue.name, hue.share, hue.low, hue.high) == ("hue", 1.2, 0.9, 1.3)
    assert (hue.fill, hue.whisker) == (100.0, (90.0, 10.0))
    assert (size.name, size.share, size.low, size.high) == ("size", 0.05, 0.01, 0.15)
    assert (tilt.text, tilt.share, tilt.whisker) == ("inconclusive", None, None)
    assert "120 %, 95 % interval 90 … 130" in hue.alt


def test_of_many_attributes_the_ends_are_seen_at_once_and_none_is_lost(page):
    names = tuple(f"a{i}" for i in range(30))
    rows = [index(AUDITS[0], name, i / 30, i / 40, 1) for i, name in enumerate(names)]
    numbers = (tuple((i / 30, i / 40, 1.0) for i in range(30)),)
    cells = tuple(f"{i} %\n1 … 100" for i in range(30))
    offered = table(
        columns=names, rows=((AUDITS[0], cells),), shades=(), numbers=numbers, marked=(),
        links={AUDITS[0]: AUDITS[0]}, sentences={AUDITS[0]: "much."},
    )  # fmt: skip
    text = first_screen(page(rows, tables={"invariance": [offered]}))
    bars = re.findall(r'<span class="name">(a\d+)</span>', text)

    assert bars == list(reversed(names))
    before, folded, after = re.split("</?details>", text)
    assert [part.count('class="track"') for part in (before, folded, after)] == [5, 21, 4]


def test_of_several_samplers_the_nearest_that_passes_speaks_and_the_card_says_so(page):
    rows = [
        row("net/p/near", value=0.01, condition="c", status="fail"), row("net/p/best", value=0.02),
        row("net/p/far", value=0.5),
    ]  # fmt: skip
    galleries = [gallery(f"net/p/{s}") for s in ("near", "best", "far")]
    text = page(rows, galleries, verdicts=[verdict(0, "c", "fail")])
    card = first_screen(text)

    assert "Drawn by best from p: of 2 audits that pass the one with the lowest loss." in card
    assert 'href="#draws-net/p/best~0"' in card
    assert "1 failed" in card
    assert text.index('id="cards"') < text.index('id="conditions"') < text.index('id="samplers"')
    assert "Samplers beside each other" not in page([row()])


@pytest.mark.parametrize("statuses", [{}, {"a": "fail", "b": "fail"}])
def test_without_a_passing_audit_the_nearest_speaks_and_one_without_a_loss_never_does(statuses):
    losses = {"b": ("loss", 0.2), "c": ("loss", 0.1)}

    audit, _ = chosen(["a", "b"], losses, statuses)

    assert audit == "b"


def test_an_extractor_that_failed_says_why_on_its_card(page):
    rows = [row("net/p/s", value=None, statistic=None, status="error", message="It fell.")]
    card = first_screen(page(rows))

    assert "Not all was measured: It fell." in card
    assert "1 not measured" in card


def test_the_end_of_a_run_says_of_an_extractor_what_its_card_says(page):
    rows, tables = indices()
    rows = [*rows, row("net/p/s", value=None, statistic=None, status="error", message="It fell.")]
    card = first_screen(page([*rows, row("mute/p/s")], tables=tables))
    done = SimpleNamespace(records=frame([*rows, row("mute/p/s")]), verdicts=[])

    told = [*ending.first_screen(done, tables)]

    assert len(told) == 4
    assert "Not all was measured: It fell." in told
    assert UNTOLD.format("mute") in told
    words = re.sub(r"<[^>]*>", "", card)
    assert all(sentence in words for sentence in told)


def test_cards_show_the_same_queries_evenly():
    assert queries_of(gallery(q=16)) == [0, 3, 6, 9, 12, 15]
    assert queries_of(gallery(q=2)) == [0, 1]


def test_of_many_draws_the_most_different_of_the_near_half_are_shown():
    """Six copies of the query and two others are near: both others are chosen."""
    draws = np.zeros((1, 16, 1, 2, 2))
    draws[0, 3], draws[0, 5] = 0.5, 1.0
    draws[0, 8:] = np.linspace(0.1, 0.9, 8)[:, None, None, None]  # different, but far
    losses = np.arange(16.0)[None]
    shown = gallery(q=1, k=16, shape=(1, 2, 2), draws=draws, queries=draws[:, 0], fiber_loss=losses)

    assert {3, 5} <= set(most_different(shown, 0)) < set(range(8))
    assert most_different(shown, 0) == sorted(most_different(shown, 0))


def test_suspicious_and_lost_draws_leave_a_gap_that_says_so(page):
    suspicious = np.array([[True, False, False]] * 2)
    lost = np.array([[False, False, True]] * 2)
    text = first_screen(page(None, [gallery(suspicions={"odd": suspicious}, lost=lost)]))

    assert text.count("2 suspect or lost") == 2
    assert text.count("<img") == 2 * (1 + 1)
    every = first_screen(page(None, [gallery(suspicions={"odd": np.ones((2, 3), bool)})]))
    assert every.count('<span class="suspect">') == 2 * 3


def test_nothing_is_shown_where_every_draw_was_lost():
    assert most_different(gallery(lost=np.ones((2, 3), bool)), 0) == []


def test_queries_of_a_table_are_drawings_with_numbers_in_words(page):
    text = first_screen(page(None, [gallery(shape=(5,))]))
    (alt, _) = re.findall(r'aria-label="(query digit[^"]*)"', text)

    assert re.fullmatch(
        r"query digit-0 and 3 draws over 5 columns; their largest distance is \d+% of .*", alt
    )
    assert text.count('class="draw"') == 2 * 3
    assert "nan" not in text


def test_a_column_that_never_varies_is_drawn_too(page):
    same = gallery(shape=(1,), queries=np.ones((2, 1)), draws=np.ones((2, 3, 1)))
    assert "nan" not in first_screen(page(None, [same]))


def test_further_extractors_are_words_without_pictures(page):
    galleries = [gallery(f"net{i}/p/s", (1, 3, 3), q=1, k=2) for i in range(14)]
    text = page(None, galleries)

    assert first_screen(text).count("<img") == 12 * (1 + 2)
    assert "2 more extractors" in text
    assert Reader(text)
