import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fiber_audit._draw import room as module
from fiber_audit._draw.room import Room, out_of_memory
from fiber_audit._draw.store import Store
from fiber_audit.errors import PluginError


class Log(Store):
    def log(self, event, facts):
        assert event == "memory"
        told.append(facts["message"])


told: list[str] = []
STORE = Log(None)  # type: ignore[arg-type]


@pytest.fixture(scope="module", autouse=True)
def freed():
    """How often memory was freed; collecting all garbage of all tests that often is slow."""
    times = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_free", lambda: times.append(1))
        yield times


def failing_above(limit, error, tried):
    def compute(size):
        tried.append(size)
        if size > limit:
            raise error
        return size

    return compute


@given(st.integers(1, 200), st.integers(1, 200))
def test_the_largest_half_of_a_half_that_fits_is_taken_said_and_remembered(size, limit):
    told.clear()
    room, tried = Room(size), []
    found = room.fit("a", STORE, failing_above(limit, MemoryError(), tried))

    assert found <= limit
    assert found == size or 2 * found + 1 > limit
    assert len(told) == len(tried) - 1
    again = []
    room.fit("a", STORE, failing_above(limit, MemoryError(), again))
    assert again == [found]
    other = []
    room.fit("b", STORE, failing_above(size, MemoryError(), other))
    assert other == [size]


def test_one_row_that_does_not_fit_is_an_error(freed):
    told.clear()
    freed.clear()
    with pytest.raises(MemoryError):
        Room(8).fit("a", STORE, failing_above(0, MemoryError(), []))
    assert [message.split()[-3] for message in told] == ["4", "2", "1"]
    assert len(freed) == 3


def test_any_other_error_is_not_tried_again():
    tried: list[int] = []
    with pytest.raises(ValueError, match="out of range"):
        Room(8).fit("a", STORE, failing_above(0, ValueError("out of range"), tried))
    assert tried == [8]


def test_libraries_say_it_in_many_ways_and_plugins_wrap_it():
    wrapped = PluginError("the network failed")
    wrapped.__cause__ = RuntimeError("CUDA error: out of memory")
    told_so = [
        torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
        RuntimeError("MPS backend out of memory"),
        wrapped,
    ]
    with pytest.raises(RuntimeError) as caught:  # what torch itself says of too much
        torch.empty(2**62, dtype=torch.uint8)

    assert all(map(out_of_memory, [*told_so, caught.value]))
    assert not out_of_memory(RuntimeError("shapes cannot be multiplied"))
