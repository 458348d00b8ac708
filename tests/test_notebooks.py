"""The notebooks run from top to bottom, are kept without outputs, and show what they promise."""

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "deployments" / "notebooks").glob("*.ipynb"))
PLOTS = {"run_a_flow": 0, "ten_questions": 8}


def _run(path: Path, home: Path) -> nbformat.NotebookNode:
    """As a user runs it, in a process of its own, with nothing of ours in its environment but the way to the packages."""
    notebook = nbformat.read(path, as_version=4)
    env = {name: value for name, value in os.environ.items() if not name.startswith("WHARFINGER")}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}).execute(
        env=env | {"PYTHONPATH": str(ROOT), "MPLBACKEND": "module://matplotlib_inline.backend_inline", "TMPDIR": str(home)})
    return notebook


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_top_to_bottom(path: Path, tmp_path: Path) -> None:
    outputs = [output for cell in _run(path, tmp_path).cells if cell.cell_type == "code" for output in cell.outputs]
    pictures = [output.data["image/png"] for output in outputs if "data" in output and "image/png" in output.data]
    assert len(pictures) == PLOTS[path.stem]
    text = str(outputs)
    assert "Canary Row" not in text and "canary." not in text  # nobody's address is in what an analyst sees
    if keep := os.environ.get("NOTEBOOK_PICTURES"):
        import base64

        for number, picture in enumerate(pictures):
            (Path(keep) / f"{path.stem}-{number}.png").write_bytes(base64.b64decode(picture))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(path: Path) -> None:
    for cell in nbformat.read(path, as_version=4).cells:
        assert cell.cell_type == "markdown" or (cell.outputs == [] and cell.execution_count is None)


def test_there_are_the_two_notebooks() -> None:
    assert {path.stem for path in NOTEBOOKS} == set(PLOTS)
