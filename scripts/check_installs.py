"""Install `poselift[video]` into fresh environments of several Pythons, measure them, and lift a video in each.

    python scripts/check_installs.py ~/.pyenv/versions/3.1?.*/bin/python --numpy 1.26 2

Each Python gets an environment for each numpy; where pip finds no such numpy for it, that is said. With `--wheels
3.14`, a Python that is not at hand is checked as far as possible: whether every package to install has a wheel.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VIDEO = ROOT / "src" / "poselift" / "data" / "demo_video.mp4"
PIP = ("-m", "pip", "--quiet", "--disable-pip-version-check")
MOST_MB = 520


def check_install(python: str, numpy: str) -> str:
    """Return what an environment of this Python and numpy costs and does; starts with FAILED if something is wrong."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([python, "-m", "venv", folder], check=True)
        inside = Path(folder) / "bin" / "python"
        before = megabytes(Path(folder))
        wanted = ["install", "--only-binary", ":all:", "--no-compile", f"numpy=={numpy}.*", f"{ROOT}[video]"]
        if subprocess.run([inside, *PIP, *wanted], stderr=subprocess.DEVNULL).returncode:
            return f"pip finds no wheel of numpy {numpy} and of the rest"
        size = megabytes(Path(folder)) - before
        lifted = subprocess.run(
            [inside.with_name("poselift"), "lift", VIDEO, "--out", f"{folder}/out"], capture_output=True, text=True
        )
        results = sorted(path.name for path in Path(folder, "out").glob("*.npz"))
        if lifted.returncode or len(results) != 2:
            return f"FAILED: lifted {results}; {lifted.stderr[-500:]}"
        return f"{'FAILED: ' if size > MOST_MB else ''}{size:.0f} MB with numpy {numpy}; lifted {' and '.join(results)}"


def check_wheels(version: str) -> str:
    """Return whether there are wheels of all that is installed, for a version of Python on this system."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = ["av", "numpy", "scipy", "onnxruntime", "tyro", "rich"]
        found = subprocess.run(
            [
                sys.executable,
                *PIP,
                "download",
                "--only-binary",
                ":all:",
                "--python-version",
                version,
                "-d",
                folder,
                *wanted,
            ],
            capture_output=True,
            text=True,
        )
        return f"FAILED: {found.stderr[-500:]}" if found.returncode else "every package has a wheel"


def megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink()) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pythons", nargs="*", help="interpreters")
    parser.add_argument("--numpy", nargs="+", default=["1.26", "2"], help="versions of numpy")
    parser.add_argument("--wheels", nargs="*", default=[], help="versions of Python that are not at hand")
    options = parser.parse_args()
    lines = [f"{python}: {check_install(python, numpy)}" for python in options.pythons for numpy in options.numpy]
    lines += [f"Python {version}: {check_wheels(version)}" for version in options.wheels]
    print("\n".join(lines))
    sys.exit(any("FAILED" in line for line in lines))


if __name__ == "__main__":
    main()
