"""The `local` executor: same answers, whatever the number of processes and whatever they suffer."""

import importlib
import multiprocessing
import os
import re
import signal
import sys
import time
import types
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest
import torch
from fiber_audit_local import fiber_audit_executors

from fiber_audit._draw.work import Work
from fiber_audit._suite.catalogue import Loaded
from fiber_audit.computing import WorkerError
from fiber_audit.errors import FiberAuditError, PluginError, UsageError


def make(**options):
    module, _, name = fiber_audit_executors()["local"].partition(":")
    return getattr(importlib.import_module(module), name)(**options)


@pytest.fixture
def toy(monkeypatch):
    """tests/plugins/local_toy.py, importable here and in the workers."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    return importlib.import_module("local_toy")


@pytest.fixture(autouse=True)
def _no_worker_outlives_its_test():
    yield

    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_every_piece_comes_once_with_its_result(toy, workers):
    found = list(make(workers=workers).map(toy.double, range(7)))

    assert sorted(found) == [(n, 2 * n) for n in range(7)]


@pytest.mark.parametrize("workers", [1, 2])
def test_no_pieces_give_nothing(toy, workers):
    assert list(make(workers=workers).map(toy.double, [])) == []


def test_one_worker_is_this_process_and_so_it_is_for_one_piece(toy):
    assert list(make(workers=1).map(toy.process, "ab")) == [("a", os.getpid()), ("b", os.getpid())]
    assert list(make(workers=2).map(toy.process, "a")) == [("a", os.getpid())]


def test_this_process_computes_with_the_threads_asked_for_and_is_as_before_between_pieces():
    before = torch.get_num_threads()
    results = make(threads=before + 1).map(lambda _: torch.get_num_threads(), range(2))

    for _, threads in results:
        assert threads == before + 1
        assert torch.get_num_threads() == before


def test_a_worker_is_another_process_with_the_threads_asked_for():
    count = "(__import__('os').getpid(), __import__('torch').get_num_threads())"
    executor = make(timeout=300, threads=3)  # with a timeout even one worker is a process
    [(_, first), (_, second)] = executor.map(eval, [count, count])

    assert first == second
    assert first[0] != os.getpid()
    assert first[1] == 3


def test_libraries_beside_torch_get_no_more_threads_and_this_process_keeps_its_own(
    toy, monkeypatch
):
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    names = ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"]

    assert dict(make(workers=2).map(toy.environment, names)) == dict.fromkeys(names, "1")
    assert os.environ["OMP_NUM_THREADS"] == "5"
    assert "MKL_NUM_THREADS" not in os.environ


def test_workers_stay_from_one_map_to_the_next_until_the_context_ends(toy):
    with make(workers=2) as executor:
        first = {process for _, process in executor.map(toy.process, range(6))}
        second = {process for _, process in executor.map(toy.process, range(6))}

        assert len(multiprocessing.active_children()) == 2
        assert second <= {child.pid for child in multiprocessing.active_children()}
        assert first <= {child.pid for child in multiprocessing.active_children()}


def test_kept_workers_take_new_work(toy):
    with make(workers=2) as executor:
        assert sorted(executor.map(toy.double, [1, 2, 3])) == [(1, 2), (2, 4), (3, 6)]
        assert sorted(executor.map(str, [1, 2, 3])) == [(1, "1"), (2, "2"), (3, "3")]


def test_work_is_sent_once_to_a_worker_and_not_with_every_piece(toy, tmp_path):
    with make(workers=2) as executor:
        list(executor.map(toy.Obedient(tmp_path / "log"), "abcdefgh"))
        list(executor.map(toy.Obedient(tmp_path / "log"), "abcdefgh"))
    lines = (tmp_path / "log").read_text().splitlines()

    assert max(Counter(line for line in lines if line.startswith("unpickled")).values()) == 1
    assert len([line for line in lines if not line.startswith("unpickled")]) == 16


def test_two_maps_at_once_do_not_mix_their_pieces(toy):
    with make(workers=2) as executor:
        pairs = list(
            zip(executor.map(toy.double, range(4)), executor.map(str, range(4)), strict=True)
        )

    assert sorted(one for one, _ in pairs) == [(n, 2 * n) for n in range(4)]
    assert sorted(other for _, other in pairs) == [(n, str(n)) for n in range(4)]


@pytest.mark.parametrize("workers", [1, 2])
def test_what_work_raises_comes_in_place_of_its_result(workers):
    found = dict(make(workers=workers).map(int, ["1", "block 2", "3"]))

    assert (found["1"], found["3"]) == (1, 3)
    assert type(found["block 2"]) is ValueError
    assert "block 2" in str(found["block 2"])


def test_an_exception_from_a_worker_tells_where_it_was_raised(toy):
    found = dict(make(workers=2).map(toy.double, [1, None]))

    assert "local_toy.py" in "".join(found[None].__notes__)


@pytest.mark.parametrize(
    ("piece", "sentence"),
    [
        ("unreturnable", "Unreturnable: 1 and 2"),
        ("unpicklable", "Unpicklable: here only"),
        ("lambda", "The result of a piece cannot be sent between processes."),
    ],
)
def test_what_cannot_travel_between_processes_becomes_a_sentence(toy, piece, sentence):
    found = dict(make(workers=2).map(toy.obey, [piece, "fine"]))

    assert isinstance(found[piece], PluginError)
    assert str(found[piece]) == sentence
    assert found["fine"] == "fine"


@pytest.mark.parametrize("workers", [1, 2])
def test_a_plugin_that_exits_costs_its_piece_only(toy, workers):
    found = dict(make(workers=workers).map(toy.obey, ["sys.exit", "fine"]))

    assert "sys.exit(0)" in str(found["sys.exit"])
    assert found["fine"] == "fine"


def test_an_interruption_in_this_process_is_not_a_result():
    def interrupted(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(make().map(interrupted, "ab"))


def test_the_piece_of_a_killed_worker_is_computed_again_by_another(toy, tmp_path):
    found = dict(make(workers=2).map(toy.die_once, [tmp_path / "a", tmp_path / "b"]))

    assert sorted(found) == [tmp_path / "a", tmp_path / "b"]
    assert all(isinstance(process, int) for process in found.values())


@pytest.mark.parametrize(
    ("piece", "how", "retries"),
    [
        ("kill", "was ended by SIGKILL", 2),
        ("segfault", "was ended by SIG(SEGV|BUS)", 0),
        ("os._exit", "ended with exit code 7", 1),
    ],
)
def test_a_piece_that_kills_its_workers_gives_an_error_and_the_others_their_results(
    toy, tmp_path, piece, how, retries
):
    pieces = ["a", piece, "b", "c", "d"]
    found = dict(make(workers=2, retries=retries).map(toy.Obedient(tmp_path / "log"), pieces))

    assert isinstance(found[piece], FiberAuditError)
    assert re.fullmatch(
        rf"Its worker {how} \(attempts: {retries + 1}\); [^.]+\.", str(found[piece])
    )
    assert (tmp_path / "log").read_text().count(piece) == retries + 1
    assert {p: found[p] for p in "abcd"} == {p: p for p in "abcd"}


def test_a_worker_killed_while_idle_costs_nothing(toy):
    with make(workers=2, retries=0) as executor:
        list(executor.map(toy.process, range(4)))
        for child in multiprocessing.active_children():
            os.kill(child.pid, signal.SIGKILL)
            child.join()

        assert sorted(executor.map(toy.double, range(4))) == [(n, 2 * n) for n in range(4)]


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="nobody tells of memory")
@pytest.mark.parametrize(("growth", "most"), [(0.03, 4), (0, 12)])
def test_a_worker_that_keeps_more_and_more_memory_is_replaced_by_another(toy, growth, most):
    executor = make(timeout=300, growth=growth)  # with a timeout even one worker is a process
    found = list(executor.map(toy.hoard, [10] * 12))
    pieces = Counter(process for _, process in found)

    assert sum(pieces.values()) == 12
    assert max(pieces.values()) <= most + 1, "the first piece is not counted"
    assert len(pieces) == (1 if not growth else 3)


@pytest.mark.parametrize(("workers", "piece"), [(1, "deaf"), (2, "hang")])
def test_a_piece_over_its_time_is_stopped_once_and_the_others_are_computed(
    toy, tmp_path, workers, piece
):
    executor = make(workers=workers, timeout=2)
    found = dict(executor.map(toy.Obedient(tmp_path / "log"), ["a", piece, "b", "c"]))

    assert isinstance(found[piece], WorkerError)
    assert "timeout = 2 seconds" in str(found[piece])
    assert (tmp_path / "log").read_text().count(piece) == 1
    assert {p: found[p] for p in "abc"} == {p: p for p in "abc"}


def test_a_timeout_of_nothing_is_no_limit_and_needs_no_process(toy):
    assert list(make(timeout=0).map(toy.process, "ab")) == [("a", os.getpid()), ("b", os.getpid())]


def test_workers_clean_up_behind_them_when_all_is_done(toy, tmp_path):
    with make(workers=2) as executor:
        list(executor.map(toy.tidy_up_later, [tmp_path / "a", tmp_path / "b"]))

        assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
    assert list(tmp_path.iterdir()) == []


def test_closing_the_generator_ends_even_a_hung_worker_at_once(toy):
    results = make(workers=2).map(toy.obey, ["a", "deaf", "b", "c"])
    next(results)
    start = time.monotonic()
    results.close()

    assert multiprocessing.active_children() == []
    assert time.monotonic() - start < 5


def test_leaving_the_context_ends_a_map_that_nobody_closed(toy):
    with make(workers=2) as executor:
        results = executor.map(toy.obey, ["a", "hang", "b", "c"])
        next(results)

    assert multiprocessing.active_children() == []
    with pytest.raises(UsageError, match="ended before"):
        list(results)


def test_workers_compute_no_further_than_one_piece_beyond_what_was_taken(toy, tmp_path):
    results = make(workers=2).map(toy.Obedient(tmp_path / "log"), range(100))
    taken = len(list(islice(results, 5)))
    time.sleep(0.2)
    computed = Counter((tmp_path / "log").read_text().split())
    results.close()

    assert sum(computed[str(n)] for n in range(100)) <= taken + 2 * 2


@pytest.mark.parametrize(
    ("work", "pieces"), [(lambda piece: piece, "ab"), (str, [lambda: None, "b"])]
)
def test_what_lives_in_this_process_is_refused_in_one_sentence(work, pieces):
    with pytest.raises(UsageError) as refused:
        list(make(workers=2).map(work, pieces))

    sentence = r"Objects that live in this process cannot be sent to workers \(.+\); use .+\."
    assert re.fullmatch(sentence, str(refused.value))


def test_work_may_say_itself_why_it_cannot_be_sent(toy):
    with pytest.raises(UsageError, match=r"^stays here$"):
        list(make(workers=2).map(toy.Homebody(), "ab"))


def test_work_that_only_this_process_can_import_is_refused_in_the_same_sentence(monkeypatch):
    module = types.ModuleType("only_here")
    exec("def work(piece): return piece", module.__dict__)
    monkeypatch.setitem(sys.modules, "only_here", module)

    with pytest.raises(UsageError, match=r"live in this process .*only_here"):
        list(make(workers=2).map(module.work, "ab"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_work_says_itself_why_it_cannot_be_computed_where_it_comes(tmp_path):
    work = Work('{"device": "cuda"}', tmp_path, Loaded())

    with pytest.raises(UsageError, match=r"^device = 'cuda': not usable here \(.+\); try 'cpu'\.$"):
        list(make(workers=2).map(work, ["piece", "another"]))
