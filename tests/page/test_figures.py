"""Figures for papers: from a run directory alone, the same bytes each time, fonts within."""

import re
from contextlib import contextmanager

import numpy as np
import pytest
from made_run import AUDITS, gallery, indices, make_run, row, table
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from fiber_audit._report.figures import write_figure
from fiber_audit._report.figures.paper import named
from fiber_audit.errors import UsageError

KINDS = ("grid", "pareto", "invariance", "blind-spot")


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """A run that has something for every figure."""
    rows, tables = indices()
    rows += [
        row(a, m, m, 0.1 + i) for i, a in enumerate(AUDITS) for m in ("fidelity", "consistency")
    ]
    tables["blind_spot"] = [table()]
    galleries = [gallery(a) for a in AUDITS]
    return make_run(tmp_path_factory.mktemp("run") / "run", rows, galleries, tables=tables)


@pytest.mark.parametrize("kind", KINDS)
def test_a_figure_is_the_same_bytes_each_time_with_its_fonts(full, tmp_path, kind):
    svg, again, pdf = (tmp_path / name for name in ("a.svg", "b.svg", "a.pdf"))
    write_figure(full, kind, svg, "svg")
    write_figure(full, kind, again, "svg")
    write_figure(full, kind, pdf, "pdf")

    assert svg.read_bytes() == again.read_bytes()
    assert "<text" not in svg.read_text()  # outlines: no reader needs the font
    assert not re.search(r"\d{4}-\d\d-\d\d", svg.read_text())
    assert b"/FontFile2" in pdf.read_bytes()
    assert b"CreationDate" not in pdf.read_bytes()


def test_a_grid_holds_the_pixels_of_the_queries_and_their_draws(full, tmp_path):
    path = write_figure(full, "grid", tmp_path / "a.png", "png", (AUDITS[0],), queries=1)
    with Image.open(path) as image:
        shown = np.asarray(image.convert("RGB")).reshape(-1, 3)
    first = gallery(AUDITS[0])
    colours = {tuple(c) for c in shown.tolist()}

    for image in (first.queries[0], *first.draws[0]):
        levels = np.rint(image * 255).astype(int).reshape(3, -1).T
        near = [any(abs(np.subtract(p, c)).max() <= 1 for c in colours) for p in levels[:5]]
        assert all(near)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_without_what_a_figure_needs_is_a_sentence_with_the_way_out(tmp_path, kind):
    folder = make_run(tmp_path / "run", [row()], [gallery(shape=(3,))])

    with pytest.raises(UsageError, match=f"^{kind}: .*(add|needs none)") as told:
        write_figure(folder, kind, tmp_path / "a.svg", "svg")
    assert "\n" not in str(told.value)
    assert not (tmp_path / "a.svg").exists()


def test_an_audit_that_is_not_there_is_named_with_the_nearest_one(full, tmp_path):
    with pytest.raises(UsageError, match=r"--audit shape/latent/ndtn: .*shape/latent/ndtm"):
        write_figure(full, "grid", tmp_path / "a.svg", "svg", ("shape/latent/ndtn",))


@contextmanager
def written():
    """What is written on all figures that are saved within."""
    found, save = [], Figure.savefig

    def seen(figure, *arguments, **options):
        save(figure, *arguments, **options)
        found.extend(text.get_text() for text in figure.findobj(Text))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", seen)
        yield found


@pytest.mark.parametrize(
    "evil",
    [
        "$\\frac{",
        "\x1b[2J",
        "形",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("_hidden", "a" * 200)),
    ],
)
def test_names_are_drawn_as_they_are_whatever_they_hold(tmp_path, evil):
    audits = (f"{evil}/p/s", f"{evil}/p/t")
    rows, tables = indices(audits)
    rows += [row(a, m, m, 0.1) for a in audits for m in ("fidelity", "consistency")]
    tables["blind_spot"] = [table(corner=evil, columns=(evil, "b"))]
    folder = make_run(tmp_path / "run", rows, [gallery(a) for a in audits], tables=tables)

    with written() as drawn:
        for kind in KINDS:
            write_figure(folder, kind, tmp_path / f"{kind}.svg", "svg", audits)
    for kind, name in (("pareto", f"{evil}/p/s"), ("invariance", f"{evil}/p/t"), ("grid", evil)):
        assert named(name)[:20] in " ".join(drawn), kind


def test_values_that_span_orders_are_drawn_on_logarithmic_axes(tmp_path):
    values = (1e-6, 0.05, 0.4)
    rows = [
        row(f"net{i}/p/s", m, m, v)
        for i, v in enumerate(values)
        for m in ("fidelity", "consistency")
    ]
    folder = make_run(tmp_path / "run", rows)

    assert write_figure(folder, "pareto", tmp_path / "a.svg", "svg").exists()


def test_the_command_writes_into_the_run_or_where_it_is_told(full, command, tmp_path):
    done = command("figure", str(full), "invariance", toy=False)
    told = command("figure", str(full), "grid", "--to", "png", "--out", "x/a.png", toy=False)

    assert done.stdout.strip() == str(full / "figure-invariance.svg")
    assert (full / "figure-invariance.svg").exists()
    assert told.stdout.strip() == "x/a.png"
    with Image.open(tmp_path / "x" / "a.png") as image:
        assert image.size[0] > 100
    assert command("figure", str(full), "pie", toy=False).returncode == 4
    assert command("figure", str(tmp_path), "grid", toy=False).returncode != 0
