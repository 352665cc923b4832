"""Models of hubs: nothing is fetched unasked, and every failure is one sentence with its mending.

A server on this machine plays the hub, so that the exceptions are those of the libraries.
"""

from __future__ import annotations

import ast
import errno
import json
import os
import re
import socket
import sys
import threading
import urllib.request
from pathlib import Path
from types import ModuleType

import huggingface_hub
import pytest
import torch
from fake_hub import fake_hub
from huggingface_hub import constants, file_download
from safetensors.torch import load_file, save_file

from fiber_audit import DiskError, WeightsError
from fiber_audit.loading import digest_of, hub, library, state_digest, versions


@pytest.fixture
def server(monkeypatch, tmp_path):
    """The hub, which has one file; the cache is empty."""
    folder = tmp_path / "folder"
    folder.mkdir()
    save_file({"a": torch.zeros(9)}, folder / "model.safetensors")
    with fake_hub(folder, tmp_path / "cache", monkeypatch) as hub:
        yield hub


def fetch(model="owner/name", download=True, **named):
    with hub(model, download):
        return huggingface_hub.hf_hub_download(
            model, "model.safetensors", cache_dir=constants.HF_HUB_CACHE, **named
        )


def sentence(error):
    text = str(error.value)
    assert "\n" not in text
    assert len(text) < 600
    return text


@pytest.mark.parametrize(
    ("status", "code", "told"),
    [
        (
            403,
            "GatedRepo",
            "owner/name is gated; accept its licence at https://huggingface.co/owner/name, then "
            "run: hf auth login",
        ),
        (404, "RevisionNotFound", "has no such revision; set revision to a branch"),
        (404, "RepoNotFound", "the hub has no owner/name, or it is private; correct the name"),
        (404, "EntryNotFound", "it lacks a file that this component reads"),
        (401, "", "the hub refuses the token (401); run: hf auth login"),
        (403, "", "https://huggingface.co/settings/tokens, then run: hf auth login"),
        (507, "", "the server answered 507"),
        (503, "", "the server answered 503"),
    ],
)
def test_what_the_hub_refuses_is_one_sentence_with_the_command_that_mends_it(
    server, status, code, told
):
    server.refusal = (status, code)

    with pytest.raises(WeightsError) as error:
        fetch()

    assert told in sentence(error)
    assert sentence(error).startswith("owner/name: ")


def test_no_connection_though_download_is_true(server, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    url = address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url)
    monkeypatch.setattr(constants, "ENDPOINT", address)

    with pytest.raises(WeightsError) as error:
        fetch()

    assert "no connection, though download = true" in sentence(error)
    assert "HTTPS_PROXY" in sentence(error)


def test_the_users_own_offline_switch_is_named_and_stays(server, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    with pytest.raises(WeightsError) as error:
        fetch()

    assert sentence(error).endswith("forbids the download; run: unset HF_HUB_OFFLINE")
    assert constants.HF_HUB_OFFLINE is True
    assert server.asked == []


def test_a_full_disk_is_a_disk_error_that_names_the_cache(server, monkeypatch, tmp_path):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(file_download, "http_get", full)

    with pytest.raises(DiskError) as error:
        fetch()

    assert f"no space is left on the disk of {tmp_path / 'cache'}" in sentence(error)
    assert "HF_HOME" in sentence(error)


def test_a_cache_that_cannot_be_written_is_a_disk_error(server, monkeypatch):
    def locked(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(file_download, "http_get", locked)

    with pytest.raises(DiskError, match="cannot be written; set HF_HOME"):
        fetch()


def test_a_download_that_breaks_off_is_told_and_leaves_no_file(server, tmp_path):
    server.breaks_off = True

    with pytest.raises(WeightsError) as error:
        fetch()

    assert "no connection" in sentence(error) or "cut short" in sentence(error)
    assert not [*(tmp_path / "cache").rglob("model.safetensors")]


def test_what_was_downloaded_is_found_again_without_a_connection(server):
    path = fetch()
    questions = len(server.asked)

    assert fetch(download=False) == path
    assert len(server.asked) == questions


def test_what_is_not_in_the_cache_names_the_cache_and_both_ways_out(server, tmp_path):
    with pytest.raises(WeightsError) as error:
        fetch(download=False)

    assert sentence(error) == (
        f"owner/name: not in the cache {tmp_path / 'cache'}; set download = true, or copy its "
        "folder from a machine that has it and give its path."
    )
    assert server.asked == []


def test_another_revision_than_the_cached_one_says_so(server, tmp_path):
    fetch()

    with pytest.raises(WeightsError) as error:
        fetch(download=False, revision="other")

    assert "not all of it, or not of this revision, is in the cache" in sentence(error)
    assert str(tmp_path / "cache" / "models--owner--name") in sentence(error)


@pytest.mark.parametrize("model", ["/no/such/folder", "./here", "a/b/c", "local-dir:/x", "x.onnx"])
def test_a_path_that_does_not_exist_is_not_taken_for_a_name(model):
    with pytest.raises(WeightsError) as error, hub(model, False):
        huggingface_hub.hf_hub_download(model, "config.json")

    assert sentence(error) == f"{model}: no such file or folder; correct the path."


def test_a_name_that_the_hub_does_not_allow():
    with pytest.raises(WeightsError, match="neither a folder that exists nor a name of the hub"):
        fetch("what?")


# Files.


def test_a_file_cut_short_is_named(tmp_path):
    path = tmp_path / "model.safetensors"
    save_file({"a": torch.zeros(100)}, path)
    path.write_bytes(path.read_bytes()[:200])

    with pytest.raises(WeightsError) as error, hub(str(tmp_path), False):
        load_file(path)

    assert sentence(error).startswith(f"{tmp_path}: {path} is damaged or cut short (")


def test_a_git_lfs_pointer_is_named_with_its_command(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")

    with pytest.raises(WeightsError) as error, hub(str(path), False):
        load_file(path)

    assert sentence(error).endswith(
        f"{path} is a Git LFS pointer, not the weights; fetch them with: git lfs pull"
    )


@pytest.mark.parametrize("kept", [0, 4, 900])
def test_a_pickle_cut_short_is_named(tmp_path, kept):
    path = tmp_path / "model.bin"
    torch.save({"a": torch.zeros(100)}, path)
    path.write_bytes(path.read_bytes()[:kept])

    with pytest.raises(WeightsError) as error, hub(str(tmp_path), False):
        torch.load(path, weights_only=True)

    assert f"{path} is damaged or cut short" in sentence(error)


def test_a_damaged_json_is_named(tmp_path):
    (tmp_path / "config.json").write_text("{")

    with pytest.raises(WeightsError, match=r"config\.json is no JSON"), hub(str(tmp_path), False):
        json.loads((tmp_path / "config.json").read_text())


def test_another_kind_of_model_keeps_the_librarys_reason_in_one_line(tmp_path):
    with pytest.raises(WeightsError) as error, hub(str(tmp_path), False):
        raise KeyError("model_type\nand a page of text")

    assert "its library cannot read it (KeyError: 'model_type" in sentence(error)
    assert "of the kind that this component is for" in sentence(error)
    assert isinstance(error.value.__cause__, KeyError)


def test_a_library_missing_within_another_is_named():
    with pytest.raises(WeightsError, match="run: pip install no_such_thing"), hub("x", False):
        import no_such_thing  # noqa: F401


def test_our_own_sentences_and_interrupts_pass_as_they_are():
    with pytest.raises(WeightsError, match=r"^mine$"), hub("x", False):
        raise WeightsError("mine")
    with pytest.raises(KeyboardInterrupt), hub("x", False):
        raise KeyboardInterrupt


def test_a_missing_extra_is_one_command():
    with pytest.raises(WeightsError, match=r'run: pip install "fiber-audit\[hub\]"'):
        library("no_such_library", "hub")


# The network.


class Touched(BaseException):
    """No except clause of a library swallows it."""


@pytest.fixture
def no_socket(monkeypatch, tmp_path):
    """Any look at the network is the end of the test; caches are empty."""

    def touched(*arguments, **_):
        raise Touched(arguments)

    monkeypatch.setattr(socket.socket, "connect", touched)
    monkeypatch.setattr(socket.socket, "connect_ex", touched)
    monkeypatch.setattr(socket, "getaddrinfo", touched)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("HOME", str(tmp_path))


def by_transformers(tmp_path):
    pytest.importorskip("transformers").AutoModel.from_pretrained("owner/name")


def by_timm(tmp_path):
    pytest.importorskip("timm").create_model("test_vit.r160_in1k", pretrained=True)


def by_timm_from_a_plain_address(tmp_path):
    cfg = {"url": "https://example.org/x.pth", "hf_hub_id": None}
    pytest.importorskip("timm").create_model(
        "test_vit", pretrained=True, pretrained_cfg_overlay=cfg
    )


def by_open_clip_from_a_plain_address(tmp_path):
    pytest.importorskip("open_clip").download_pretrained_from_url("https://example.org/x.pt")


def by_torch_hub(tmp_path):
    torch.hub.load_state_dict_from_url("https://example.org/x.pth")


def by_diffusers(tmp_path):
    from diffusers import UNet2DModel

    UNet2DModel.from_pretrained("owner/name")


def by_datasets(tmp_path):
    pytest.importorskip("datasets").load_dataset("owner/name")


def by_urllib(tmp_path):
    urllib.request.urlopen("https://example.org")


@pytest.mark.parametrize(
    "load",
    [
        by_transformers,
        by_timm,
        by_timm_from_a_plain_address,
        by_open_clip_from_a_plain_address,
        by_torch_hub,
        by_diffusers,
        by_datasets,
        by_urllib,
    ],
)
@pytest.mark.filterwarnings("ignore:The `local_dir_use_symlinks` argument:UserWarning")  # diffusers
def test_no_library_touches_the_network_unless_told_to_download(no_socket, tmp_path, load):
    with pytest.raises(WeightsError) as error, hub("name", False):
        load(tmp_path)

    assert "not in the cache" in sentence(error)
    assert "set download = true" in sentence(error)


def test_of_a_plain_address_the_server_is_named(no_socket, tmp_path):
    with pytest.raises(WeightsError) as error, hub("resnet18", False):
        by_torch_hub(tmp_path)

    assert sentence(error) == (
        "resnet18: not in the cache of its library, which would fetch it from example.org; "
        "set download = true, or give the path of a file of weights."
    )


def test_the_test_would_see_a_look_at_the_network(no_socket, tmp_path):
    with pytest.raises(Touched), hub("name", True):
        by_urllib(tmp_path)


def snapshot():
    return (
        constants.HF_HUB_OFFLINE,
        os.environ.get("HF_HUB_OFFLINE"),
        socket.getaddrinfo,
        {name: vars(socket.socket).get(name) for name in ("connect", "connect_ex")},
    )


@pytest.mark.parametrize("variable", [None, "0"])
def test_afterwards_all_is_as_it_was_even_after_an_exception(monkeypatch, variable):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    if variable is not None:
        monkeypatch.setenv("HF_HUB_OFFLINE", variable)
    before = snapshot()

    with hub("x", False), hub("y", False):
        assert constants.HF_HUB_OFFLINE is True
        assert os.environ["HF_HUB_OFFLINE"] == "1"
    assert snapshot() == before

    with pytest.raises(WeightsError), hub("x", False):
        raise ValueError
    assert snapshot() == before

    with hub("x", True):
        assert snapshot() == before


def test_copies_of_the_switch_are_set_and_reset_also_where_they_were_made_meanwhile(monkeypatch):
    early, late = ModuleType("early"), ModuleType("late")
    early.HF_HUB_OFFLINE = False
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setitem(sys.modules, "early", early)

    with hub("x", False):
        assert early.HF_HUB_OFFLINE is True
        late.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE
        monkeypatch.setitem(sys.modules, "late", late)

    assert early.HF_HUB_OFFLINE is False
    assert late.HF_HUB_OFFLINE is False


def test_other_threads_keep_their_connections(server):
    start, found = threading.Event(), []
    address = constants.ENDPOINT.removeprefix("http://").split(":")

    def ask():
        start.wait(10)
        with socket.create_connection((address[0], int(address[1])), timeout=10):
            found.append("connected")

    thread = threading.Thread(target=ask)
    thread.start()
    with hub("x", False):
        start.set()
        thread.join(10)

    assert found == ["connected"]


# Digests.


def test_a_digest_tells_weights_and_words_apart_and_nothing_else():
    a, b = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    b.load_state_dict(a.state_dict())

    assert digest_of({"x": a}, "w") == digest_of({"x": b}, "w")
    assert len({digest_of({"x": a}, *w) for w in ((), ("w",), ("w", "v"), ("wv",))}) == 4
    with torch.no_grad():
        b.weight[0, 0] += 1
    assert digest_of({"x": a}) != digest_of({"x": b})
    assert digest_of({"x": a, "y": b}) != digest_of({"x": b, "y": a})
    assert state_digest(torch.nn.ReLU()) == ""


def test_versions_name_what_is_installed():
    assert versions("torch", "no-such-thing") == f"torch {torch.__version__.partition('+')[0]}"


# The page about it.


def test_the_page_says_what_is_said():
    root = Path(__file__).parents[2]
    said = " ".join(
        "".join(str(part.value) for part in ast.walk(node) if isinstance(part, ast.Constant))
        for path in (root / "fiber_audit" / "loading").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.JoinedStr | ast.Constant)
    )
    page = (root / "docs" / "offline.md").read_text().partition("## What it says")[2]
    rows = re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)

    assert len(rows) > 10
    for fragment in (part.strip() for row in rows for part in row.split("…")):
        assert fragment in said, fragment


def test_the_home_of_nobody_is_a_sentence_not_an_exception():
    with pytest.raises(WeightsError, match="nobody-at-all"), hub("~nobody-at-all/model", False):
        raise OSError("~nobody-at-all/model is not a local folder and is not a valid model")
