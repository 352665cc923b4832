"""Files are whole or not there; what cannot be read or written is one sentence."""

import errno
import io
import os
import platform
import signal
import stat
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from fiber_audit import files
from fiber_audit.errors import DataError, DiskError
from fiber_audit.files import PREFIX, read_text, replacing, sweep, write_atomically

WRITER = """
import sys
from pathlib import Path
from fiber_audit.files import write_atomically
for letter in "ABCDEFGH" * 100_000:
    write_atomically(Path(sys.argv[1]), letter * 300_000)
"""

posix = pytest.mark.skipif(os.name != "posix", reason="rights and signals")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def temporary(folder, process, machine=None, age=0.0):
    path = folder / f"{PREFIX}{process}-{machine or platform.node()}-{age:g}"
    path.touch()
    os.utime(path, (time.time() - age,) * 2)
    return path


def dead_process():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@contextmanager
def full_disk(room):
    """No file of this process may grow beyond `room` bytes."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_is_written_is_what_is_read(tmp_path):
    path = tmp_path / "new" / "folder" / "file"

    assert write_atomically(path, "zwölf\r\n\n") == path
    assert read_text(path, "text") == "zwölf\r\n\n"
    assert write_atomically(path, b"\0\1").read_bytes() == b"\0\1"
    assert names(path.parent) == ["file"]


def test_half_a_surrogate_pair_does_not_stop_a_file_from_being_written(tmp_path):
    path = write_atomically(tmp_path / "log", b"caf\xe9".decode(errors="surrogateescape"))

    assert read_text(path, "a log") == "caf\\udce9"


@posix
def test_a_process_killed_while_it_writes_leaves_a_whole_file(tmp_path):
    path = tmp_path / "file"
    for _ in range(5):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)])
        begun = time.monotonic()
        seen = {path.read_bytes()} if path.exists() else set()
        while len(seen) < 3 and time.monotonic() < begun + 60:
            if path.exists():
                seen.add(path.read_bytes())
        process.send_signal(signal.SIGKILL)
        process.wait()
        seen.add(path.read_bytes())

        assert {(len(content), len(set(content))) for content in seen} == {(300_000, 1)}

    sweep(tmp_path)
    assert names(tmp_path) == ["file"]


def fail_half_way(path, interruption):
    with replacing(path) as file:
        file.write(b"half")
        raise interruption


@pytest.mark.parametrize("interruption", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, interruption):
    path = write_atomically(tmp_path / "file", "old")

    with pytest.raises(interruption):
        fail_half_way(path, interruption)

    assert path.read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_many_may_write_one_file_at_once(tmp_path):
    path = tmp_path / "file"
    contents = [letter * 100_000 for letter in "ABCDEFGH"]
    threads = [threading.Thread(target=write_atomically, args=(path, text)) for text in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert path.read_text() in contents
    assert names(tmp_path) == ["file"]


def test_a_full_disk_is_one_sentence_and_leaves_the_old_file(tmp_path):
    path = write_atomically(tmp_path / "file", "old")

    with pytest.raises(DiskError) as error, full_disk(room=1000):
        write_atomically(path, "new" * 1000)

    assert str(error.value) == f"{path}: cannot be written (file too large)."
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_a_disk_that_is_found_full_at_the_end_leaves_the_old_file(tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = write_atomically(tmp_path / "file", "old")
    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(DiskError, match=r"file: cannot be written \(no space left on device\)\."):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_device_is_written_and_not_replaced():
    with pytest.raises(DiskError, match=r"/dev/full: cannot be written \(no space left on device"):
        write_atomically(Path("/dev/full"), "text")
    write_atomically(Path("/dev/null"), "text")

    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    assert stat.S_ISCHR(Path("/dev/full").stat().st_mode)


@posix
def test_a_pipe_is_written_and_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = subprocess.Popen(["cat", str(tmp_path / "pipe")], stdout=subprocess.PIPE)
    write_atomically(tmp_path / "pipe", "text")

    assert reader.communicate()[0] == b"text"
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_a_folder_that_is_a_file_is_named(tmp_path):
    out = write_atomically(tmp_path / "out", "a file")

    with pytest.raises(DiskError) as error:
        write_atomically(out / "records.csv", "text")
    assert str(error.value) == f"{out / 'records.csv'}: cannot be written: {out} is no folder."
    with pytest.raises(DiskError, match=r"cannot be written \(not a directory\)\."):
        write_atomically(out / "units" / "records.csv", "text")


def test_a_file_that_is_a_folder_is_one_sentence(tmp_path):
    (tmp_path / "out").mkdir()

    with pytest.raises(DiskError, match=r"out: cannot be written \(is a directory\)\."):
        write_atomically(tmp_path / "out", "text")
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("name", ["n" * 300, "null\0byte", "half\ud800pair"])
def test_a_name_that_no_file_can_have_is_one_sentence(tmp_path, name):
    with pytest.raises(DiskError, match="cannot be written"):
        write_atomically(tmp_path / name, "text")
    with pytest.raises(DataError, match="not a suite"):
        read_text(tmp_path / name, "a suite")
    assert names(tmp_path) == []


@posix
@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    path = write_atomically(tmp_path / "file", "old")
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(DiskError, match=r"file: cannot be written \(permission denied\)\."):
            write_atomically(path, "new")
        sweep(tmp_path)
    finally:
        tmp_path.chmod(0o700)

    assert path.read_text() == "old"


@posix
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_a_new_file_has_the_rights_that_the_umask_leaves(tmp_path, umask):
    before = os.umask(umask)
    try:
        path = write_atomically(tmp_path / "file", "text")
    finally:
        os.umask(before)

    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


@posix
def test_a_file_keeps_its_rights(tmp_path):
    path = write_atomically(tmp_path / "file", "old")
    path.chmod(0o600)

    assert stat.S_IMODE(write_atomically(path, "new").stat().st_mode) == 0o600


@posix
def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path):
    there = write_atomically(tmp_path / "there" / "file", "old")
    link = tmp_path / "link"
    link.symlink_to(there)
    write_atomically(link, "new")

    assert link.is_symlink()
    assert there.read_text() == "new"


def test_errors_of_other_files_within_the_block_are_theirs(tmp_path):
    with pytest.raises(FileNotFoundError, match="elsewhere"), replacing(tmp_path / "file") as file:
        file.write((tmp_path / "elsewhere").read_bytes())
    with pytest.raises(DiskError, match=r"^another$"), replacing(tmp_path / "file"):
        raise DiskError("another")

    assert names(tmp_path) == []


@posix
def test_only_what_nobody_is_writing_is_swept(tmp_path):
    write_atomically(tmp_path / "file", "text")
    dead = dead_process()
    gone = [
        temporary(tmp_path, dead),
        temporary(tmp_path, 10**30),
        temporary(tmp_path, os.getpid(), age=2 * files.DAY),
        temporary(tmp_path, dead, machine="elsewhere", age=2 * files.DAY),
    ]
    kept = [
        temporary(tmp_path, os.getpid()),
        temporary(tmp_path, dead, machine="another"),
        temporary(tmp_path, "²"),
    ]
    (tmp_path / f"{PREFIX}{dead}-{platform.node()}-folder").mkdir()
    sweep(tmp_path)

    assert not [path for path in gone if path.exists()]
    assert all(path.exists() for path in kept)
    assert (tmp_path / "file").read_text() == "text"


def test_sweeping_what_is_no_folder_does_nothing(tmp_path):
    sweep(tmp_path / "missing")
    sweep(write_atomically(tmp_path / "file", "text"))


def test_what_is_being_written_is_known_as_ours(tmp_path):
    with replacing(tmp_path / "file") as file:
        sweep(tmp_path)
        file.write(b"text")

    assert (tmp_path / "file").read_text() == "text"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"\xef\xbb\xbfname = 1", "name = 1"),
        (b"", ""),
        ("β\n".encode(), "β\n"),
        (b"a\r\n", "a\r\n"),
    ],
)
def test_text_is_read_as_it_is_without_a_byte_order_mark(tmp_path, content, text):
    assert read_text(write_atomically(tmp_path / "file", content), "text") == text


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"name\xff", "byte 4 is not UTF-8."),
        ("name".encode("utf-16"), "byte 0 is not UTF-8."),
        (b"\x89PNG\r\n", "byte 0 is not UTF-8."),
        (b"PK\3\4\0\0", "it is binary."),
    ],
)
def test_what_is_not_text_is_one_sentence(tmp_path, content, sentence):
    path = write_atomically(tmp_path / "file", content)

    with pytest.raises(DataError) as error:
        read_text(path, "a suite")
    assert str(error.value) == f"{path}: not a suite: {sentence}"


def test_what_is_missing_or_a_folder_is_one_sentence(tmp_path):
    with pytest.raises(DataError, match=r"missing: not a suite \(no such file or directory\)\.$"):
        read_text(tmp_path / "missing", "a suite")
    with pytest.raises(DataError, match=r": not a suite \(is a directory\)\.$"):
        read_text(tmp_path, "a suite")


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs /dev/zero")
def test_a_file_without_end_is_read_no_further(monkeypatch):
    monkeypatch.setattr(files, "ENDLESS", 2**16)

    with pytest.raises(DataError, match=r"/dev/zero: not a suite: it does not end\."):
        read_text(Path("/dev/zero"), "a suite")


def test_a_file_too_large_for_memory_is_one_sentence(tmp_path, monkeypatch):
    class Large(io.BytesIO):
        def read(self, *_):
            raise MemoryError

    path = write_atomically(tmp_path / "file", "text")
    monkeypatch.setattr(Path, "open", lambda *_: Large())

    with pytest.raises(DataError, match=r"file: not a suite: it does not fit into memory\."):
        read_text(path, "a suite")


@posix
def test_a_pipe_is_read_to_its_end(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_text, args=("name = 1",))
    writer.start()

    assert read_text(tmp_path / "pipe", "a suite") == "name = 1"
    writer.join()
