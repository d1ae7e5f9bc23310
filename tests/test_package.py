"""What the package as a whole promises: layers, light imports, and the names it exports."""

import ast
import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import poselift
from poselift.doctor import diagnose
from poselift.formats import write_keypoints

SOURCE = Path(poselift.__file__).parent
HEAVY = (
    "torch", "av", "matplotlib", "safetensors", "onnx", "onnxscript", "cv2", "pyarrow", "ezc3d", "PIL", "pythonosc",
    "websockets", "starlette", "uvicorn",
)  # fmt: skip

# Rooms of one row are neighbours and do not know each other; each may import those of earlier rows, and itself.
LAYERS = (
    "errors version",
    "skeleton files track records footage",
    "geometry",
    "sequence",
    "people",
    "prepare detect",
    "refine",
    "lifters viewer render",
    "formats",
    "checks",
    "lifting",
    "datasets read live",
    "measure doctor bulk serve",
    "poselift",
    "lab",
    "cli",
    "__main__",
)
LAB_LAYERS = (
    "models observe",
    "windows",
    "run",
    "export",
    "train poseclr recipes",
    "tasks",
    "reproduce",
)
RANK = {room: rank for rank, row in enumerate(LAYERS) for room in row.split()}
LAB_RANK = {room: rank for rank, row in enumerate(LAB_LAYERS) for room in row.split()}

# Besides numpy and the standard library. What is heavy is imported inside functions.
OUTSIDE_AT_THE_TOP = {
    "cli": {"rich", "tyro"},
    "cli.answer": {"tyro"},
    "cli.bulk": {"tyro"},
    "cli.cards": {"rich", "tyro"},
    "cli.console": {"rich", "tyro"},
    "cli.converting": {"tyro"},
    "cli.lifting": {"tyro"},
    "cli.live": {"tyro"},
    "cli.measuring": {"tyro"},
    "cli.rendering": {"tyro"},
    "cli.results": {"tyro"},
    "cli.serving": {"tyro"},
    "datasets.mocap_joints": {"scipy"},
    "doctor": {"rich"},
    "doctor.report": {"rich"},
    "formats.amc": {"scipy"},
    "formats.bvh": {"scipy"},
    "measure.tables": {"rich"},
    "measure.wide": {"rich"},
    "serve.app": {"starlette"},  # its types, for checkers alone
}
OUTSIDE_IN_FUNCTIONS = {
    "formats.rigs.figure": {"scipy"},
    "geometry.hinges": {"scipy"},
    "geometry.rotation": {"scipy"},
    "sequence": {"scipy"},
    "prepare.convert": {"torch"},  # behind isinstance checks: tensors are only met where torch is
    "prepare.feed": {"torch"},
    "prepare.normalize": {"torch"},
    "lifters.onnx": {"onnxruntime"},
    "lifters.openvino": {"openvino"},
    "bulk.cluster": {"ray"},
    "live.vmc": {"pythonosc", "scipy"},
    "live.web": {"websockets"},
    "datasets.own": {"pyarrow"},
    "measure.world": {"scipy"},
    "refine.curves": {"scipy"},
    "refine.path": {"scipy"},
    "refine.smooth": {"scipy"},
    "track.body": {"scipy"},
    "track.match": {"scipy"},
    "detect.container": {"av"},
    "detect.network": {"onnxruntime"},
    "formats.c3d": {"ezc3d"},
    "formats.c3d_child": {"ezc3d"},
    "formats.keypoint_parquet": {"pyarrow"},
    "formats.parquet": {"pyarrow"},
    "render.page": {"PIL"},
    "serve.app": {"starlette"},
    "serve.server": {"starlette", "uvicorn"},
}


def module_name(path: Path) -> str:
    """`formats.csv` for formats/csv.py, `formats` for its __init__.py, `poselift` for the package's own."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts) or "poselift"


FILES = {module_name(path): path for path in sorted(SOURCE.rglob("*.py"))}
BACK = "cli.training"
"""The verbs of the lab, which only the command line loads, and only when one of them is asked for."""
FRONT = {name: path for name, path in FILES.items() if name.split(".")[0] != "lab" and name != BACK}


@cache
def imports(source: str) -> list[tuple[str, bool]]:
    """(module, whether at the top of the file) of every import; the name imported is joined on for packages."""
    tree = ast.parse(source)
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for node in ast.walk(function)
    }
    found = []
    for node in ast.walk(tree):
        top = id(node) not in inside
        if isinstance(node, ast.Import):
            found += [(alias.name, top) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            joined = [f"{node.module}.{alias.name}" for alias in node.names]
            found += [(name if _ours(name) in FILES else str(node.module), top) for name in joined]
    return found


def _ours(module: str) -> str:
    return module.removeprefix("poselift.") if module != "poselift" else "poselift"


def outside(name: str, *, top: bool) -> set[str]:
    roots = {module.split(".")[0] for module, at_top in imports(FILES[name].read_text("utf-8")) if at_top == top}
    return roots - sys.stdlib_module_names - {"poselift", "numpy"}


def test_imports_are_found_wherever_they_stand():
    source = "import a.b\nif x:\n    from c import d\ndef f():\n    import e\nclass G:\n    import h\n"
    assert sorted(imports(source)) == [("a.b", True), ("c", True), ("e", False), ("h", True)]
    assert imports("from poselift import formats") == [("poselift.formats", True)]


def room(name: str) -> str:
    """The room of a module at the top of the package: `formats` for `formats.csv`."""
    return name.split(".")[0]


def lab_room(name: str) -> str | None:
    """The room of a module of the lab: `windows` for `lab.windows.batch`; None for the lab itself and the front."""
    return name.split(".")[1] if name.startswith("lab.") else None


def test_every_room_has_its_layer():
    assert set(RANK) == {room(name) for name in FILES}, "give a new room its row in LAYERS"
    assert set(LAB_RANK) == {lab_room(name) for name in FILES} - {None}, "give a new room its row in LAB_LAYERS"


@pytest.mark.parametrize("name", FILES)
def test_imports_go_one_way(name):
    for module, _ in imports(FILES[name].read_text("utf-8")):
        if room(module) != "poselift":
            continue
        ours = _ours(module)
        assert ours in FILES, f"{name} imports {module}"
        assert room(ours) == room(name) or RANK[room(ours)] < RANK[room(name)], f"{name} imports {module}"
        here, there = lab_room(name), lab_room(ours)
        if here and there and here != there:
            assert LAB_RANK[there] < LAB_RANK[here], f"{name} imports {module}"


def reached(name: str, seen: set[str]) -> set[str]:
    """Modules of ours that importing a module imports at once."""
    for module, top in imports(FILES[name].read_text("utf-8")):
        ours = _ours(module)
        if top and room(module) == "poselift" and ours in FILES and ours not in seen:
            seen.add(ours)
            reached(ours, seen)
    return seen


def test_no_module_imports_itself_by_way_of_others():
    circles = [name for name in FILES if name in reached(name, set())]
    assert circles == []


def test_the_front_does_not_know_the_lab():
    for name, path in FRONT.items():
        imported = {_ours(module) for module, _ in imports(path.read_text("utf-8"))}
        assert not {module for module in imported if module == BACK or room(module) == "lab"}, name
    naming = [name for name, path in FRONT.items() if "poselift.lab" in path.read_text("utf-8")]
    assert naming == ["cli.console"]  # by name, when it is needed


def test_what_the_front_needs_from_outside():
    assert {name: found for name in FRONT if (found := outside(name, top=True))} == OUTSIDE_AT_THE_TOP
    assert {name: found for name in FRONT if (found := outside(name, top=False))} == OUTSIDE_IN_FUNCTIONS


@pytest.mark.parametrize("name", FILES)
def test_no_file_swallows_every_error_or_prints(name):
    for node in ast.walk(ast.parse(FILES[name].read_text("utf-8"))):
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else "everything"
            assert caught not in ("everything", "Exception", "BaseException"), f"line {node.lineno}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "print", f"line {node.lineno}"


def python(code: str, *, blocked: tuple[str, ...] = (), cwd: Path | None = None) -> dict:
    """Run a program in a fresh interpreter in which some packages cannot be imported; its `result`."""
    start = f"""
import json, sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}} (blocked)", name=name)
sys.meta_path.insert(0, Blocker())
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", start + code + "\nprint(json.dumps(result))"],
        capture_output=True, text=True, timeout=1800, cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(SOURCE.parent), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_blocked_packages_cannot_be_imported():
    with pytest.raises(AssertionError, match="blocked"):
        python("import torch", blocked=("torch",))


def test_every_front_module_imports_with_the_core_dependencies_only():
    modules = [f"poselift.{name}" if name != "poselift" else name for name in FRONT if name != "__main__"]
    code = f"import importlib\nfor name in {modules!r}:\n    importlib.import_module(name)\n"
    result = python(code + f"result = [name for name in {HEAVY!r} if name in sys.modules]", blocked=HEAVY)
    assert result == []


def test_importing_poselift_is_light():
    """What it loads besides numpy and the standard library is itself, and none of the heavier rooms."""
    code = """
import numpy
before = set(sys.modules)
import poselift
result = sorted(set(sys.modules) - before)
"""
    loaded = python(code)
    assert {name.split(".")[0] for name in loaded} - sys.stdlib_module_names == {"poselift"}
    rooms = {".".join(name.split(".")[:2]) for name in loaded if name.startswith("poselift.")}
    assert not rooms & {f"poselift.{name}" for name in ("cli", "datasets", "detect", "doctor", "lab")}


def test_the_whole_inference_path_runs_without_torch(tmp_path):
    code = """
from importlib import resources
import numpy as np
import poselift as pl

class Flat:
    skeleton, in_frames, out_frames, fps, in_channels = pl.H36M_17, 9, (4,), 50.0, 2
    def __call__(self, windows):
        return np.concatenate([windows[:, 4:5], np.zeros_like(windows[:, 4:5, :, :1])], -1)

(person,) = pl.read_keypoints(str(resources.files("poselift") / "data" / "demo.npz"))
lifter = pl.load_lifter(threads=1) if pl.shipped_lifters() else Flat()
poses = pl.lift(person, lifter, flip_average=True)
for ending in ("npz", "json", "csv", "bvh", "html", "mot"):
    pl.save_poses(poses, f"clip.{ending}")
pl.write_viewer(poses, "clip.html", keypoints=person, overwrite=True)
result = [len(person), *pl.read_poses("clip.npz").xyz.shape, float(np.abs(pl.mpjpe(poses.xyz, poses.xyz)).max())]
"""
    assert python(code, blocked=HEAVY, cwd=tmp_path) == [58, 58, 17, 3, 0.0]
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        f"clip.{ending}" for ending in ("bvh", "bvh.json", "csv", "html", "json", "mot", "npz")
    ]


def test_exported_names():
    assert poselift.__all__ == [
        "BODY_25",
        "BODY_25B",
        "BODY_27",
        "COCO_17",
        "H36M_17",
        "HALPE_26",
        "HUMANEVA_15",
        "MEDIAPIPE_33",
        "MPI_INF_3DHP_17",
        "JointAngles",
        "Keypoints2D",
        "Lifter",
        "LiveLifter",
        "Poses3D",
        "PoseliftError",
        "Scene",
        "Skeleton",
        "convert_poses",
        "get_skeleton",
        "joint_angles",
        "lift",
        "load_lifter",
        "mpjpe",
        "mpjve",
        "n_mpjpe",
        "p_mpjpe",
        "place",
        "read_all_poses",
        "read_angles",
        "read_keypoints",
        "read_poses",
        "save_angles",
        "save_poses",
        "shipped_lifters",
        "write_viewer",
    ]
    assert all(hasattr(poselift, name) for name in poselift.__all__)


@pytest.mark.parametrize("wrong", [np.zeros((4, 17, 2)), (), "clip.npz", None])
def test_another_kind_of_argument_is_refused_with_what_to_do(tmp_path, wrong):
    """Arrays, a tuple of people and paths are what newcomers give."""
    out, poses = tmp_path / "out", poselift.Poses3D(np.zeros((4, 17, 3)), "H36M_17", 30.0)
    calls = {
        "Keypoints2D": [lambda: poselift.lift(wrong), lambda: diagnose(wrong), lambda: write_keypoints(wrong, out)],
        "Poses3D": [lambda: poselift.save_poses(wrong, out), lambda: poselift.write_viewer(wrong, out)],
    }
    if wrong is not None:
        calls["Keypoints2D"].append(lambda: poselift.write_viewer(poses, out, keypoints=wrong))
    for wanted, called in calls.items():
        for call in called:
            with pytest.raises(TypeError, match=f"wanted {wanted}, got {type(wrong).__name__}; take ") as told:
                call()
            assert isinstance(told.value, poselift.PoseliftError)
    assert not out.exists()


def test_everything_exported_is_documented():
    for name in poselift.__all__:
        exported = getattr(poselift, name)
        assert isinstance(exported, poselift.Skeleton) or len(exported.__doc__) > 20, name


def of_the_checkout(name: str) -> str:
    """Text of a file beside the source."""
    path = SOURCE.parents[1] / name
    if not path.is_file():
        pytest.skip("not a checkout")
    return path.read_text("utf-8")


def test_the_version_is_the_project_s():
    version = poselift.__version__
    assert f'\nversion = "{version}"\n' in of_the_checkout("pyproject.toml")
    assert f"\nversion: {version}\n" in of_the_checkout("CITATION.cff")
    assert f"version = {{{version}}}" in of_the_checkout("README.md")
    assert (SOURCE / "py.typed").is_file()


def test_the_readme_says_what_is_in_every_room():
    tree = of_the_checkout("README.md").partition("\nsrc/poselift/\n")[2].partition("\ndocs/")[0]
    said = re.findall(r"(?:^  | {2})(\w+)(?:\.py|/)", tree, re.MULTILINE)
    assert sorted(said) == sorted(set(RANK) - {"poselift", "__main__"})


def test_papers_are_cited_alike():
    """Every title of the README's BibTeX stands in CITATION.cff."""
    titles = re.findall(r"  title = \{(.+?)\},\n", of_the_checkout("README.md"), re.DOTALL)
    plain = [" ".join(re.sub(r"[{}]", "", title).split()) for title in titles]
    assert len(plain) == 5
    assert [title for title in plain if f'title: "{title}"' not in of_the_checkout("CITATION.cff")] == []
