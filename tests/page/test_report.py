import base64
import hashlib
import io
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from made_run import (
    Reader,
    both_axes,
    everything,
    gallery,
    hostile,
    row,
    table,
    verdict,
)
from PIL import Image

from fiber_audit._report import write_report
from fiber_audit._report.answer import answer_of
from fiber_audit._report.images import data_uri
from fiber_audit._report.numbers import short
from fiber_audit._report.pictures import ranks
from fiber_audit._score import exhibits
from fiber_audit._score.gallery import FOLDER, load_all, save
from fiber_audit.errors import DataError, PluginError
from fiber_audit.records import frame

EVIL = "<script>alert(1)</script>"


def without_pictures(text):
    return re.sub(r"data:image/webp;base64,[A-Za-z0-9+/=]+", "picture", text)


def test_the_same_run_gives_the_same_bytes(page):
    assert page(*everything()) == page(*everything())


def test_the_page_is_whole_html_with_unique_ids_and_no_dead_links(page):
    found = Reader(page(*everything()))
    assert len(found.ids) == len(set(found.ids))
    targets = [a.get("href") or a.get("xlink:href") for _, a in found.tags]
    assert {t[1:] for t in targets if t} <= set(found.ids)


def test_nothing_is_loaded_from_anywhere_and_only_our_script_may_run(page):
    text = page(*everything())
    found = Reader(text)
    (script,) = re.findall("<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'\">" in text
    assert len(script) < 15_000
    for tag, attributes in found.tags:
        assert tag not in {"link", "iframe", "object", "embed"}
        for name in ("src", "href", "xlink:href", "data", "action"):
            assert attributes.get(name, "#").startswith(("#", "data:image/webp;base64,"))
    assert "@import" not in text
    assert all(u.startswith("#") for u in re.findall(r"url\(([^)]*)\)", text))
    assert "default-src 'none'" in text


def test_every_picture_has_a_text_and_every_header_a_scope(page):
    found = Reader(page(*everything()))
    assert sum(tag == "img" for tag, _ in found.tags) == 2 * 2 * ((1 + 3 + 3 + 2) + (1 + 3))
    assert all(a["alt"] for tag, a in found.tags if tag == "img")
    assert all(a["scope"] for tag, a in found.tags if tag == "th")
    plots = [a for tag, a in found.tags if tag == "svg"]
    assert len(plots) == 2 + 2  # scatters, and strips of the queries of a table
    assert all(a["role"] == "img" and a["aria-label"] for a in plots)


def test_no_missing_number_is_written_as_nan(page):
    rows, galleries, *rest = everything()
    rows.append(row(metric="undefined", value=None, status="skipped", message="Too few queries."))
    rows.append(row("odd/a/b"))
    galleries.append(gallery("odd/a/b", fiber_loss=np.full((2, 3), np.nan)))
    text = without_pictures(page(rows, galleries, *rest))
    assert not re.search(r"\b([Nn]a[Nn]|[+-]?inf|None)\b|<NA>|&lt;NA&gt;", text)
    assert "Too few queries." in text


def test_malicious_names_are_text(page):
    text = page(*hostile(EVIL))
    assert text.count("<script") == 1
    assert '"><b>' not in text
    assert "alert(1)" in "".join(Reader(text).words)


ACTING = ["\x1b[2J\x07", "\u202eevil", "\x00b", "\ud800", "\u2028", "\x9b1m"]


@pytest.mark.parametrize("evil", ACTING)
def test_characters_that_would_act_are_visible_escapes(page, evil):
    text = page(*hostile(evil))
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u202e\ud800-\udfff]", text)
    assert evil[:1].encode("unicode_escape").decode() in text


@pytest.mark.parametrize(
    ("statuses", "word"),
    [
        (["pass", "pass"], "Pass"),
        (["pass", "warn"], "Warning"),
        (["pass", "inconclusive"], "Inconclusive"),
        (["warn", "fail", "pass"], "Fail"),
        ([], "Measured"),
    ],
)
def test_the_verdict_is_the_worst_of_the_conditions(page, statuses, word):
    rows = [row(metric="free")]
    rows += [row(metric=f"m{i}", condition="c", status=s) for i, s in enumerate(statuses)]
    assert answer_of(frame(rows)).word == word
    assert f"<title>{word}: trial" in page(rows)


def test_an_audit_that_failed_is_an_error_whatever_the_conditions_say(page):
    rows = [row(condition="c", status="pass")]
    rows += [
        row("bad/p/s", m, value=None, statistic=None, status="error", message="It fell over.")
        for m in ("loss", "kl")
    ]
    assert answer_of(frame(rows)).word == "Error"
    text = page(rows)
    assert "It fell over." in text
    assert "loss, kl" in text


def test_a_statistic_that_is_undefined_does_not_change_the_verdict():
    rows = [row(condition="c", status="pass"), row(metric="x", value=None, status="skipped")]
    assert answer_of(frame(rows)).word == "Pass"


def test_a_run_whose_audits_were_all_skipped_says_so(page):
    rows = [row(value=None, statistic=None, status="skipped", message="No weights here.")]
    text = page(rows)
    assert "Skipped" in text
    assert "No weights here." in text


def test_the_table_shows_the_mean_or_else_the_only_pooled_row(page):
    rows = [
        row(metric="loss", value=0.123), row(metric="loss", value=9.87, statistic="random_pairs"),
        row(metric="loss", value=8.76, query="digit-0"),
        row(metric="distance", value=0.456, statistic="squared"),
        row(metric="many", value=0.789, statistic="a"),
        row(metric="many", value=0.89, statistic="b"),
    ]  # fmt: skip
    text = page(rows)
    table = text[text.index('id="results"') : text.index("<details>")]
    assert "0.123" in table
    assert "0.0984 to 0.16" in table
    assert "0.456" in table
    assert not any(absent in table for absent in ("9.87", "8.76", "0.789", "0.89"))


def test_what_a_metric_says_of_its_headline_is_under_the_table(page):
    text = page([row(message="Hides a third of what others see."), row(metric="other")])
    assert text[text.index('id="results"') : text.index("<details>")].count("Hides a third") == 1


def test_every_gallery_is_shown_with_its_draws_from_the_best_to_the_worst(run):
    galleries = [gallery(), gallery("colour/latent/ndtm"), gallery("t/a/b", shape=(3,))]
    folder = run(None, galleries)
    text = write_report(folder).read_text("utf-8")
    for each in galleries:
        assert f'id="draws-{each.audit}">\n<h3 class="id">{each.audit}</h3>' in text
    text = text[text.index('id="draws"') :]
    first = load_all(folder / FOLDER)[1]
    assert first.audit == galleries[0].audit
    for i in range(2):
        order = np.argsort(first.fiber_loss[i])
        places = [text.index(data_uri(first.draws[i, j])) for j in order]
        assert places == sorted(places)
        places = [text.index(data_uri(first.unguided[i, j])) for j in order]
        assert places == sorted(places)
        assert all(short(float(first.fiber_loss[i, j])) in text for j in order)


def test_suspicious_draws_are_marked_in_words(page):
    flags = np.array([[True, False, False], [False, False, False]])
    text = page(None, [gallery(suspicions={"odd": flags})])
    assert text.count('<li class="suspect">') == 1
    assert "1 of 6 draws are suspicious" in text
    assert page(None, [gallery(shape=(3,), suspicions={"odd": flags})]).count("draw (suspect)") == 1


def test_what_is_not_shown_is_counted(page):
    text = page(None, [gallery(q=20, k=12, shape=(1, 2, 2), queries_in_all=50)])
    assert "34 of 50 queries are not shown." in text
    assert "8 of 12 draws per query are shown, evenly from best to worst." in text
    assert "4 of 12 columns" not in text
    assert "8 of 12 columns are shown." in page(None, [gallery(shape=(12,))])


def test_large_pictures_of_many_audits_stay_a_page(page):
    galleries = [gallery(f"a{i}/b/c", (3, 96, 96), q=4, k=8) for i in range(3)]
    assert len(page(None, galleries)) < 5_000_000


def test_pictures_keep_their_levels_and_their_shape():
    image = np.linspace(0, 1, 3 * 4 * 5).reshape(3, 4, 5)
    raw = base64.b64decode(data_uri(image).split(",")[1])
    found = np.asarray(Image.open(io.BytesIO(raw)))
    assert np.array_equal(found, np.rint(image * 255).transpose(1, 2, 0))
    raw = base64.b64decode(data_uri(np.zeros((1, 400, 200)), side=50).split(",")[1])
    assert Image.open(io.BytesIO(raw)).size == (25, 50)


def test_the_scatter_needs_both_axes(page):
    assert "<svg" not in page([row()])
    text = page(both_axes())
    label = re.search(r'aria-label="(Scatter[^"]*)"', text)[1]
    assert "shape/latent/ndtm: 0.1 against 0.2" in label
    assert "shape/latent/dps: 1.1 against 1.2" in label


def test_the_scatter_shows_where_true_samples_would_be(page):
    rows = both_axes()
    metric = next(r["metric"] for r in rows if r["axis"] == "consistency")
    floor = row(metric=metric, axis="consistency", value=0.05, statistic="floor", better="")

    assert "dotted: floor" not in page(rows)
    assert "dotted: floor" in page([*rows, floor])


def test_names_that_plots_treat_specially_are_in_the_legend_as_they_are(page):
    audits = ("net/p/_hidden", "net/p/$x^2$")
    rows = [
        row(audit, metric, metric) for audit in audits for metric in ("fidelity", "consistency")
    ]
    text = page(rows)
    svg = text[text.index("<svg") : text.index("</svg>")]
    assert all(f">{audit}</text>" in svg for audit in audits)


def test_plots_take_their_colours_from_the_page(page):
    text = page(both_axes())
    svg = text[text.index("<svg") : text.index("</svg>")]
    assert not re.findall(r"#[0-9a-fA-F]{6}\b", re.sub(r'(id|href)="[^"]*"|url\([^)]*\)', "", svg))


def test_a_table_of_a_metric_is_shaded_outlined_and_leads_to_the_draws(page):
    text = page([row()], [gallery()], tables={"blind_spot": [table()]})
    heat = text[text.index('class="heat"') :]
    heat = heat[: heat.index("</table>")]

    assert re.findall(r"--shade: ([\d.]+)", heat) == ["0.0", "1.0", "0.5"]
    assert heat.count('class="own"') == 2
    assert 'href="#draws-shape/latent/ndtm"' in heat
    assert 'href="#draws-not' not in heat
    assert '<span class="value">0.9</span><span class="interval">FD 1.25</span>' in heat
    assert "exhibits" not in page([row()])


def test_a_table_without_shades_is_a_table_too(page):
    text = page(tables={"m": [table(shades=(), marked=(), links={})]})
    assert text[text.index('class="heat"') :].count("--shade") == 0


def test_tables_of_metrics_come_back_as_they_are(tmp_path):
    tables = {"m": (table(), table(title="Ω", shades=())), "n": ()}
    exhibits.save(tables, tmp_path)
    assert exhibits.load(tmp_path) == tables


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"rows": (("a", ("1",)),)}, "row 'a' has 1 cells for 2 columns"),
        ({"columns": ("a", 5)}, "5 is not a text"),
        ({"shades": ((0.0, 1.0),)}, "shades has not one number for each cell"),
        ({"shades": ((0.0, float("nan")), (0.0, 0.0))}, "a shade is outside 0 to 1"),
        ({"numbers": (((0.0, None, None),),)}, "numbers has not one entry for each cell"),
        (
            {"numbers": ((None, (0.5, float("inf"), 1.0)), (None, None))},
            "one of its numbers is not finite",
        ),
        ({"marked": ((2, 0),)}, "a marked cell is outside the table"),
        ({"links": {"a": None}}, "None is not a text"),
    ],
)
def test_a_table_that_breaks_the_contract_is_refused_with_its_metric(tmp_path, wrong, why):
    with pytest.raises(PluginError, match=f"^blind: exhibits\\(\\): 'Blind spots': {why}"):
        exhibits.save({"blind": [table(**wrong)]}, tmp_path)
    with pytest.raises(PluginError, match="a str is not a Table"):
        exhibits.checked("blind", ["table"])
    assert not (tmp_path / exhibits.FILE).exists()


def test_cost_and_provenance_are_told(page):
    words = " ".join(Reader(page(None, (), {"libraries": {"torch": "9.9"}}, "[queries]")).words)
    for fact in ("0.25", "150", "600", "c0ffee", "ab" * 32, "torch 9.9", "[queries]", "1.2"):
        assert fact in words


def test_no_records_at_all_are_a_page_too(page):
    assert "Nothing was measured." in page([])


def test_the_page_needs_neither_torch_nor_plugins_nor_units(run):
    folder = run(*everything())
    code = (
        "import sys; from pathlib import Path; from fiber_audit._report import write_report; "
        "assert not {'matplotlib', 'jinja2', 'pandas'} & set(sys.modules); "
        f"write_report(Path({str(folder)!r})); "
        "assert not [m for m in sys.modules if m == 'torch' or m.startswith('fiber_audit_')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_headline_that_is_anothers_view_says_whose(page):
    text = page([row(seen_by="clip"), row(metric="other")])
    table = text[text.index('id="results"') : text.index("<details>")]
    every = text[text.index("<details>") : text.index("</details>")]

    assert "seen by clip" in table
    assert "<td>mean</td><td>clip</td>" in every
    assert "Seen by" not in page([row()])


def test_a_passing_condition_shows_its_bound(page):
    rows = [row(condition="near", status="pass"), row(metric="b", condition="x; y", status="fail")]
    verdicts = [
        verdict(0, "near", high=0.25), verdict(1, "x", low=-1.5),
        verdict(1, "y", "fail", low=0.0, high=0.0625),
    ]  # fmt: skip
    text = page(rows, verdicts=verdicts)
    conditions = text[text.index('id="conditions"') : text.index('id="results"')]
    results = text[text.index('id="results"') : text.index("<details>")]

    assert re.findall(r'<td class="whole" data-label="bound">(.*?)</td>', conditions) == [
        "≤ 0.25", "≥ −1.5", "0 to 0.0625",
    ]  # fmt: skip
    assert "3 measurements judged by conditions: 2 passed, 1 failed." in text
    assert conditions.count("why.") == 1
    assert "≤ 0.25" in results
    assert "≥ −1.5, 0 to 0.0625" in results


def test_conditions_are_told_without_verdicts_too(page):
    text = page([row(condition="near", status="pass")])
    assert "Bound" not in text
    assert "1 measurement judged by conditions: 1 passed." in text


def test_missing_pictures_are_told_on_the_page_and_to_the_caller(run):
    rows = [row(), row("b/p/s"), row("c/p/s", value=None, status="error", message="It fell.")]
    rows += [row("d/p/s", "draws_lost", "health", 6.0, n=6)]
    folder, told = run(rows, [gallery()]), []
    text = write_report(folder, told.append).read_text("utf-8")

    assert told == [
        "The pictures of b/p/s are missing from the run directory (gallery/); "
        "run the suite again to make them."
    ]
    assert all(sentence in text for sentence in told)
    shutil.rmtree(folder / FOLDER)
    write_report(folder, told.append)
    assert len(told) == 3


def test_no_picture_is_lost_with_the_units(run):
    folder = run(None, [gallery()])
    (folder / "units").mkdir()
    before = write_report(folder).read_bytes()
    (folder / "units").rmdir()
    assert write_report(folder).read_bytes() == before


def test_lost_draws_are_counted_and_shown_as_lost(page):
    lost = np.zeros((2, 3), bool)
    lost[0, 1] = True
    unguided = gallery().unguided
    unguided[1, 0] = np.nan
    rows = [row(), row(metric="draws_lost", axis="health", value=2.0, n=64, statistic="count")]
    text = page(rows, [gallery(lost=lost, unguided=unguided)])

    assert "2 of 64 draws were lost." in text
    assert text.count('<span class="gone">lost</span>') == 2
    assert "0 of 5 draws are suspicious" in text
    assert "were lost" not in page([row(), rows[1] | {"value": 0.0}], [gallery()])
    words = page(rows, [gallery(shape=(3,), lost=lost)])
    assert words.count("draw (lost)") == 1


def test_of_many_draws_some_lost_ones_are_shown_beside_the_best_and_the_worst(page):
    lost = np.zeros((1, 20), bool)
    lost[0, ::2] = True
    loss = np.arange(20.0)[None]
    text = page(None, [gallery(q=1, k=20, lost=lost, fiber_loss=loss)])

    assert text.count('<span class="gone">lost</span>') == 2
    assert [f">{2 * i + 1}</li>" in text for i in ranks(10, 6)] == [True] * 6


BROKEN = {
    "suite.toml": ["", None, b"\xff"],
    "environment.json": [None, "", "{", "[]", "5", '{"a": NaN}', '{"a": 1}', "[" * 10**5, b"\xff"],
    "exhibits.json": [None, "", "[]", "{", '{"m": [5]}', '{"m": [{"title": "t"}]}', "[" * 10**5],
    "records.csv": [None, "", "a,b\n1,2\n", b"\xff\xfe\x00"],
    "verdicts.json": ["", "{", "5", "[5]", "[" * 10**5],
    "gallery/odd.npz": ["", "text"],
}


@pytest.mark.parametrize(
    ("name", "content"), [(name, c) for name, found in BROKEN.items() for c in found if c != ""]
)
def test_a_file_that_is_missing_damaged_or_foreign_is_one_sentence_that_names_it(
    run, name, content
):
    folder = run([row()], [gallery()])
    path = folder / name
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError) as told:
        write_report(folder)
    assert str(folder) in str(told.value)
    assert path.name in str(told.value)
    assert "\n" not in str(told.value)
    assert not (folder / "report.html").exists()


def test_pictures_of_another_run_are_refused(run):
    folder = run([row()], [gallery()])
    save(gallery("other/p/s"), folder / FOLDER)
    with pytest.raises(DataError, match=r"other_p_s.*an audit that records\.csv lacks"):
        write_report(folder)


def test_a_run_of_the_first_version_has_a_page_without_pictures(run):
    folder = run([row(metric="blind_spot", statistic="mean", axis="consistency")])
    (folder / "records.json").unlink()
    (folder / exhibits.FILE).unlink()
    told = []
    assert "blind_spot" in write_report(folder, told.append).read_text("utf-8")
    assert len(told) == 1


def test_numbers_beyond_all_axes_are_in_the_table_and_spoil_no_plot(page):
    huge = [row("huge/p/s", "loss", value=1e300), row("huge/p/s", "kl", "consistency")]
    text = page([*both_axes(), *huge])
    assert "1e+300" in text
    assert "huge/p/s" not in text[text.index("<svg") : text.index("</svg>")]


def test_names_in_any_script_are_drawn_without_a_warning(page):
    audits = ("形/p/s", "形/p/t")
    rows = [row(audit, m, m) for audit in audits for m in ("fidelity", "consistency")]
    assert ">形/p/s</text>" in page(rows)
