"""The notebook of the examples runs from top to bottom, and its claim holds."""

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[2] / "examples" / "notebook.ipynb"


@pytest.mark.filterwarnings("ignore")  # the kernel is a process of its own, with its own libraries
def test_the_notebook_runs_and_shows_what_it_says(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    )
    done = client.execute(env=dict(os.environ))
    outputs = [o for cell in done.cells for o in cell.get("outputs", [])]

    assert any("image/png" in o.get("data", {}) for o in outputs)
    assert any("fiber-audit: passed" in o.get("data", {}).get("text/html", "") for o in outputs)
    assert (tmp_path / "runs" / "notebook" / "report.html").is_file()
    assert all(cell.get("outputs", []) == [] for cell in nbformat.read(NOTEBOOK, 4).cells)
