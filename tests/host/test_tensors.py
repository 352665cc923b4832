import os
import pickle

import pytest
import torch
from torch import nn

from fiber_audit import UsageError, WeightsError
from fiber_audit._suite import variables
from fiber_audit.loading import read_tensors, trust
from fiber_audit.loading.tensors import TRUSTED, is_trusted


class Running:
    """A pickle that makes a folder when it is loaded."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.fixture(autouse=True)
def nobody_is_trusted(monkeypatch):
    monkeypatch.setenv(TRUSTED, "")


@pytest.fixture(params=["zip", "legacy"])
def hostile(request, tmp_path):
    """(a file that runs code when it is loaded, what that leaves)."""
    path, trace = tmp_path / "weights" / "a.pt", tmp_path / "ran"
    path.parent.mkdir()
    state = {"w": torch.zeros(1), "x": Running(trace)}
    torch.save(state, path, _use_new_zipfile_serialization=request.param == "zip")
    return path, trace


def test_a_file_that_would_run_code_is_refused_and_nothing_runs(hostile):
    path, trace = hostile
    with pytest.raises(WeightsError, match=f"more than tensors.*--allow-pickle {path}"):
        read_tensors(path)

    assert not trace.exists()


def test_a_trusted_file_runs_what_it_holds_and_only_that_file(hostile, tmp_path):
    path, trace = hostile
    other = path.with_name("b.pt")
    other.write_bytes(path.read_bytes())
    trust([path])
    with pytest.raises(WeightsError, match="more than tensors"):
        read_tensors(other)
    assert not trace.exists()
    assert read_tensors(path)["w"].tolist() == [0]
    assert trace.exists()


def test_a_pickle_that_torch_did_not_save_is_refused_and_nothing_runs(tmp_path):
    path = tmp_path / "a.pt"
    path.write_bytes(pickle.dumps(Running(tmp_path / "ran")))
    with pytest.raises(WeightsError, match=r"a\.pt"):
        read_tensors(path)

    assert not (tmp_path / "ran").exists()


def test_a_trusted_folder_is_its_files_and_those_of_its_folders(tmp_path):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    trust([tmp_path / "in"])

    assert is_trusted(tmp_path / "in" / "deep" / "a.pt")
    assert not is_trusted(tmp_path / "in" / ".." / "a.pt")
    assert not is_trusted(tmp_path / "inside.pt")


def test_a_trusted_module_is_its_state_dict(tmp_path):
    network = nn.Linear(2, 3)
    torch.save(network, tmp_path / "whole.pt")
    with pytest.raises(WeightsError, match="could run code"):
        read_tensors(tmp_path / "whole.pt")
    trust([tmp_path / "whole.pt"])

    found = read_tensors(tmp_path / "whole.pt")
    assert all(torch.equal(found[k], v) for k, v in network.state_dict().items())


def test_the_variable_has_one_name():
    assert variables.TRUSTED == TRUSTED


def test_what_cannot_be_trusted_is_a_sentence(tmp_path):
    with pytest.raises(UsageError, match=r"--allow-pickle .*no such file"):
        trust([tmp_path / "none.pt"])
    assert os.environ[TRUSTED] == ""


LOADING = """
import torch
from fiber_audit import hookimpl
from fiber_audit.loading import read_tensors
from fiber_audit.testing import LinearExtractor

class Loaded(LinearExtractor):
    def __init__(self):
        super().__init__(read_tensors(__import__("pathlib").Path("net.pt"))["weight"])

@hookimpl
def fiber_audit_extractors():
    return {"loaded": Loaded}
"""


def test_the_command_refuses_a_pickle_until_it_is_told_to_trust_it(command, toy_suite, tmp_path):
    (tmp_path / "loading.py").write_text(LOADING)
    torch.save(nn.Linear(4, 2), tmp_path / "net.pt")
    suite = toy_suite("[executor]\nworkers = 2\n")
    suite.write_text(suite.read_text().replace("toy-first-two", "loaded"))
    line = ["run", str(suite), "--plugin", "loading.py", "--out", "run"]
    refused = command(*line)
    told = (tmp_path / "run" / "records.csv").read_text()
    trusted = command(*line, "--allow-pickle", "net.pt")

    assert refused.returncode == 5, "nothing to run"
    assert "--allow-pickle" in told
    assert trusted.returncode == 0, trusted.stderr
