"""Laws that a review found broken: each once, where the toy world can show it."""

import errno
import importlib
import json
import math
import sys
import tempfile
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch

from fiber_audit import _run
from fiber_audit._draw.plan import Audit, Piece
from fiber_audit._draw.store import Store
from fiber_audit._report import write_report
from fiber_audit._run import Options, run
from fiber_audit._score.directory import RESULTS
from fiber_audit._suite.catalogue import Catalogue
from fiber_audit._suite.component import Component
from fiber_audit._suite.loose import load_file
from fiber_audit._suite.read import parse, read
from fiber_audit._suite.suite import Suite
from fiber_audit.contracts import Executor, Statistic
from fiber_audit.errors import DiskError
from fiber_audit.noise import derive_seed

TOY = str(Path(__file__).with_name("toy.py"))
INF = math.inf
toy = load_file(TOY)


@pytest.fixture
def catalogue():
    """One of its own, to which a test may add."""
    return Catalogue.load(extra=[TOY])


@pytest.fixture
def go(toy_suite, catalogue, tmp_path, pageless):
    """Run the toy suite in this process, with settings and more lines."""

    def call(*settings, more=""):
        suite = read(str(toy_suite(more)), catalogue, settings)
        return run(suite, catalogue, Options(tmp_path / "run"))

    return call


def row_of(done, metric):
    rows = done.records[done.records["query"].isna() & (done.records["metric"] == metric)]
    return rows.iloc[0]


class Losing(Executor):
    """It computes all, or all but the last piece, and loses what the last has made."""

    def __init__(self, *, computes: bool = True):
        self.computes = computes

    def map(self, work, pieces):
        *most, last = pieces
        for piece in most:
            yield piece, work(piece)
        if self.computes:
            with tempfile.TemporaryDirectory() as elsewhere:
                yield last, work.at(Path(elsewhere))(last)


@pytest.mark.parametrize("computes", [True, False])
def test_draws_that_an_executor_loses_are_an_error_and_left_to_nobody(go, catalogue, computes):
    catalogue.add("executor", "losing", Losing)
    losing = "executor={use='losing', computes=" + str(computes).lower() + "}"
    done = go("batch_size=3", losing)

    assert (done.incomplete, done.failed > 0) == (0, True)
    assert (
        "the executor 'losing' says nothing of a failure, but"
        in row_of(done, "toy_loss")["message"]
    )
    assert go("batch_size=3").failed == 0


class Clipped(toy.Projecting):
    def __init__(self, *, clip: float = INF):
        assert clip == INF
        super().__init__()


def test_an_option_may_be_infinite_in_the_suite_in_its_copies_and_in_a_run(
    go, catalogue, toy_suite
):
    catalogue.add("sampler", "clipped", Clipped)
    more = "[samplers.clipped]\nclip = inf\n"
    suite = read(str(toy_suite(more)), catalogue)
    as_toml, as_json = (
        tomllib.loads(suite.to_toml()),
        json.loads(suite.model_dump_json(exclude_none=True)),
    )

    assert as_toml["samplers"]["clipped"]["clip"] == INF
    assert as_json["samplers"]["clipped"]["clip"] == INF
    assert Suite(**as_toml).placed(suite.folder) == suite
    assert parse(as_json, catalogue).placed(suite.folder) == suite
    done = go(more=more)
    assert done.failed == 0
    assert read(str(done.path / "suite.toml"), catalogue).placed(suite.folder) == suite


def test_code_that_is_loaded_keeps_its_digest_when_its_file_is_edited(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "mended_code" / "__init__.py"
    file.parent.mkdir()
    file.write_text("A = 1\n")
    module = importlib.import_module("mended_code")
    monkeypatch.setitem(sys.modules, "mended_code", module)
    first = Component("sampler", "x", "p", "", "", "mended_code:A", module)
    before = first.code
    file.write_text("A = 22\n")

    assert first.code == before
    monkeypatch.delitem(sys.modules, "mended_code")
    again = importlib.import_module("mended_code")
    assert Component("sampler", "x", "p", "", "", "mended_code:A", again).code != before


def test_a_loose_file_that_is_executed_again_has_the_code_it_has_then(tmp_path):
    file = tmp_path / "mended_loose.py"
    text = Path(TOY).read_text()

    def sampler():
        return Catalogue.load(extra=[str(file)], autoload=False).find("sampler", "toy-projecting")

    file.write_text(text)
    first = sampler()
    before = first.code
    file.write_text(text + "# edited\n")
    second = sampler()

    assert second.code != before == first.code


def test_a_package_without_an_init_has_code_too(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "mended_namespace" / "part.py"
    file.parent.mkdir()
    made = Component("sampler", "x", "p", "", "", "mended_namespace.part:A", object())
    codes = []
    for text in ("A = 1\n", "A = 22\n"):
        file.write_text(text)
        codes.append(made.code)
    importlib.import_module("mended_namespace")
    monkeypatch.delitem(sys.modules, "mended_namespace")

    assert codes[0] != codes[1]


def results(folder):
    return sorted(path.name for pattern in RESULTS for path in folder.glob(pattern))


def test_a_run_of_another_configuration_that_is_stopped_leaves_no_results_of_the_old_one(
    go, monkeypatch
):
    folder = go().path
    write_report(folder)
    all_of_them = results(folder)

    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(_run, "measure", stopped)
    with pytest.raises(KeyboardInterrupt):
        go()
    assert results(folder) == all_of_them
    assert {"records.csv", "records.json", "verdicts.json", "report.html"} <= {*all_of_them}
    with pytest.raises(KeyboardInterrupt):
        go("seed=1")
    assert results(folder) == []
    assert any((folder / "units").iterdir())


def test_old_pictures_that_cannot_be_removed_are_one_sentence(go):
    folder = go().path / "gallery"
    (folder / "of-old.npz").mkdir()
    with pytest.raises(DiskError, match=r"of-old\.npz: of an earlier run, and cannot be removed"):
        go()


class Odd(toy.MeanLoss):
    """Whatever a test puts into `found` and `flags`."""

    found, flags = (), None

    def summarise(self, seen):
        return self.found

    def suspicious(self, seen):
        if isinstance(self.flags, Exception):
            raise self.flags
        return self.flags


@pytest.mark.parametrize(
    ("found", "part"),
    [
        ([Statistic(1.0, stderr=math.nan)], "its stderr is not finite"),
        ([Statistic(1.0, ci_low=0.0, ci_high=INF)], "its ci_high is not finite"),
        ([Statistic(INF)], "statistic 'mean' is not finite"),
        ([Statistic("much")], "value = 'much' is no number"),
        ([Statistic(torch.ones(3))], "is no number"),
        ([Statistic(1.0, name=3)], "name = 3 is no text"),
        ([Statistic(1.0, n=1.5)], "n = 1.5 is no whole number"),
        ([Statistic(1.0, n="5")], "n = '5' is no whole number"),
        ([1.0], "1.0, which is no Statistic"),
        (["mean"], "'mean', which is no Statistic"),
        (None, "not iterable"),
    ],
)
def test_what_a_metric_may_not_return_costs_its_cell_only(go, catalogue, monkeypatch, found, part):
    monkeypatch.setattr(Odd, "found", found)
    catalogue.add("metric", "odd", Odd)
    done = go("metrics=['toy_loss', 'odd']")

    assert row_of(done, "odd")["status"] == "error"
    assert part in row_of(done, "odd")["message"]
    assert row_of(done, "toy_loss")["status"] == "ok"
    assert done.failed == 1


class Nameless(toy.MeanLoss):
    axis = None


def test_a_metric_without_an_axis_costs_its_cell_only(go, catalogue):
    catalogue.add("metric", "nameless", Nameless)
    done = go("metrics=['toy_loss', 'nameless']")

    assert "has no text 'axis'" in row_of(done, "nameless")["message"]
    assert row_of(done, "toy_loss")["status"] == "ok"


@pytest.mark.parametrize(
    "flags", [np.ones(2, bool), np.ones((3, 5), bool), "yes", [[1], [2, 3]], ValueError("no")]
)
def test_suspicions_that_fit_no_draw_are_not_believed(go, catalogue, monkeypatch, flags):
    monkeypatch.setattr(Odd, "found", [Statistic(1.0)])
    monkeypatch.setattr(Odd, "flags", flags)
    catalogue.add("metric", "odd", Odd)
    done = go("metrics=['toy_loss', 'odd']")

    assert done.failed == 0
    (kept,) = (done.path / "gallery").glob("*.npz")
    with np.load(kept) as archive:
        assert not archive["suspected"].any()


def test_suspicions_are_kept_though_there_is_no_null(go, catalogue, monkeypatch):
    def none(*_):
        raise RuntimeError("no pairs")

    monkeypatch.setattr("fiber_audit.contracts.observations.random_pairs", none)
    monkeypatch.setattr(Odd, "found", [Statistic(1.0)])
    monkeypatch.setattr(Odd, "flags", np.eye(5, 3, dtype=bool))
    catalogue.add("metric", "odd", Odd)
    (kept,) = (go("metrics=['toy_loss', 'odd']").path / "gallery").glob("*.npz")

    with np.load(kept) as archive:
        assert (archive["suspected"].any(0) == np.eye(5, 3, dtype=bool)).all()


class Scaled(toy.MeanLoss):
    def summarise(self, seen):
        return [Statistic(float(seen.null.mean()))]


class Blind(Scaled):
    asked = 0

    def observe(self, block):
        raise RuntimeError("cannot look")

    def suspicious(self, seen):
        Blind.asked += 1


def test_the_null_of_an_audit_is_computed_once_and_no_metric_can_change_it(
    go, catalogue, monkeypatch
):
    from fiber_audit.contracts import observations

    calls, pairs = [], observations.random_pairs
    monkeypatch.setattr(observations, "random_pairs", lambda *a: calls.append(1) or pairs(*a))
    for name in ("scaled", "scaled-again"):
        catalogue.add("metric", name, Scaled)
    done = go("metrics=['scaled', 'scaled-again']")

    assert len(calls) == 1
    assert row_of(done, "scaled")["value"] == row_of(done, "scaled-again")["value"]


def test_a_metric_that_could_not_look_is_not_asked_what_it_suspects(go, catalogue):
    catalogue.add("metric", "blind", Blind)
    done = go("metrics=['toy_loss', 'blind']")

    assert row_of(done, "blind")["status"] == "error"
    assert Blind.asked == 0


EXPORTER = """
from fiber_audit import hookimpl
class Odd:
    def __init__(self):
        {made}
    def export(self, records, run, out):
        {written}
@hookimpl
def fiber_audit_exporters():
    return {{"odd": Odd}}
"""


@pytest.mark.parametrize(
    ("made", "written", "part"),
    [
        ("raise ZeroDivisionError('no luck')", "return []", "ZeroDivisionError: no luck"),
        ("pass", "return None", "TypeError"),
        ("pass", "return [3]", "TypeError"),
        ("raise SystemExit(0)", "return []", "SystemExit"),
    ],
)
def test_whatever_an_exporter_does_wrong_is_one_sentence(
    command, toy_suite, tmp_path, made, written, part
):
    command("run", str(toy_suite()), "--out", "run")
    plugin = tmp_path / "odd_exporter.py"
    plugin.write_text(EXPORTER.format(made=made, written=written))
    done = command("export", "run", "--to", "odd", "--plugin", str(plugin))

    assert done.returncode == 3
    assert f"--to odd: {part}" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.fixture
def kept(tmp_path):
    """A store with one good file."""
    store = Store(tmp_path / "run")
    store.open()
    piece = Piece(Audit("e", "p", "s"), "of", (0,), ("q0",), 1)
    rows = {"query": np.array(["q0"]), "draw": np.array([0]), "data": np.zeros(3)}
    path = store.save("units", piece, piece.units, rows)
    return store, path


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EACCES, errno.EIO, errno.ESTALE])
def test_a_file_that_cannot_be_read_now_is_not_taken_for_damaged(kept, monkeypatch, number):
    store, path = kept
    content = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(np, "load", lambda *a, **k: (_ for _ in ()).throw(OSError(number, "Not now")))
        with pytest.raises(DiskError, match=r"npz: cannot be read \(not now\)"):
            store.arrays(path)

    assert path.read_bytes() == content
    assert not (store.path / "log.jsonl").exists()


def test_a_machine_short_of_memory_removes_nothing(kept, monkeypatch):
    store, path = kept

    def full(*_, **__):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(np, "load", full)
        with pytest.raises(MemoryError):
            store.arrays(path)
    assert store.arrays(path) is not None


def test_a_store_that_only_reads_leaves_damaged_files_and_the_log_alone(kept):
    store, path = kept
    path.write_bytes(b"PK damaged")

    assert Store(store.path, reading=True).arrays(path) is None
    assert path.exists()
    assert not (store.path / "log.jsonl").exists()


BASED = "[[conditions]]\nmetric = 'toy_loss'\nbaseline = 'main.csv'\n"


def test_a_merged_run_finds_the_baselines_of_its_suite(command, toy_suite, tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    (home / "based.toml").write_text(toy_suite().read_text() + BASED)
    command("run", str(toy_suite()), "--baseline", "home/main.csv", "--update-baseline")
    for i in (1, 2):
        done = command("run", "home/based.toml", "--out", f"part{i}", "--shard", f"{i}/2")
        assert done.returncode == 0, done.stderr
    merged = command("merge", "part1", "part2", "--out", "all", "--json")

    assert merged.returncode == 0, merged.stderr
    assert [v["status"] for v in json.loads(merged.stdout)["verdicts"]] == ["pass"]


def test_nothing_is_copied_into_the_run_of_another_suite(command, toy_suite, tmp_path):
    other = toy_suite(name="other.toml")
    other.write_text(other.read_text().replace('"toy"', '"other"').replace("draws = 3", "draws=2"))
    command("run", str(other), "--out", "all")
    command("run", str(toy_suite()), "--out", "part")
    before = sorted((tmp_path / "all" / "units").iterdir())
    done = command("merge", "part", "--out", "all")

    assert done.returncode == 4
    assert "holds a run of the suite 'other'" in done.stderr
    assert sorted((tmp_path / "all" / "units").iterdir()) == before


def test_the_environment_overrides_nothing_in_shards_that_are_merged(command, toy_suite):
    command("run", str(toy_suite()), "--out", "part")
    done = command("merge", "part", "--out", "all", FIBER_AUDIT_SET="draws=9 seed=5")

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("shard", ["²/3", "1/²", "0/3", "4/3", "1", "1/" + "9" * 5000, "-1/2", ""])
def test_a_shard_that_is_none_is_one_sentence(command, toy_suite, shard):
    done = command("run", str(toy_suite()), "--shard", shard)

    assert done.returncode == 4
    assert "--shard" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("tolerance", ["nan", "inf"])
def test_a_tolerance_that_is_no_number_is_refused_before_anything_is_drawn(
    command, toy_suite, tmp_path, tolerance
):
    (tmp_path / "main.csv").write_text("")
    done = command("run", str(toy_suite()), "--out", "run", "--tolerance", tolerance)

    assert done.returncode == 4
    assert "--tolerance" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_half_a_surrogate_pair_has_a_seed_and_other_texts_keep_theirs():
    assert derive_seed(0, "query-7", 3) == 4751619156687403411
    assert derive_seed(0, "\udcff") != derive_seed(0, "\udcfe")


@pytest.mark.parametrize("name", ["statistics", "numpy", "sys", "xdrlib_free", "this"])
def test_a_plugin_file_takes_the_place_of_no_other_module(tmp_path, monkeypatch, name):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "xdrlib_free.py").write_text("")
    monkeypatch.syspath_prepend(elsewhere)
    before = sys.modules.get(name)
    file = tmp_path / f"{name}.py"
    file.write_text("")
    with pytest.raises(ImportError, match=f"the name '{name}' is that of .*; rename the file"):
        load_file(str(file))
    assert sys.modules.get(name) is before


def test_a_plugin_file_that_fails_leaves_no_module(tmp_path):
    file = tmp_path / "mended_failing.py"
    file.write_text("raise SystemError('bad day')\n")
    with pytest.raises(SystemError):
        load_file(str(file))
    assert "mended_failing" not in sys.modules


def test_a_plugin_file_can_be_loaded_many_times(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)  # importable, but as the same file
    file = tmp_path / "mended_often.py"
    file.write_text("A = 1\n")
    first, second = load_file(str(file)), load_file(str(file))
    file.write_text("raise SystemError('bad day')\n")
    with pytest.raises(SystemError):
        load_file(str(file))

    assert first is not second is sys.modules.pop("mended_often")


def test_a_plugin_that_speaks_of_loaded_already_is_taken_out_like_any_other(tmp_path):
    file = tmp_path / "mended_words.py"
    file.write_text(
        "from fiber_audit import hookimpl\n@hookimpl\ndef fiber_audit_metrics():\n"
        "    raise ValueError('the weights are loaded already')\n"
    )
    catalogue = Catalogue()
    import pluggy

    from fiber_audit import hookspecs

    manager = pluggy.PluginManager("fiber_audit")
    manager.add_hookspecs(hookspecs)
    catalogue._add(manager, "words", lambda: load_file(str(file)), "", "")

    assert "loaded already" in catalogue.broken["words"]
    assert not manager.has_plugin("words")


def test_the_page_shows_as_many_queries_as_are_kept():
    from fiber_audit._draw.shown import SHOWN
    from fiber_audit._score.gallery import MOST_QUERIES

    assert MOST_QUERIES == SHOWN
