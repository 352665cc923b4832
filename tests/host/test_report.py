import base64
import io
import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from fiber_audit.records import frame
from fiber_audit.report import Gallery, write_report
from fiber_audit.report.images import data_uri
from fiber_audit.report.verdict import verdict_of

EVIL = "<script>alert(1)</script>"
VOID = {"meta", "img", "br", "wbr", "link", "input", "hr", "path", "use", "rect"}


def row(audit="shape/latent/ndtm", metric="loss", axis="fidelity", value=0.1, **more):
    extractor, prior, sampler = audit.split("/", 2)
    known = {} if value is None else {"ci_low": 0.8 * value, "ci_high": 1.3 * value}
    return {
        "suite": "trial", "audit": audit, "extractor": extractor, "prior": prior, "seed": 7,
        "sampler": sampler, "metric": metric, "axis": axis, "statistic": "mean", "value": value,
        "n": 5, "better": "lower", "unit": "null", "status": "ok", "seconds": 0.25,
        "prior_forward": 150.0, "prior_backward": 600.0, "config_hash": "c0ffee", "plugin": "toy",
        "plugin_version": "1.2", "weights_sha256": "ab" * 32, "git_dirty": 0, **known, **more,
    }  # fmt: skip


def gallery(audit="shape/latent/ndtm", shape=(3, 6, 6), q=2, k=3, **more):
    rng = np.random.default_rng(len(audit))
    loss = rng.random((q, k))
    fields = {
        "audit": audit, "query_ids": tuple(f"digit-{i}" for i in range(q)),
        "queries": rng.random((q, *shape)), "draws": rng.random((q, k, *shape)),
        "fiber_loss": loss, "unguided": rng.random((q, k, *shape)),
        "suspicious": np.zeros((q, k), bool),
    }  # fmt: skip
    return Gallery(**fields | more)


@pytest.fixture
def page(tmp_path):
    """Write a report and return its text."""

    def write(rows=None, galleries=(), environment=None, suite='name = "trial"\n'):
        path = tmp_path / "report.html"
        table = frame([row()] if rows is None else rows)
        write_report(path, table, galleries, environment or {"python": "3.11"}, suite)
        return path.read_text("utf-8")

    return write


def both_axes():
    audits = ("shape/latent/ndtm", "colour/latent/ndtm")
    return [
        row(audit, metric, axis, value)
        for i, audit in enumerate(audits)
        for metric, axis, value in (("loss", "fidelity", 0.1 + i), ("kl", "consistency", 0.2 + i))
    ]


def without_pictures(text):
    return re.sub(r"data:image/png;base64,[A-Za-z0-9+/=]+", "picture", text)


class Reader(HTMLParser):
    """Checks that tags close, and collects ids, tags and text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.tags, self.words = [], [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.ids += [value for name, value in attributes if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.ids += [value for name, value in attributes if name == "id"]

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)


def everything():
    rows = both_axes()
    rows += [row(metric="kl2", axis="consistency"), row(metric="div", axis="diversity")]
    rows += [
        row(f"{by}/latent/ndtm", "blind_spot", "consistency", 0.5, statistic=f"measured_by:{other}")
        for by in ("shape", "colour") for other in ("shape", "colour")
    ]  # fmt: skip
    rows += [row("bad/latent/ndtm", value=None, statistic=None, status="error", message="It fell.")]
    rows += [row(query=f"digit-{i}") for i in range(2)]
    galleries = [gallery(), gallery("colour/latent/ndtm"), gallery("t/a/b", shape=(3,))]
    return rows, galleries


def test_the_same_run_gives_the_same_bytes(page):
    assert page(*everything()) == page(*everything())


def test_the_page_is_whole_html_with_unique_ids_and_no_dead_links(page):
    found = Reader(page(*everything()))
    assert len(found.ids) == len(set(found.ids))
    targets = [a.get("href") or a.get("xlink:href") for _, a in found.tags]
    assert {t[1:] for t in targets if t} <= set(found.ids)


def test_nothing_is_loaded_from_anywhere_and_no_script_is_needed(page):
    text = page(*everything())
    found = Reader(text)
    for tag, attributes in found.tags:
        assert tag not in {"script", "link", "iframe", "object", "embed"}
        for name in ("src", "href", "xlink:href", "data", "action"):
            assert attributes.get(name, "#").startswith(("#", "data:image/png;base64,"))
    assert "@import" not in text
    assert all(u.startswith("#") for u in re.findall(r"url\(([^)]*)\)", text))
    assert "default-src 'none'" in text


def test_every_picture_has_a_text_and_every_header_a_scope(page):
    found = Reader(page(*everything()))
    assert sum(tag == "img" for tag, _ in found.tags) == 2 * 2 * (1 + 3 + 3)
    assert all(a["alt"] for tag, a in found.tags if tag == "img")
    assert all(a["scope"] for tag, a in found.tags if tag == "th")
    plots = [a for tag, a in found.tags if tag == "svg"]
    assert len(plots) == 2
    assert all(a["role"] == "img" and a["aria-label"] for a in plots)


def test_no_missing_number_is_written_as_nan(page):
    rows, galleries = everything()
    rows.append(row(metric="undefined", value=None, status="skipped", message="Too few queries."))
    galleries.append(gallery("odd/a/b", fiber_loss=np.full((2, 3), np.nan)))
    text = without_pictures(page(rows, galleries))
    assert not re.search(r"\b([Nn]a[Nn]|[+-]?inf|None)\b|<NA>|&lt;NA&gt;", text)
    assert "Too few queries." in text


def test_malicious_names_are_text(page):
    audit = f"{EVIL}/p/s"
    rows = [
        row(audit, f"m{EVIL}", axis, unit=EVIL, condition=EVIL, status="fail", message=EVIL,
            query=query, statistic=statistic)
        for axis in ("fidelity", "consistency")
        for query, statistic in ((None, "mean"), (EVIL, "mean"), (None, f"measured_by:{EVIL}"))
    ]  # fmt: skip
    rows += [r | {"metric": "blind_spot"} for r in rows]
    rows += [row(audit, f"kl{EVIL}", "consistency"), row(audit, "$\\frac{", "fidelity")]
    rows += [row(audit, value=None, status="error", message=EVIL)]
    galleries = [gallery(audit, query_ids=(EVIL, '"><b>'))]
    text = page(rows, galleries, {EVIL: {EVIL: EVIL}}, f"# {EVIL}")
    assert "<script" not in text
    assert '"><b>' not in text
    assert "alert(1)" in "".join(Reader(text).words)


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
    assert verdict_of(frame(rows)).word == word
    assert f"<title>{word}: trial" in page(rows)


def test_an_audit_that_failed_is_an_error_whatever_the_conditions_say(page):
    rows = [row(condition="c", status="pass")]
    rows += [
        row("bad/p/s", m, value=None, statistic=None, status="error", message="It fell over.")
        for m in ("loss", "kl")
    ]
    assert verdict_of(frame(rows)).word == "Error"
    text = page(rows)
    assert "It fell over." in text
    assert "loss, kl" in text


def test_a_statistic_that_is_undefined_does_not_change_the_verdict():
    rows = [row(condition="c", status="pass"), row(metric="x", value=None, status="skipped")]
    assert verdict_of(frame(rows)).word == "Pass"


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


def test_every_gallery_is_shown_with_its_draws_from_the_best_to_the_worst(page):
    galleries = [gallery(), gallery("colour/latent/ndtm"), gallery("t/a/b", shape=(3,))]
    text = page(None, galleries)
    for each in galleries:
        assert f'<h3 class="id" id="draws-{each.audit}">{each.audit}</h3>' in text
    first = galleries[0]
    for i in range(2):
        order = np.argsort(first.fiber_loss[i])
        places = [text.index(data_uri(first.draws[i, j])) for j in order]
        assert places == sorted(places)
        places = [text.index(data_uri(first.unguided[i, j])) for j in order]
        assert places == sorted(places)
        assert all(f"{first.fiber_loss[i, j]:.3g}" in text for j in order)


def test_suspicious_draws_are_marked_in_words(page):
    flags = np.array([[True, False, False], [False, False, False]])
    text = page(None, [gallery(suspicious=flags)])
    assert text.count('<li class="suspect">') == 1
    assert "1 of 6 draws are suspicious" in text
    assert page(None, [gallery(shape=(3,), suspicious=flags)]).count("draw (suspect)") == 1


def test_what_is_not_shown_is_counted(page):
    text = page(None, [gallery(q=20, k=12, shape=(1, 2, 2), queries_in_all=50)])
    assert "34 of 50 queries are not shown." in text
    assert "8 of 12 draws per query are shown, evenly from best to worst." in text
    assert "4 of 12 columns" not in text
    assert "8 of 12 columns are shown." in page(None, [gallery(shape=(12,))])


def test_large_pictures_of_many_audits_stay_a_page(page):
    galleries = [gallery(f"a{i}/b/c", (3, 96, 96), q=16, k=8) for i in range(3)]
    assert len(page(None, galleries)) < 20_000_000


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
    assert "colour/latent/ndtm: 1.1 against 1.2" in label


def test_the_scatter_shows_where_true_samples_would_be(page):
    rows = both_axes()
    metric = next(r["metric"] for r in rows if r["axis"] == "consistency")
    floor = row(metric=metric, axis="consistency", value=0.05, statistic="floor", better="")

    assert "dotted: floor" not in page(rows)
    assert "dotted: floor" in page([*rows, floor])


def test_names_that_plots_treat_specially_are_in_the_legend_as_they_are(page):
    audits = ("_hidden/p/s", "$x^2$/p/s")
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


def test_the_blind_spot_matrix_has_a_row_per_guide_and_its_own_cells_marked(page):
    values = {("a", "a"): 0.1, ("a", "b"): 0.9, ("b", "a"): 0.5, ("b", "b"): 0.1}
    rows = [
        row(f"{by}/p/s", "blind_spot", "consistency", value, statistic=f"measured_by:{other}")
        for (by, other), value in values.items()
    ]
    text = page(rows)
    heat = text[text.index('class="heat"') :]
    heat = heat[: heat.index("</table>")]
    assert re.findall(r"--shade: ([\d.]+)", heat) == ["0.0", "1.0", "0.5", "0.0"]
    assert heat.count('class="own"') == 2
    assert "blind-spots" not in page([row()])


def test_raw_distances_and_the_unguided_row_stand_in_the_matrix_and_rows_lead_to_their_draws(page):
    values = {"measured_by:a": 0.1, "frechet_by:a": 1.25, "unguided_by:a": 12.5}
    rows = [
        row("a/p/s", "blind_spot", "consistency", value, statistic=statistic)
        for statistic, value in values.items()
    ]
    text = page(rows, [gallery("a/p/s")])
    heat = text[text.index('class="heat"') :]
    heat = heat[: heat.index("</table>")]

    assert "FD 1.25" in heat
    assert "FD 12.5" in heat
    assert 'href="#draws-a/p/s"' in heat
    assert 'id="draws-a/p/s"' in text


def test_cost_and_provenance_are_told(page):
    words = " ".join(Reader(page(None, (), {"libraries": {"torch": "9.9"}}, "[queries]")).words)
    for fact in ("0.25", "150", "600", "c0ffee", "ab" * 32, "torch 9.9", "[queries]", "1.2"):
        assert fact in words


def test_no_records_at_all_are_a_page_too(page):
    assert "Nothing was measured." in page([])


def test_importing_the_report_loads_neither_torch_nor_matplotlib():
    code = (
        "import sys, fiber_audit.report.gallery, fiber_audit.report; "
        "assert not {'torch', 'matplotlib', 'jinja2', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
