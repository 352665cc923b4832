"""Whoever asks a run to stop is heard in every phase: exit code 2, and the run can go on."""

import signal
import time

import pytest

AGAIN = "run the same command again to compute what is missing.\n"
QUICK = {"drawing"}
"""Phases of the default run; each costs ten seconds."""
PHASES = {
    "preparing": ["queries.deed='sleep'"],
    "drawing": ["samplers.proj.deed='sleep'"],
    "looking": ["metrics=[{use='faulty_loss',deed='sleep'}]"],
    "measuring": ["metrics=[{use='faulty_loss',deed='sleep',at='summarise'}]"],
    "writing": ["metrics=[{use='faulty_loss',deed='sleep',at='exhibits'}]"],
}
FAULTY = ["queries.use='faulty-points'", "samplers.proj.use='faulty'"]


def arguments(suite, *settings):
    words = [word for setting in (*FAULTY, *settings) for word in ("--set", setting)]
    return ["run", suite(), "--out", "run", *words]


@pytest.fixture
def stopped(begin, suite, until, tmp_path):
    """Begin a run that hangs, wait until it does, send it a signal.

    deaf: seconds that it takes from saying so to hearing nothing.
    """

    def call(number, *settings, deaf=0.0):
        run = begin(*arguments(suite, *settings))
        until(lambda: (tmp_path / "hangs").exists())
        (tmp_path / "hangs").unlink()
        time.sleep(deaf)
        run.send(number)
        return run

    return call


@pytest.mark.parametrize(
    "phase", [p if p in QUICK else pytest.param(p, marks=pytest.mark.slow) for p in PHASES]
)
def test_a_signal_in_any_phase_ends_a_run_that_goes_on_later(
    stopped, begin, suite, until, tmp_path, phase
):
    numbers = [signal.SIGHUP, signal.SIGINT, signal.SIGTERM]
    run = stopped(numbers[list(PHASES).index(phase) % 3], *PHASES[phase])

    assert run.wait() == 2, run.err
    assert run.err.endswith(f"interrupted; {AGAIN}")
    assert "Traceback" not in run.err
    until(lambda: not run.others(), seconds=5)
    assert begin(*arguments(suite)).wait() == 0


@pytest.mark.parametrize(
    "deed",
    [pytest.param("deadlock", marks=pytest.mark.slow), "deadlock, never letting go"],
)
def test_a_plugin_that_hears_no_signal_is_stopped_too(stopped, begin, suite, until, deed):
    run = stopped(signal.SIGTERM, f"samplers.proj.deed='{deed}'", deaf=1.0)

    assert run.wait() == 2, run.err
    assert run.err.endswith(f"interrupted while a plugin hung; {AGAIN}")
    until(lambda: not run.others(), seconds=5)
    assert begin(*arguments(suite)).wait() == 0


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_hung_workers_end_with_a_run_that_is_stopped(stopped, until, number):
    hung = "samplers.proj.deed='deadlock, never letting go'"
    run = stopped(number, hung, "executor.workers=2", "batch_size=3")

    assert run.wait() == 2, run.err
    assert run.err.endswith(f"interrupted; {AGAIN}")
    until(lambda: not run.others(), seconds=5)


@pytest.mark.parametrize(
    ("deed", "how"), [("crash", "SIGSEGV"), ("end", "a plugin or library, with 0")]
)
def test_a_plugin_that_ends_the_process_is_one_sentence_and_3(begin, suite, deed, how):
    run = begin(*arguments(suite, f"samplers.proj.deed='{deed}'"))

    assert run.wait() == 3
    assert run.err.splitlines()[-1].startswith(f"fiber-audit: ended by {how}; what is finished")
    assert begin(*arguments(suite)).wait() == 0


def test_a_run_that_was_told_to_ignore_hangups_does(begin, suite, until, tmp_path):
    """As one under `nohup` is."""
    run = begin(*arguments(suite, "samplers.proj.seconds=0.3"), ignored=[signal.SIGHUP])
    until(lambda: (tmp_path / "run" / "suite.toml").exists())
    run.send(signal.SIGHUP)

    assert run.wait() == 0
