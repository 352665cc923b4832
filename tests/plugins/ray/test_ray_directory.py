"""What a worker looks at before it takes a job, and the files of a piece: no Ray is started."""

import os
import pickle
import shutil
import subprocess
from pathlib import Path

import pytest
from fiber_audit_ray.directory import Directory
from fiber_audit_ray.inside import Computing, Job, versions
from fiber_audit_ray.storage import SUITE, Storage, directory_of, url_of
from joining import Joining, Piece

from fiber_audit import DiskError, UsageError
from fiber_audit.computing import own_folder

fsspec = pytest.importorskip("fsspec")
memory = pytest.importorskip("fsspec.implementations.memory")


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    (folder / "units").mkdir(parents=True)
    (folder / SUITE).write_text('name = "toy"\n')
    return folder


@pytest.fixture
def storage(run, tmp_path):
    found = directory_of(Joining(run), f"file://{tmp_path}/store/")
    found.open()
    return found


def take(job):
    before = Path.cwd(), dict(os.environ)
    try:
        return Computing(1, str(before[0]), []).take(job)
    finally:
        os.environ.clear()
        os.environ.update(before[1])


def test_a_worker_that_sees_a_copy_or_nothing_at_that_place_says_so_in_one_sentence(run, tmp_path):
    shutil.copytree(run, tmp_path / "copy")
    seen = directory_of(Joining(run), "")
    seen.open()
    job = Job(pickle.dumps(len), seen, versions())
    assert take(job) is None

    run.rename(tmp_path / "moved")
    assert f"does not see the run directory {run} of this command" in take(job).reason
    (tmp_path / "copy").rename(run)  # the same, bit by bit
    assert f"does not see the run directory {run} of this command" in take(job).reason


def test_the_sign_in_a_run_directory_is_gone_afterwards_and_that_of_the_dead_is_swept(run):
    before = [*run.iterdir()]
    killed, seen = directory_of(Joining(run), ""), directory_of(Joining(run), "")
    killed.open()
    process = subprocess.Popen(["true"])
    process.wait()
    sign = run / killed.sign
    sign.rename(run / killed.sign.replace(f"-{os.getpid()}-", f"-{process.pid}-"))
    seen.open()
    assert len([*run.iterdir()]) == len(before) + 1
    seen.close()

    assert [*run.iterdir()] == before


@pytest.mark.parametrize("name", ["torch", "fiber-audit"])
def test_a_worker_with_other_versions_refuses_the_job_in_one_sentence(name):
    refusal = take(Job(pickle.dumps(len), Directory(), {**versions(), name: "0.0"}))

    assert f"has {name} " in refusal.reason
    assert "this process 0.0; install the same" in refusal.reason


def test_a_worker_that_cannot_unpickle_the_work_says_why():
    refusal = take(Job(b"cnowhere\nwork\n.", Directory(), {}))

    assert refusal.unsendable
    assert "No module named 'nowhere'" in refusal.reason


def test_a_piece_reads_from_the_storage_and_what_it_made_comes_here(run, storage):
    (run / "units" / "a").write_text("A")
    (run / "units" / "b").write_text("B")
    piece = Piece("ab", ("units/a", "units/b", "units/gone"))
    storage.send(piece)
    theirs = pickle.loads(pickle.dumps(storage))
    result, made = theirs.compute(Joining(run), piece)
    storage.receive(made)

    assert (result, made) == ("A+B", ("units/ab",))  # neither what was read nor what is half
    assert (run / "units" / "ab").read_text() == "A+B"


def test_what_a_failing_piece_made_before_comes_here_too(run, storage):
    result, made = storage.compute(Joining(run), Piece("bad"))

    assert isinstance(result, ValueError)
    assert made == ("units/bad",)


def test_what_is_in_the_storage_is_not_sent_again(run, storage):
    (run / "units" / "a").write_text("A")
    storage.send(Piece("x", ("units/a",)))
    (run / "units" / "a").write_text("changed")
    storage.send(Piece("y", ("units/a",)))

    assert storage.compute(Joining(run), Piece("x", ("units/a",)))[0] == "A"


def test_a_storage_that_went_away_is_one_sentence_here_and_in_a_worker(run, storage, tmp_path):
    (tmp_path / "store").rename(tmp_path / "moved")
    (tmp_path / "store").write_text("no folder")

    assert "does not see file://" in storage.unseen()
    result, made = storage.compute(Joining(run), Piece("a"))
    assert isinstance(result, DiskError)
    assert made == ()
    with pytest.raises(DiskError, match=r"executor\.storage: file://.* cannot be read"):
        storage.receive(("units/a",))
    with pytest.raises(UsageError, match=r"executor\.storage: file://.* cannot be written"):
        storage.open()


@pytest.mark.parametrize(("protocol", "made"), [("s3", 0), ("sftp", 2)])
def test_a_bucket_is_never_made_though_folders_are(run, monkeypatch, protocol, made):
    asked = []

    class Files(memory.MemoryFileSystem):
        def makedirs(self, path, exist_ok=False):
            asked.append(path)

    Files.protocol = (protocol, f"{protocol}a")
    monkeypatch.setattr(fsspec, "url_to_fs", lambda url: (Files(), "/mistyped/run"))
    Storage(run, url=f"{protocol}://mistyped", name="run").open()

    assert len(asked) == made


def test_a_url_of_an_unknown_kind_is_one_sentence(run):
    with pytest.raises(UsageError, match=r"^executor\.storage: .* cannot be written \(.+\)\.$"):
        Storage(run, url="nothing://there", name="run").open()


@pytest.mark.parametrize("storage", ["://", ":", "s3:/bucket", "s3:bucket", "://bucket"])
def test_what_would_be_a_folder_of_a_strange_name_is_no_storage(storage):
    with pytest.raises(UsageError, match=r"executor\.storage = '.+': give a URL"):
        url_of(storage)


def test_a_path_is_a_storage_as_workers_elsewhere_see_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert url_of("here/") == str(tmp_path / "here")
    assert url_of("~/here") == str(Path.home() / "here")
    assert url_of("s3://bucket/prefix/") == "s3://bucket/prefix/"
    assert url_of("simplecache::s3://bucket") == "simplecache::s3://bucket"


@pytest.mark.parametrize("name", [".", "../run"])
def test_a_run_is_called_there_what_its_folder_is_called(run, tmp_path, monkeypatch, name):
    monkeypatch.chdir(run)
    directory_of(Joining(Path(name)), str(tmp_path / "a::b")).open()

    assert (tmp_path / "a::b" / "run" / SUITE).read_bytes() == (run / SUITE).read_bytes()


def test_who_makes_a_folder_removes_those_of_dead_processes_and_no_others(tmp_path):
    mine = own_folder("toy", str(tmp_path))
    process = subprocess.Popen(["true"])
    process.wait()
    dead = Path(str(mine).replace(f"-{os.getpid()}-", f"-{process.pid}-"))
    dead.mkdir()
    (tmp_path / "toy-other-1-x").mkdir()
    own_folder("toy", str(tmp_path))

    assert mine.exists()
    assert not dead.exists()
    assert (tmp_path / "toy-other-1-x").exists()
