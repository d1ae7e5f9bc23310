"""Draw people in the world from above, from the camera and from the side, for the documents.

Usage: python scripts/draw_world.py OUT.png RESULT.npz ...

The results are those of one clip, as `poselift lift` wrote them. Each person is drawn in four frames, without gaps.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import poselift as pl

VIEWS = (("from above", 0, 1), ("from the camera", 0, 2), ("from the side", 1, 2))


def main(out: Path, results: list[Path]) -> None:
    """Draw the people of these files."""
    people = [pl.read_poses(file) for file in results]
    figure, panels = plt.subplots(1, 3, figsize=(14, 5))
    for number, poses in enumerate(people):
        there = np.ones(len(poses), bool) if poses.gap is None else ~poses.gap
        path, joints = np.where(there[:, None], poses.path, np.nan), poses.absolute()
        frames = [frame for frame in np.linspace(0, len(poses) - 1, 4).astype(int) if there[frame]]
        for panel, (_, x, y) in zip(panels, VIEWS, strict=True):
            if y == 1:
                panel.plot(path[:, x], path[:, y], f"C{number}")
            for frame in frames:
                for bone in map(list, poses.skeleton.bones):
                    panel.plot(joints[frame, bone, x], joints[frame, bone, y], f"C{number}", lw=1)
    for panel, (title, x, y) in zip(panels, VIEWS, strict=True):
        centre = people[0].camera.centre
        if x != 0 or y == 1:
            panel.plot(centre[x], centre[y], "k^")
        if y == 2:
            panel.axhline(0, color="k", lw=0.7)
        panel.set(title=title, xlabel="m", aspect="equal")
        panel.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(out, dpi=60, bbox_inches="tight")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
