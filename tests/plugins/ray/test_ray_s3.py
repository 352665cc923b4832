"""A run directory in an object store: moto, of the extra `moto`, answers here as S3 does."""

import pickle
import threading

import pandas as pd
import pytest
from fiber_audit_ray.session import Session
from fiber_audit_ray.storage import SUITE, directory_of
from joining import Joining, Piece
from measured import measured

from fiber_audit import UsageError

pytest.importorskip("ray")
fsspec = pytest.importorskip("fsspec")
pytest.importorskip("s3fs")
moto = pytest.importorskip("moto.server")
serving = pytest.importorskip("werkzeug.serving")

NAMES = [
    "run", "my run", "a#b", "a?b", "100%", "a%20b", "é ü", "a::b", "a+b", "a*[1]", "{x}", "a;b&c",
    " lead", "...", "a\\b", "q\"uo'te",
]  # fmt: skip
"""Folders whose names mean something to a URL, a shell or a store."""


class Store:
    """An S3 with one bucket, `audits`. busy: how many requests it still answers with 503."""

    def __init__(self):
        self._app = moto.DomainDispatcherApplication(moto.create_backend_app)
        self._server = serving.make_server("127.0.0.1", 0, self, threaded=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.busy = 0
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __call__(self, environ, start_response):
        if self.busy:
            self.busy -= 1
            start_response("503 Slow Down", [("Content-Length", "0")])
            return [b""]
        return self._app(environ, start_response)

    def client(self):
        import boto3

        return boto3.client("s3")

    def buckets(self):
        return [found["Name"] for found in self.client().list_buckets()["Buckets"]]

    def check_keys(self, free):
        """Accept unknown keys for so many requests more."""
        import requests

        requests.post(f"{self.url}/moto-api/reset-auth", data=str(free).encode(), timeout=10)

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def store():
    """That all tests share; processes that they start know it by the environment."""
    with pytest.MonkeyPatch.context() as patch:
        found = Store()
        patch.setenv("AWS_ENDPOINT_URL", found.url)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("NO_PROXY", "127.0.0.1")
        found.client().create_bucket(Bucket="audits")
        yield found
        found.close()


@pytest.fixture
def anew(store):
    """Forget connections: the next one reads the environment again."""
    forget = fsspec.get_filesystem_class("s3").clear_instance_cache
    forget()
    yield
    forget()


def run_in(folder, name="run"):
    run = folder / name
    (run / "units").mkdir(parents=True)
    (run / SUITE).write_text('name = "toy"\n')
    return run


def at(run, url="s3://audits/pre fix"):
    return directory_of(Joining(run), url)


def elsewhere(storage):
    """The same as another process has it."""
    return pickle.loads(pickle.dumps(storage))


def test_a_run_of_any_name_goes_there_and_back(store, tmp_path):
    for name in NAMES:
        run = run_in(tmp_path, name)
        (run / "units" / "a").write_text("A")
        storage, piece = at(run), Piece("ab", ("units/a", "units/gone"))
        storage.open()
        storage.send(piece)
        theirs = elsewhere(storage)
        assert not theirs.unseen(), name
        result, made = theirs.compute(Joining(run), piece)
        storage.receive(made)

        assert (result, made) == ("A", ("units/ab",)), name
        assert (run / "units" / "ab").read_text() == "A"


def test_what_another_process_writes_is_seen_at_once_though_it_was_not_there(store, tmp_path):
    """No listing and no file is remembered."""
    storage, piece = at(run_in(tmp_path), "s3://audits"), Piece("x", ("units/late",))
    storage.open()
    theirs = elsewhere(storage)
    found = [theirs.compute(Joining(tmp_path), piece)[0]]
    for text in (b"one", b"another"):
        store.client().put_object(Bucket="audits", Key="run/units/late", Body=text)
        found.append(theirs.compute(Joining(tmp_path), piece)[0])
    store.client().put_object(Bucket="audits", Key=f"run/{SUITE}", Body=b"another run's")

    assert found == ["", "one", "another"]
    assert "does not see s3://audits/run/suite.toml (it is that of another run)" in theirs.unseen()


def test_a_store_that_is_busy_is_asked_again(store, tmp_path):
    run = run_in(tmp_path, "busy")
    storage = at(run)
    storage.open()
    for step in (storage.open, storage.unseen, lambda: storage.compute(Joining(run), Piece("a"))):
        store.busy = 1
        assert not step() or step is not storage.unseen
    store.busy = 1
    storage.receive(("units/a",))

    assert store.busy == 0
    assert (run / "units" / "a").read_text() == "a"


@pytest.mark.parametrize(
    ("url", "environment", "reason"),
    [
        ("s3://", {}, "it names no bucket"),
        ("s3://No_Bucket!", {}, "Invalid bucket name"),
        ("s3://audits", {"AWS_ACCESS_KEY_ID": "stolen"}, "Access Key Id you provided does not"),
        ("s3://audits", {"AWS_ACCESS_KEY_ID": None}, "Unable to locate credentials"),
        ("s3://audits", {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "Could not connect"),
        ("s3://audits", {"AWS_ENDPOINT_URL": "nowhere"}, "Invalid endpoint: nowhere"),
    ],
)
def test_a_storage_that_cannot_be_written_is_one_sentence_here_and_in_a_worker(
    store, anew, tmp_path, monkeypatch, url, environment, reason
):
    monkeypatch.setenv("HOME", str(tmp_path))  # where libraries look for credentials
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    for name, value in environment.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name)
    storage = at(run_in(tmp_path), url)
    store.check_keys(0)
    try:
        with pytest.raises(UsageError) as caught:
            storage.open()
        unseen = elsewhere(storage).unseen()
    finally:
        store.check_keys(1_000_000)

    said = str(caught.value)
    assert said.startswith(f"executor.storage: {url.removesuffix('/')}")
    assert reason in said
    assert said.endswith(").")
    assert "\n" not in said + unseen
    assert "does not see" in unseen


def test_a_bucket_that_is_not_there_is_one_sentence_and_is_not_made(store, tmp_path):
    for url in ("s3://mistyped/x", "s3a://mistyped", "simplecache::s3://mistyped/x"):
        with pytest.raises(UsageError, match="bucket does not exist"):
            at(run_in(tmp_path / url.partition(":")[0]), url).open()

    assert store.buckets() == ["audits"]


def test_passwords_of_a_url_are_in_no_message(tmp_path):
    storage = at(run_in(tmp_path), "nothing://me:secret@there/x")
    with pytest.raises(UsageError) as caught:
        storage.open()

    assert "secret" not in str(caught.value) + storage.unseen()
    assert "nothing://***@there/x/run" in str(caught.value)


def units(run):
    return {path.name for path in (run / "units").iterdir()}


@pytest.mark.slow  # starts a Ray; the tests above have the store, and test_ray.py runs
def test_a_run_by_an_object_store_has_the_records_of_local_and_is_finished_from_its_copy(
    store, anew, command, toy_suite, tmp_path
):
    suite = str(toy_suite())
    on_ray = ("--set", "batch_size=6", "--set", "executor.use=ray", "--workers", "1")
    with Session("", 1, 0):
        there = command("run", suite, "--out", "there", *on_ray,
                        "--set", "executor.storage=s3://audits/pre fix")  # fmt: skip
        lost = command("run", suite, "--out", "lost", *on_ray,
                       "--set", "executor.storage=s3://mistyped")  # fmt: skip
    local = command("run", suite, "--out", "local", "--set", "batch_size=6")
    files, root = fsspec.url_to_fs("s3://audits/pre fix/there")
    files.get(f"{root}/", f"{tmp_path / 'copy'}/", recursive=True)
    again = command("merge", "copy", "--out", "again", "--compute")

    assert [done.returncode for done in (there, local, again)] == [0, 0, 0], there.stderr
    for run in ("there", "again"):
        pd.testing.assert_frame_equal(measured(tmp_path / run), measured(tmp_path / "local"))
    assert units(tmp_path / "copy") == units(tmp_path / "there")
    assert lost.returncode == 4
    assert lost.stderr.splitlines()[-1].endswith("(The specified bucket does not exist).")
