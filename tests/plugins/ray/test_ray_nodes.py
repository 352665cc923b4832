"""A cluster of several nodes, each of which is a raylet of its own on this machine."""

import importlib
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pandas as pd
import pytest
import torch
from fiber_audit_ray import session
from fiber_audit_ray.executor import RayExecutor
from measured import measured

from fiber_audit import UsageError
from fiber_audit._draw.work import Work
from fiber_audit._suite.catalogue import Loaded

pytest.importorskip("ray")

pytestmark = [
    pytest.mark.slow,  # a node takes seconds to come
    pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="reads /proc"),
]

FAULTY = Path(__file__).parents[2] / "faults" / "faulty.py"
SUITE = ("--plugin", str(FAULTY), "--set", "batch_size=3", "--set", "queries.n=8",
         "--set", "samplers.proj.use='faulty'", "--set", "samplers.proj.seconds=0.3")  # fmt: skip
NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
APART = ["unshare", "--map-root-user", "--mount", "sh", "-c",
         'mount -t tmpfs none "$0" && exec "$@"']  # fmt: skip
"""Another program that finds an empty folder where there is one."""


@pytest.fixture(scope="module")
def cluster():
    """A head with one CPU; tests add nodes."""
    from ray.cluster_utils import Cluster

    folder = tempfile.mkdtemp(prefix="fa-nodes-", dir="/tmp")  # names of sockets have to be short
    (Path(folder) / "ray").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_TMPDIR", folder)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv(session.TOKEN, session._token())  # of Rays that other tests had here
        found = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
        yield found
        found.shutdown()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def node(cluster):
    """A second node with one CPU, and how to remove it."""
    found = cluster.add_node(**NODE)
    yield found
    if found in cluster.worker_nodes:
        cluster.remove_node(found)


@pytest.fixture
def run(cluster, command, toy_suite, tmp_path):
    """Run the suite into a folder, on the cluster unless that is not wanted."""
    suite = str(toy_suite())
    on_ray = ("--set", "executor.use=ray", "--set", f"executor.address='{cluster.address}'")

    def call(out, *settings, ray=True):
        words = [word for setting in settings for word in ("--set", setting)]
        return command("run", suite, "--out", out, *SUITE, *words, *(on_ray if ray else ()))

    return call


@pytest.fixture
def same(run, tmp_path):
    """Compare a run's records with those of `local`."""

    def compare(done, out):
        assert done.returncode == 0, done.stderr
        here = run("local", ray=False)
        assert here.returncode == 0, here.stderr
        pd.testing.assert_frame_equal(measured(tmp_path / out), measured(tmp_path / "local"))

    return compare


def until(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)


def computes(node):
    """Whether a worker of a node computes a block, by what Ray calls the process."""
    raylet = node.all_processes["raylet"][0].process.pid
    for path in Path(f"/proc/{raylet}/task").glob("*/children"):
        for child in path.read_text().split():
            if b"Computing.compute" in Path(f"/proc/{child}/cmdline").read_bytes():
                return True
    return False


def test_a_run_on_two_nodes_has_the_records_of_local(node, run, same):
    seen, over = [], threading.Event()

    def watch():
        while not over.is_set() and not seen:
            seen.extend([True] if computes(node) else [])
            time.sleep(0.02)

    watcher = threading.Thread(target=watch)
    watcher.start()
    done = run("there")
    over.set()
    watcher.join()

    assert seen  # the second node had its share
    same(done, "there")


def test_the_blocks_of_a_node_that_dies_are_computed_by_another(cluster, node, run, same):
    over, dead = threading.Event(), []

    def kill():
        until(lambda: computes(node) or over.is_set())
        cluster.remove_node(node, allow_graceful=False)
        dead.append(not over.is_set())

    killer = threading.Thread(target=kill)
    killer.start()
    done = run("there")
    over.set()
    killer.join()

    assert dead == [True]
    same(done, "there")


@pytest.fixture
def apart(cluster, tmp_path):
    """A node with two CPUs whose file system has nothing in tmp_path/home."""
    home = tmp_path / "home"
    home.mkdir()
    if (
        not shutil.which("unshare")
        or subprocess.run([*APART, home, "true"], check=False).returncode
    ):
        pytest.skip("cannot mount here")
    start = [Path(sys.executable).with_name("ray"), "start", f"--address={cluster.address}",
             "--num-cpus=2", "--block", "--disable-usage-stats"]  # fmt: skip
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    started = subprocess.Popen([*APART, home, *start], start_new_session=True, **quiet)
    yield home
    os.killpg(started.pid, signal.SIGTERM)
    started.wait()


def test_a_node_that_does_not_see_the_run_directory_is_told_in_one_sentence(apart, run, same):
    large = "executor.cpus=2", "executor.workers=1"  # as the head is not
    done = run("home/there", *large)

    assert done.returncode == 4
    said = done.stderr.splitlines()[-1]
    assert f"does not see the run directory {apart / 'there'} of this command; put it" in said
    assert said.endswith('a place for an exchange of files: storage = "s3://bucket/prefix".')

    same(run("home/there", *large, "executor.storage=exchange"), "home/there")


@pytest.fixture(scope="module")
def with_gpus(cluster):
    """A node that says that it has two GPUs, and what workers of an executor see of them."""
    toy = Path(__file__).with_name("ray_toy.py")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(toy.parent)
        gpus = importlib.import_module(toy.stem).gpus
        node = cluster.add_node(**{**NODE, "num_cpus": 4, "num_gpus": 2})

        def seen(workers, share):
            found = {}
            options = {"address": cluster.address, "workers": workers, "gpus": share}
            with RayExecutor(**options, cpus=0.5) as executor:
                until(lambda: found.update(_results(executor, gpus)) or len(found) == workers)
            return found

        yield seen
        cluster.remove_node(node)


def _results(executor, work):
    return dict(result for _, result in executor.map(work, [0.2] * 8))


@pytest.mark.parametrize(
    ("share", "each"),
    [(0.5, ["0", "0", "1", "1"]), (1, ["0", "1"]), (2, ["0,1"]), (0.25, [*"00001111"])],
)
def test_workers_see_the_gpus_they_ask_for_and_share_no_more_of_one(with_gpus, share, each):
    assert sorted(with_gpus(len(each), share).values()) == each


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_work_for_a_gpu_that_is_none_is_one_sentence_before_anything_is_computed(cluster, tmp_path):
    work = Work('{"device": "cuda"}', tmp_path, Loaded())

    with pytest.raises(UsageError) as caught:
        list(RayExecutor(address=cluster.address).map(work, ["piece"]))
    assert str(caught.value).startswith(f"executor: a worker on {platform.node()}: device = 'cuda'")
    assert "\n" not in str(caught.value)
