"""Importing what a user has named, and nothing that a file names."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import poselift
from poselift.errors import CheckpointError
from poselift.lifters.outside import check_typed, import_class, is_outside

DEMO = Path(poselift.__file__).parent / "data" / "demo.npz"
TRAP = "from pathlib import Path\nPath('RAN').write_text(__name__)\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working folder; what is imported from it is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def python(folder: Path, *arguments: str) -> str:
    """What a fresh interpreter prints that does not put the working folder on its path by itself."""
    environment = os.environ | {"PYTHONPATH": str(Path(poselift.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-P", *arguments], capture_output=True, text=True, timeout=300, cwd=folder, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_class_in_the_working_folder_is_found_while_it_is_imported_only(folder):
    (folder / "my_lifter_parts.py").write_text("width = 3\n")
    (folder / "my_lifter.py").write_text("from my_lifter_parts import width\nclass Own:\n    size = width\n")
    before = list(sys.path)
    assert import_class("my_lifter:Own").size == 3
    assert sys.path == before


def test_the_working_folder_shadows_nothing(folder):
    """Packages that are imported late, and one of the standard library, next to the lifter that uses them."""
    for name in ("onnxruntime", "scipy", "tyro", "colorsys"):
        (folder / f"{name}.py").write_text(TRAP)
    (folder / "my_lifter.py").write_text("import onnxruntime, scipy, colorsys\nclass Own:\n    onnx = onnxruntime\n")
    code = "from poselift.lifters.outside import import_class\nprint(import_class('my_lifter:Own').onnx.__file__)"
    assert str(folder) not in python(folder, "-c", code)
    python(folder, "-m", "poselift", "lift", str(DEMO), "-o", "lifted", "--formats", "npz")
    assert (folder / "lifted" / "demo.npz").is_file()
    assert not (folder / "RAN").exists()
    (folder / "my_trap.py").write_text(TRAP + "class Own: ...\n")
    import_class("my_trap:Own")
    assert (folder / "RAN").read_text() == "my_trap"  # a module that runs does leave its mark


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere:Own", "no module 'nowhere' for the lifter 'nowhere:Own'; run in the folder that holds it"),
        ("json.nowhere:Own", "no module 'json.nowhere'"),
        ("json:JSONDecode", r"json \(.*__init__.py\) has no class 'JSONDecode'; did you mean 'JSONDecode(r|Error)'"),
        ("json:loads", r"json \(.*\) has no class 'loads'"),
        (":Own", "as module:Class, such as my_lifter:MyLifter, got ':Own'"),
        ("json:", "as module:Class"),
        ("..json:Own", "as module:Class"),
        ("C:\\weights", "as module:Class"),
    ],
)
def test_names_that_lead_nowhere_are_errors(name, message):
    with pytest.raises(CheckpointError, match=message):
        import_class(name)


def test_a_failing_import_inside_the_module_is_raised_as_it_is(folder):
    (folder / "needy_lifter.py").write_text("import not_installed_anywhere\n")
    before = list(sys.path)
    with pytest.raises(ModuleNotFoundError, match="not_installed_anywhere"):
        import_class("needy_lifter:Own")
    assert sys.path == before


def test_a_file_may_not_name_what_the_user_has_not():
    check_typed("htnet", None, "w.safetensors")
    check_typed("htnet", "htnet", "w.safetensors")
    check_typed("mine:Net", "mine:Net", "w.safetensors")
    with pytest.raises(CheckpointError, match=r"w.safetensors is of 'mine:Net'.* name it: --lifter mine:Net"):
        check_typed("mine:Net", None, "w.safetensors")
    with pytest.raises(CheckpointError, match="is of the lifter 'mine:Net', and not of 'other:Net'"):
        check_typed("mine:Net", "other:Net", "w.safetensors")
    with pytest.raises(CheckpointError, match="is of the lifter 'htnet', and not of 'mine:Net'"):
        check_typed("htnet", "mine:Net", "w.safetensors")


def test_which_names_are_modules():
    assert is_outside("mine:Net")
    assert not is_outside("htnet") and not is_outside("C:\\mine.onnx")
