"""The page in a real browser: one query large, by address, click and key; nothing else may run."""

import json

import numpy as np
import pytest
from made_run import gallery, hostile, row

from fiber_audit._judge.compare import compare
from fiber_audit._report import write_comparison, write_report
from fiber_audit._report.anchors import anchor
from fiber_audit.records import frame

STATE = """[
  document.querySelectorAll('section.audit:not([hidden])').length,
  document.querySelectorAll('section.audit:not([hidden]) > .grids > .fiber:not([hidden])').length,
  document.querySelectorAll('.stage img').length,
  (document.querySelector('.stage figure:nth-child(2) img') || {}).alt || '',
  location.hash]"""


def keys(*pressed):
    """The state of the page before any key, and after each of them."""
    return f"""(() => {{
      const state = () => {STATE};
      return [state(), ...{json.dumps(pressed)}.map((key) => {{
        document.body.dispatchEvent(new KeyboardEvent('keydown', {{key, bubbles: true}}));
        return state();
      }})];
    }})()"""


@pytest.fixture
def two(run):
    """The page of two audits with two queries of three draws each."""
    losses = np.array([[0.1, 0.2, 0.3], [0.3, 0.2, 0.1]])
    galleries = [gallery(fiber_loss=losses), gallery("colour/latent/ndtm", fiber_loss=losses)]
    return write_report(run(None, galleries))


def test_at_first_one_audit_is_shown_with_all_its_queries(browse, two):
    found, complaints, _ = browse(two, STATE)

    assert found == [1, 2, 0, "", ""]
    assert complaints == []


def test_an_address_leads_to_one_query_large_and_keys_move_from_there(browse, two):
    pressed = ("ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft", "j", "a", "k", "Escape")
    states, complaints, _ = browse(two, keys(*pressed), "#draws-shape/latent/ndtm~1")
    draws = [state[3].partition(",")[0] for state in states]
    places = [state[4].removeprefix("#draws-") for state in states]

    assert [state[:3] for state in states] == [[1, 1, 5]] * 8 + [[1, 2, 0]]
    assert draws == [
        "draw 3 for query digit-1", "draw 2 for query digit-1", "draw 1 for query digit-1",
        "draw 1 for query digit-1", "draw 2 for query digit-1", "draw 1 for query digit-0",
        "draw 1 for query digit-0", "draw 3 for query digit-1", "",
    ]  # fmt: skip
    assert places[4:] == [
        "shape/latent/ndtm~1", "shape/latent/ndtm~0", "colour/latent/ndtm~0",
        "colour/latent/ndtm~1", "colour/latent/ndtm",
    ]  # fmt: skip
    assert complaints == []


def test_a_click_on_a_draw_and_the_slider_choose_it(browse, two):
    click = f"""(() => {{
      document.querySelectorAll('article.fiber .draws li')[1].click();
      const first = {STATE};
      const slider = document.querySelector('#explore input');
      slider.value = 2; slider.dispatchEvent(new Event('input'));
      return [first, {STATE}, slider.max, slider.getAttribute('aria-valuetext')];
    }})()"""
    (first, second, most, said), complaints, _ = browse(two, click)

    assert first[3].startswith("draw 2 for query digit-0")
    assert second[3].startswith("draw 3 for query digit-0")
    assert most == "2"
    assert said == second[3]
    assert complaints == []


def test_an_address_that_leads_nowhere_changes_nothing(browse, two):
    assert browse(two, STATE, "#draws-%E0%A4%A")[0][:2] == [1, 2]


def test_draws_of_tables_and_lost_ones_can_be_chosen(browse, run):
    lost = np.array([[True, False, False]] * 2)
    path = write_report(run(None, [gallery(shape=(3,), lost=lost), gallery("b/c/d", lost=lost)]))
    states, complaints, _ = browse(path, keys("ArrowRight", "a", "ArrowRight"), "#draws-b/c/d~0")

    assert [state[1] for state in states] == [1] * 4
    assert [state[2] for state in states] == [5, 5, 0, 0]  # of a row of a table there is no picture
    assert complaints == []


def test_no_name_or_message_runs_or_loads_anything_in_a_browser(browse, run):
    run_me = "document.title='owned'"
    evil = (
        f'<script>{run_me}</script><img src=x onerror="{run_me}">\'" onload="{run_me}" x=\''
        f"</style><svg onload={run_me}>javascript:{run_me}//</title></option>"
        "<link rel=stylesheet href=https://example.invalid/a.css>]]>--></textarea>"
    )
    path = write_report(run(*hostile(evil)))
    safe, complaints, dom = browse(path)
    assert safe is None
    assert "<title>Error: trial" in dom
    assert complaints == []

    (title, count, outside), complaints, dom = browse(
        path,
        "[document.title, document.scripts.length, "
        "performance.getEntriesByType('resource').length]",
        "#" + anchor(f"{evil}/p/s") + "~0",
    )
    assert title.startswith("Error: trial")
    assert (count, outside) == (2, 0)  # ours, and the one that asks
    assert complaints == []
    assert 'class="stage"' in dom
    assert "<option" in dom


@pytest.mark.parametrize("width", [390, 1300])
def test_nothing_is_cut_off_on_a_telephone_or_a_screen(browse, run, width):
    audits = ("shape/latent/ndtm", "colour/latent/ndtm", "classifier/latent/ndtm")
    rows = [
        row(audit, f"{axis}_metric_{i}", axis, condition="a condition", status="pass")
        for audit in audits
        for axis in ("fidelity", "consistency", "diversity", "health")
        for i in range(3)
    ]
    path = write_report(run(rows, [gallery(a) for a in audits]))
    wide, complaints, _ = browse(
        path,
        "[document.documentElement.scrollWidth - document.documentElement.clientWidth, "
        "...[...document.querySelectorAll('#results > .tables .scroll')]"
        ".map(e => e.scrollWidth - e.clientWidth)]",
        width=width,
    )

    assert complaints == []
    assert wide == [0] * 5 if width > 1000 else wide[0] == 0


def test_a_comparison_needs_no_sideways_scrolling_on_a_telephone(browse, run):
    folder = run([row()], [gallery()])
    changes = compare(frame([row()]), frame([row(value=0.5)]))
    path = write_comparison(folder, folder, changes, folder / "compare.html")
    found, complaints, _ = browse(
        path,
        "[...document.querySelectorAll('html, #changes .scroll')]"
        ".map(e => e.scrollWidth - e.clientWidth)",
        width=390,
    )

    assert found == [0, 0]
    assert complaints == []


def test_the_browser_of_these_tests_complains_of_what_the_policy_forbids(browse, run):
    path = write_report(run(None, [gallery()]))
    text = path.read_text("utf-8")
    path.write_text(text.replace("</main>", "<script>document.title = 'owned'</script></main>"))
    _, complaints, dom = browse(path)

    assert "Content Security Policy" in " ".join(complaints)
    assert "<title>owned" not in dom
