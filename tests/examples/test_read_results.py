"""The notebook runs as it stands, cell after cell, without Jupyter."""

import json
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).resolve().parents[2] / "examples" / "read_results.ipynb"


def cells() -> list[str]:
    content = json.loads(NOTEBOOK.read_text("utf-8"))
    return ["".join(cell["source"]) for cell in content["cells"] if cell["cell_type"] == "code"]


def test_the_cells_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    matplotlib.use("Agg")
    monkeypatch.setattr("tempfile.mkdtemp", lambda: str(tmp_path))
    names: dict[str, object] = {}
    for number, source in enumerate(cells()):
        exec(compile(source, f"cell {number}", "exec"), names)
    said = capsys.readouterr().out
    assert "(58, 27, 3) BODY_27 30.0 fps" in said
    assert 10 < float(said.split("mean ")[1].split(" mm")[0]) < 100  # two weights, one clip
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "clip.csv", "clip.npz", "clip.parquet", "with_angle.parquet"
    ]  # fmt: skip
    assert len(matplotlib.pyplot.get_fignums()) == 3
    matplotlib.pyplot.close("all")


def test_it_was_run_and_names_no_folder_of_ours() -> None:
    content = json.loads(NOTEBOOK.read_text("utf-8"))
    code = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    assert sum("image/png" in output.get("data", {}) for cell in code for output in cell["outputs"]) == 3
    assert "/home/" not in NOTEBOOK.read_text("utf-8")
