"""Take a strip of pictures of a viewer page with a headless Chromium: 2D above, 3D below, one column for each frame.

Usage: python scripts/render_strip.py result.html strip.png --frames 0 40 80 [--yaw 30 --pitch 10 --theme dark]
"""

import argparse
import html
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ("--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--hide-scrollbars")


def chromium(*arguments: str, timeout_s: float = 600) -> str:
    """Run a headless Chromium with a profile of its own until it ends, and return what it printed."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        sys.exit(f"wanted a Chromium to take the pictures, found none of {', '.join(NAMES)}; install one")
    root = ("--no-sandbox",) if os.geteuid() == 0 else ()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [program, *FLAGS, *root, f"--user-data-dir={profile}", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=timeout_s).stdout


def strip_page(page: Path, columns: list[str], width: int, height: int) -> str:
    """Return a page that shows the viewer page once for each column, side by side."""
    frames = "".join(
        f'<iframe src="{html.escape(page.resolve().as_uri())}#{column}" width="{width}" height="{height}"></iframe>'
        for column in columns
    )
    return f"<!DOCTYPE html><style>body{{margin:0;display:flex}}iframe{{border:0}}</style>{frames}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path, help="HTML page written by poselift")
    parser.add_argument("out", type=Path, help="PNG to write")
    parser.add_argument("--frames", type=int, nargs="+", default=[0], help="frames to show, from 0")
    parser.add_argument("--yaw", type=float, default=0, help="degrees from the camera's view")
    parser.add_argument("--pitch", type=float, default=0, help="degrees, from above")
    parser.add_argument("--zoom", type=float, default=1)
    parser.add_argument("--theme", choices=("light", "dark"), default="light")
    parser.add_argument("--width", type=int, default=260, help="pixels of one column; from 761 on, 2D stands beside 3D")
    parser.add_argument("--height", type=int, default=560, help="pixels")
    args = parser.parse_args()
    view = f"yaw={args.yaw}&pitch={args.pitch}&zoom={args.zoom}&theme={args.theme}&bare=1"
    columns = [f"frame={frame}&{view}" for frame in args.frames]
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "strip.html"
        page.write_text(strip_page(args.page, columns, args.width, args.height))
        size = f"--window-size={args.width * len(columns)},{args.height}"
        chromium(size, f"--screenshot={args.out.resolve()}", "--virtual-time-budget=4000", page.as_uri())


if __name__ == "__main__":
    main()
