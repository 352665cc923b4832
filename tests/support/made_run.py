"""Run directories made by hand, without sampling: what the page and the figures are made of."""

import json
import shutil
from html.parser import HTMLParser

import numpy as np

from fiber_audit import records
from fiber_audit._judge import written
from fiber_audit._judge.verdicts import Verdict
from fiber_audit._score import exhibits
from fiber_audit._score.gallery import FOLDER, Gallery, save
from fiber_audit._suite.condition import Condition
from fiber_audit.contracts import Table
from fiber_audit.records import frame

AUDITS = ("shape/latent/ndtm", "colour/latent/ndtm")
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
        "lost": np.zeros((q, k), bool),
    }  # fmt: skip
    return Gallery(**fields | more)


def table(**more):
    fields = {
        "title": "Blind spots", "caption": "Small is blind.", "corner": "guided by",
        "columns": ("a", "b"), "rows": (("a", ("0.1", "0.9\nFD 1.25")), ("b", ("0.5", ""))),
        "shades": ((0.0, 1.0), (0.5, None)), "marked": ((0, 0), (1, 1)),
        "links": {"a": "shape/latent/ndtm", "b": "not/in/here"},
    }  # fmt: skip
    return Table(**fields | more)


def index(audit, name, value, low, high, statistic=None):
    return row(
        audit, "invariance", "diversity", value, statistic=statistic or name, better="",
        ci_low=low, ci_high=high,
    )  # fmt: skip


def indices(audits=AUDITS):
    """A table of the invariance index as its metric offers it, and the rows behind it."""
    rows, tables = [], {}
    for audit in audits:
        rows += [row(audit), index(audit, "hue", 1.2, 0.9, 1.3), index(audit, "size", 0.1, 0, 0.2)]
        rows += [index(audit, "hue", 1.0, None, None, "hue p")]
        rows += [index(audit, "size", 0.05, 0.01, 0.15, "size from query")]
    shared = {"columns": ("size", "hue", "tilt"), "marked": (), "links": {a: a for a in audits}}
    tables["invariance"] = [
        table(
            rows=tuple((a, ("5 %\n1 … 15", "120 %\n90 … 130", "inconclusive")) for a in audits),
            shades=tuple((0.05, 1.0, None) for _ in audits),
            numbers=tuple(((0.05, 0.01, 0.15), (1.2, 0.9, 1.3), None) for _ in audits),
            sentences={a: f"{a.split('/')[0]} ignores hue (120 % [90, 130])." for a in audits},
            **shared,
        )
    ]
    return rows, tables


def verdict(row, title, status="pass", **more):
    condition = Condition(metric="loss", max=1.0, name=title)
    return Verdict(condition, "shape/latent/ndtm", status, f"{title}: why.", row=row, **more)


def make_run(folder, rows=None, galleries=(), environment=None, suite="", tables=None, verdicts=()):
    """Write a run directory; every audit that has a gallery has a row."""
    if rows is None:
        rows = [row(g.audit) for g in galleries] or [row()]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "suite.toml").write_text(suite or 'name = "trial"\n')
    facts = {"fiber_audit": "1.0", "python": "3.11"} | (environment or {})
    (folder / "environment.json").write_text(json.dumps(facts))
    for each in galleries:
        save(each, folder / FOLDER)
    exhibits.save(tables or {}, folder)
    if verdicts:
        written.write(verdicts, folder)
    records.write(frame(rows), folder)
    return folder


def both_axes():
    audits = ("shape/latent/ndtm", "shape/latent/dps")
    return [
        row(audit, metric, axis, value)
        for i, audit in enumerate(audits)
        for metric, axis, value in (("loss", "fidelity", 0.1 + i), ("kl", "consistency", 0.2 + i))
    ]


def everything():
    rows = [*both_axes(), row("colour/latent/ndtm")]
    rows += [row(metric="kl2", axis="consistency"), row(metric="div", axis="diversity")]
    rows += [row("bad/latent/ndtm", value=None, statistic=None, status="error", message="It fell.")]
    rows += [row("t/a/b", seen_by="other"), row("drawn/a/b")]
    rows += [row(query=f"digit-{i}") for i in range(2)]
    galleries = [gallery(), gallery("colour/latent/ndtm"), gallery("t/a/b", shape=(3,))]
    return rows, galleries, None, "", {"blind": [table()]}


def hostile(evil):
    audit = f"{evil}/p/s"
    rows = [
        row(audit, f"m{evil}", axis, unit=evil, condition=evil, status="fail", message=evil,
            query=query, statistic=statistic, seen_by=evil)
        for axis in ("fidelity", "consistency", evil)
        for query, statistic in ((None, "mean"), (evil, "mean"), (None, evil))
    ]  # fmt: skip
    rows += [row(audit, f"kl{evil}", "consistency"), row(audit, "$\\frac{", "fidelity")]
    rows += [row(audit, value=None, status="error", message=evil)]
    odd = table(title=evil, caption=evil, corner=evil, columns=(evil, "b"), links={"a": audit})
    galleries = [gallery(audit, query_ids=(evil, '"><b>'))]
    verdicts = [verdict(0, evil, "fail")]
    suite = "# " + "".join(c for c in evil if c != "\0" and not "\ud800" <= c <= "\udfff")
    return rows, galleries, {evil: {evil: {evil: evil}}}, suite, {evil: [odd]}, verdicts


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
