"""Write the bundled demo clip: the keypoints that our detector finds in a part of a sample video.

    python scripts/make_demo_clip.py sports2d_demo.mp4 --first 9 --last 66

The video is the demo of Sports2D (https://github.com/davidpagnon/Sports2D), BSD-3-Clause; see NOTICE.
"""

import argparse
from pathlib import Path

import numpy as np

from poselift.detect import detect_video
from poselift.files import written_whole

OUT = Path(__file__).resolve().parents[1] / "src" / "poselift" / "data" / "demo.npz"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("--first", type=int, default=9, help="first frame, counted from 0")
    parser.add_argument("--last", type=int, default=66, help="last frame")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()

    (person,) = detect_video(options.video)
    frames = slice(options.first, options.last + 1)
    with written_whole(options.out, overwrite=True) as temporary:
        np.savez_compressed(
            temporary,
            xy=person.xy[frames].round(1),
            confidence=person.confidence[frames].round(2),
            skeleton=person.skeleton.name,
            fps=person.fps,
            image_size=np.array(person.image_size),
        )
    seen = person.seen[frames]
    print(
        f"{options.out}: {len(seen)} frames, {seen.mean():.0%} of the joints seen, {options.out.stat().st_size} bytes"
    )


if __name__ == "__main__":
    main()
