"""The shipped suites with the paper's settings are valid, and say what they lack."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

NAMES = (
    "imagenet-dinov2",
    "imagenet-inception",
    "cue-conflict",
    "cue-conflict-lite0",
    "chexpert",
    "qwen2-vl",
)
HEAD = "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Cardiomegaly\n"


def picture(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (40, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def data(tmp_path):
    """Two pictures in each of the layouts that the suites name."""
    for i in range(2):
        picture(tmp_path / "imagenet/val/n01" / f"picture{i}.JPEG", i)
        picture(tmp_path / "photographs" / f"picture{i}.JPEG", i)
        picture(tmp_path / "cue-conflict/cat" / f"cat{i + 1}-elephant2.png", i)
    base = tmp_path / "CheXpert-v1.0-small"
    for part in ("train", "valid"):
        rows = [f"CheXpert-v1.0-small/{part}/patient{i}/study1/view1_frontal.jpg" for i in (1, 2)]
        for i, row in enumerate(rows):
            picture(tmp_path / row, i)
        text = "".join(f"{row},Male,60,Frontal,AP,1.0,0.0\n" for row in rows)
        (base / f"{part}.csv").write_text(HEAD + text)
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
def test_a_suite_of_the_paper_is_valid_and_tells_what_is_missing(name, data, command, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(data / "no-cache"))
    monkeypatch.setenv("TORCH_HOME", str(data / "no-cache"))

    done = command(
        "run", name, "--dry-run", "--set", "queries.n=2", "--set", "device=cpu", toy=False
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    for line in done.stdout.splitlines():
        assert "of 0 to draw" in line or "skipped" in line or ":" in line
    assert "Traceback" not in done.stderr
    assert "error" not in done.stdout.lower()


@pytest.mark.parametrize("name", NAMES)
def test_its_header_says_how_to_run_it_how_long_it_takes_and_what_was_published(name):
    import fiber_audit

    text = (Path(fiber_audit.__file__).parent / "suites" / f"{name}.toml").read_text()
    head = [line for line in text.splitlines() if line.startswith("#")]

    assert any(f"fiber-audit run {name}" in line for line in head)
    assert any(line.startswith("# Time:") for line in head)
    assert any(line.startswith("# Published:") for line in head)
    assert max(map(len, text.splitlines())) <= 120
    assert os.linesep == "\n" or "\r" not in text
