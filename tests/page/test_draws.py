"""The draws on the page: addresses, what is said of each, and what is not shown."""

import re

import numpy as np
from made_run import gallery, make_run

from fiber_audit._report import pictures, write_report
from fiber_audit._report.anchors import anchor, query_anchor
from fiber_audit._report.spread import spreads
from fiber_audit._score.gallery import FAR, FOLDER, OUT_OF_RANGE


def test_no_two_places_share_an_address():
    names = ["a/b/c", "a.b/c", "a b/c", "a~0", "a", "é", "a.7e.0"]
    found = [anchor(n) for n in names] + [query_anchor(n, i) for n in names for i in range(3)]

    assert len(set(found)) == len(found)
    assert all(re.fullmatch(r"[A-Za-z0-9/_.~-]+", each) for each in found)


def test_a_suspicious_draw_says_why(page):
    first, last = np.zeros((2, 2, 3), bool)
    first[0, 0] = last[0, 2] = True
    reasons = {OUT_OF_RANGE: first, FAR: last, "plausibility suspects it": last}
    text = page(None, [gallery(suspicions=reasons, null=2.0)])

    assert text.count(f"is suspect: {OUT_OF_RANGE}.") == 1
    assert f"is suspect: {FAR} and plausibility suspects it." in text


def test_alt_texts_have_the_loss_and_what_share_of_a_random_pair_it_is(page):
    text = page(None, [gallery(fiber_loss=np.full((2, 3), 0.25), null=2.0)])

    assert 'alt="draw 1 for query digit-0, fiber loss 0.25, 12.5 % of two queries' in text


def test_the_deviation_is_zero_where_draws_agree_and_known_where_they_do_not():
    draws = np.zeros((1, 2, 1, 2, 2))
    draws[0, 0, 0, 0, 0], draws[0, 1, 0, 0, 0] = 0.0, 1.0
    free = np.zeros((1, 2, 1, 2, 2))
    free[0, 1] = 1.0
    (found,) = spreads(gallery(q=1, k=2, shape=(1, 2, 2), draws=draws, unguided=free), 1, 96)

    assert found.told == "0.18; of unguided draws 0.71"  # sqrt(1 / 2) in one of four pixels
    lost = np.array([[True, False]])
    assert spreads(gallery(q=1, k=2, lost=lost), 1, 96) == [None]
    assert spreads(gallery(q=1, k=2, shape=(4,)), 1, 96) == [None]


def test_small_pictures_lie_in_the_page_and_large_ones_beside_it_too(tmp_path):
    folder = make_run(tmp_path / "run", None, [gallery(shape=(3, 80, 80), q=1, k=2)])
    text = write_report(folder).read_text("utf-8")
    beside = set(re.findall(r'data-full="(report-pictures/[0-9a-f]{16}\.webp)"', text))

    assert len(beside) == 1 + 2 + 2
    assert {f"report-pictures/{p.name}" for p in (folder / "report-pictures").iterdir()} == beside
    make_run(tmp_path / "small", None, [gallery()])
    for path in folder.joinpath(FOLDER).iterdir():
        path.unlink()
    write_report(folder)
    assert not (folder / "report-pictures").exists()


def test_a_page_of_many_audits_has_fewer_queries_and_says_so(page, monkeypatch):
    monkeypatch.setattr(pictures, "MOST_PICTURES", 500)
    text = page(None, [gallery(f"net{i}/p/s", (1, 2, 2), q=16, k=8) for i in range(5)])
    draws = text[text.index('id="draws"') :]

    assert 400 < draws.count("<img") <= 500
    assert text.count("11 of 16 queries are not shown.") == 5
