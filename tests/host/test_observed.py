"""What is observed is stored, found again, and never taken for what it is not."""

import pytest
import torch

from fiber_audit._run import Options, forecast, run
from fiber_audit._suite.catalogue import Catalogue
from fiber_audit._suite.read import read
from fiber_audit.errors import PluginError

WORLD = """
import torch
from fiber_audit import WeightsError, hookimpl
from fiber_audit.contracts import Dataset, Extractor, Metric, Needs, Statistic
from fiber_audit.testing import LinearExtractor

class Stamped(Dataset):
    data_shape = (1, 2, 2)
    ids = ("a", "b", "c", "d", "e")
    def __init__(self, *, flip: bool = False, label: int = 0, noisy: bool = False):
        self.flip, self.noisy = flip, noisy
        self.labels = torch.full((5,), label)
    def stamp(self, index):
        return "the same for ever"
    def load(self, indices):
        x = torch.stack([torch.linspace(0, 0.2 + 0.1 * i, 4).reshape(1, 2, 2) for i in indices])
        x = x.flip(-1) if self.flip else x
        return x + 0.01 * torch.rand_like(x) if self.noisy else x

class Ragged(Metric):
    axis, better = "health", ""
    needs = Needs(parts=("queries",))
    def __init__(self, *, how: str = "missing"):
        self.how = how
    def observe(self, block):
        last = len(block.data) == 1
        if last and self.how == "missing":
            return {}
        if last and self.how == "type":
            return {"x": torch.zeros(1, dtype=torch.int64)}
        if last and self.how == "shape":
            return {"x": torch.zeros(1, 2)}
        return {"x": torch.ones(len(block.data))}
    def summarise(self, seen):
        return [Statistic(float(seen.queries("x").mean()))]

class Peeping(Metric):
    axis, better = "health", ""
    needs = Needs(parts=("queries",), extractors=("",))
    def observe(self, block):
        return {"x": block.features("toy-first-two")[:, 0]}
    def summarise(self, seen):
        return [Statistic(float(seen.queries("x").mean()))]

class Looking(Metric):
    axis, better = "health", ""
    def __init__(self, *, extractor: str):
        self.needs = Needs(parts=("queries",), extractors=(extractor,))
        self.extractor = extractor
    def observe(self, block):
        return {"x": block.features(self.extractor)[:, 0]}
    def summarise(self, seen):
        return [Statistic(float(seen.queries("x").mean()))]

class Label(Metric):
    axis, better = "health", ""
    needs = Needs(parts=("queries",))
    def observe(self, block):
        return {"label": block.labels.double()}
    def summarise(self, seen):
        return [Statistic(float(seen.queries("label").mean()) - float(seen.labels.mean()))]

class Lost(Metric):
    axis, better = "health", ""
    needs = Needs(parts=("nosuch",))
    def summarise(self, seen):
        return [Statistic(0.0)]

@hookimpl
def fiber_audit_datasets(): return {"stamped": Stamped}
@hookimpl
def fiber_audit_metrics():
    return {"ragged": Ragged, "peeping": Peeping, "looking": Looking, "label": Label, "lost": Lost}
"""


@pytest.fixture
def go(toy_suite, toy_catalogue, tmp_path, pageless):
    """Run the toy suite with the metrics of this file."""
    path = tmp_path / "observing.py"
    path.write_text(WORLD)
    toy = next(c for c in toy_catalogue if c.name == "toy-points").origin.__file__
    catalogue = Catalogue.load(extra=[toy, str(path)])

    def call(*settings, more=""):
        suite = read(str(toy_suite(more)), catalogue, settings)
        return run(suite, catalogue, Options(tmp_path / "run"))

    call.ahead = lambda *settings: forecast(
        read(str(toy_suite()), catalogue, settings), catalogue, Options(tmp_path / "run")
    )
    return call


def row(done, metric):
    found = done.records[(done.records["metric"] == metric) & done.records["query"].isna()]
    return found.iloc[0]


@pytest.mark.parametrize("how", ["missing", "type", "shape"])
def test_a_metric_that_observes_blocks_unlike_is_an_error_of_its_own(go, how):
    settings = ("batch_size=6", f"metrics=['toy_loss', {{use='ragged', how='{how}'}}]")
    done = go(*settings)

    assert done.failed == 1
    assert row(done, "ragged")["status"] == "error"
    assert "observe() must return" in row(done, "ragged")["message"]
    assert row(done, "toy_loss")["status"] == "ok"


def test_a_metric_looks_only_with_extractors_that_it_names(go):
    message = row(go("metrics=['toy_loss', 'peeping']"), "peeping")["message"]

    assert "'toy-first-two'; name it in Needs.extractors" in message


def test_an_eye_without_weights_is_skipped_and_asked_for_once(go):
    settings = ("metrics=['toy_loss', {use='looking', extractor='toy-needs-weights'}]",)
    done = go(*settings)

    assert row(done, "looking")["status"] == "skipped"
    assert "put it beside you" in row(done, "looking")["message"]
    assert [f.to_draw + f.to_observe for f in go.ahead(*settings)] == [0, 0]


def test_a_part_that_does_not_exist_is_told_before_anything_is_drawn(go, tmp_path):
    with pytest.raises(Exception, match="it needs 'nosuch'"):
        go("metrics=['lost']")

    assert not (tmp_path / "run").exists()


def test_a_metric_that_is_added_is_the_only_one_that_looks_again(go, tmp_path):
    go()
    before = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "run" / "observed").iterdir()}
    done = go("metrics=['toy_loss', 'diversity']")
    new = [p for p in (tmp_path / "run" / "observed").iterdir() if p.name not in before]

    import numpy as np

    with np.load(new[0]) as arrays:
        owners = {name.partition("|")[0] for name in arrays.files} - {"of", "query"}
    assert len(new) == len(owners) == 1
    assert done.failed == 0


def test_another_option_or_label_of_a_stamped_dataset_is_another_content(toy_catalogue, tmp_path):
    from fiber_audit._draw.inputs import read_inputs
    from fiber_audit._draw.store import Store

    namespace = {}
    exec(compile(WORLD, "world", "exec"), namespace)
    stamped, store = namespace["Stamped"], Store(tmp_path)
    first = read_inputs(stamped(), "made", store)
    first.save(store)

    assert read_inputs(stamped(), "made", store).items == first.items
    assert not set(read_inputs(stamped(flip=True), "flipped", store).items) & set(first.items)
    assert not set(read_inputs(stamped(label=1), "made", store).items) & set(first.items)


def test_queries_that_are_others_at_every_load_are_refused(toy_catalogue, tmp_path):
    from fiber_audit._draw.inputs import content_of

    namespace = {}
    exec(compile(WORLD, "world", "exec"), namespace)
    noisy = namespace["Stamped"](noisy=True)
    first, second = (content_of(noisy.load([0])[0], noisy, 0) for _ in range(2))

    assert first != second


def test_a_dataset_with_random_crops_is_one_sentence(toy_suite, toy_catalogue, tmp_path):
    from dataclasses import replace

    points = toy_catalogue.find("dataset", "toy-points")

    def cropped(*, n=5, scale=1.0):
        made = points.factory(n=n)
        made.load = lambda indices: torch.randn(len(indices), 4)
        return made

    catalogue = Catalogue([c for c in toy_catalogue if c.name != "toy-points"])
    catalogue.components.append(replace(points, offer=cropped))
    with pytest.raises(PluginError, match="take random crops and noise out"):
        run(read(str(toy_suite()), catalogue), catalogue, Options(tmp_path / "run"))


def test_a_dataset_that_cannot_load_is_one_sentence(toy_suite, toy_catalogue, tmp_path):
    from dataclasses import replace

    points = toy_catalogue.find("dataset", "toy-points")

    def broken(*, n=5, scale=1.0):
        made = points.factory(n=n)
        made.load = lambda indices: {}["missing"]
        return made

    catalogue = Catalogue([c for c in toy_catalogue if c.name != "toy-points"])
    catalogue.components.append(replace(points, offer=broken))
    with pytest.raises(PluginError, match=r"cannot be loaded \(KeyError"):
        run(read(str(toy_suite()), catalogue), catalogue, Options(tmp_path / "run"))


def test_one_lost_draw_does_not_read_a_mapped_array_into_memory(tmp_path):
    import numpy as np

    from fiber_audit._draw.observed import _empty, _mapped
    from fiber_audit.measuring.layout import laid_out

    large = _empty((1_200_000, 8), np.dtype(np.float32), tmp_path)
    large[:] = 1
    mapped = _mapped(large)
    lost = np.zeros((600_000, 2), dtype=bool)
    lost[3, 1] = True
    found = laid_out(mapped, 2, lost)

    assert np.shares_memory(found, mapped)
    assert np.isnan(found[3, 1]).all()
    assert np.isfinite(np.load(next(tmp_path.glob("*.npy")), mmap_mode="r")).all()
