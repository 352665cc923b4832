"""The kit of executors: whatever workers do, every piece comes back once, and nothing else does."""

import pickle
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiber_audit.computing import Pool, Pools, Reply, WorkerError, attempt, attempt_apart
from fiber_audit.errors import PluginError


class Odd(BaseException):
    """No Exception."""


class Scripted:
    """A worker that is ready at once, and dies of a piece as often as the script says."""

    def __init__(self):
        self.task, self.deadline = None, float("inf")


class Scripts(Pool[Scripted]):
    """deaths: piece -> how many workers it kills. Counts what is asked for and not yet answered."""

    def __init__(self, size, retries, deaths):
        super().__init__(size, None, retries)
        self.deaths, self.dismissed = Counter(deaths), 0

    def deal(self, queue):
        while len(self.workers) < self.wanted(queue):
            self.workers.append(Scripted())
        for worker in self.workers:
            if queue and worker.task is None:
                worker.task = queue.next()

    def sleep(self, seconds):
        assert 0 <= seconds <= 1

    def news(self, worker, queue):
        task = worker.task
        if task is None:
            return
        if self.deaths[task.piece]:
            self.deaths[task.piece] -= 1
            self.workers.remove(worker)
            yield from self.lost(task, queue, "was lost", "look at it")
        else:
            worker.task = None
            yield task.piece, -task.piece

    def dismiss(self, workers, at_once):
        self.dismissed += len(workers)


def lazily(count, made):
    class Pieces(list):
        def __iter__(self):
            for piece in range(count):
                made.append(piece)
                yield piece

    return Pieces(range(count))


DEATHS = st.dictionaries(st.integers(0, 19), st.integers(1, 5))


@given(st.integers(0, 20), st.integers(1, 4), st.integers(0, 3), DEATHS)
def test_every_piece_comes_back_once_whatever_dies(count, size, retries, deaths):
    found = list(Scripts(size, retries, deaths).compute(range(count)))

    assert sorted(piece for piece, _ in found) == list(range(count))
    for piece, result in found:
        if deaths.get(piece, 0) > retries:
            assert isinstance(result, WorkerError)
            assert f"(attempts: {retries + 1}); look at it." in str(result)
        else:
            assert result == -piece


@given(st.integers(1, 20), st.integers(1, 4))
def test_no_more_pieces_are_made_than_workers_can_have(count, size):
    made = []
    for done, _ in enumerate(Scripts(size, 0, {}).compute(lazily(count, made))):
        assert len(made) <= done + 2 * size


def test_who_closes_the_generator_ends_the_workers():
    pool = Scripts(2, 0, {})
    next(iter(running := pool.compute(range(9))))
    running.close()

    assert pool.ended
    assert pool.dismissed == 2


def test_each_map_that_runs_has_a_pool_of_its_own_and_idle_ones_are_used_again():
    pools = Pools(lambda: Scripts(1, 0, {}))
    first = pools.free()
    running = first.compute(range(2))
    next(running)

    assert pools.free() is not first
    list(running)
    assert pools.free() is first
    pools.end(at_once=True)
    assert pools.free() is not first


@pytest.mark.parametrize("error", [Odd("x"), GeneratorExit(), SystemExit(3), ValueError("x")])
def test_whatever_work_raises_becomes_an_exception(error):
    def work(_):
        raise error

    for how in (attempt, attempt_apart):
        result = how(work, 1)
        assert result is error if isinstance(error, Exception) else isinstance(result, PluginError)


def test_ctrl_c_is_the_users_here_and_a_plugins_in_a_worker():
    def work(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attempt(work, 1)
    assert "KeyboardInterrupt" in str(attempt_apart(work, 1))


class Broken:
    """A result that raises when it is unpickled."""

    def __reduce__(self):
        return int, ("x",)


@pytest.mark.parametrize("result", [lambda: 1, Broken()])
def test_a_result_that_cannot_travel_is_an_error_of_its_piece(result):
    reply = pickle.loads(pickle.dumps(Reply.of(result)))
    assert isinstance(reply.result, PluginError)


def test_an_exception_keeps_its_trace():
    reply = pickle.loads(pickle.dumps(Reply.of(attempt(int, "eight"))))

    assert isinstance(reply.result, ValueError)
    assert "int() with base 10" in reply.result.__notes__[0]
