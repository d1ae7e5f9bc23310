"""Write the bundled demo video: one second of a sample video, made smaller, without sound.

    python scripts/make_demo_video.py sports2d_demo.mp4 --first 60 --frames 30

The video is the demo of Sports2D (https://github.com/davidpagnon/Sports2D), BSD-3-Clause; see NOTICE.
"""

import argparse
from itertools import islice
from pathlib import Path

import av

from poselift.files import written_whole

OUT = Path(__file__).resolve().parents[1] / "src" / "poselift" / "data" / "demo_video.mp4"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("--first", type=int, default=60, help="first frame, counted from 0")
    parser.add_argument("--frames", type=int, default=30, help="number of frames")
    parser.add_argument("--width", type=int, default=884, help="width in pixels")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()

    with av.open(str(options.video)) as source, written_whole(options.out, overwrite=True) as temporary:
        pictures = source.streams.video[0]
        height = round(options.width * pictures.height / pictures.width / 2) * 2
        with av.open(str(temporary), "w", format="mp4", options={"movflags": "+faststart"}) as target:
            stream = target.add_stream("libx264", rate=pictures.average_rate)
            stream.width, stream.height, stream.pix_fmt = options.width, height, "yuv420p"
            stream.options = {"crf": "28", "preset": "veryslow"}
            frames = islice(source.decode(pictures), options.first, options.first + options.frames)
            for number, frame in enumerate(frames):
                small = frame.reformat(options.width, height, "yuv420p", interpolation="AREA")
                small.pts, small.time_base = number, 1 / pictures.average_rate
                target.mux(stream.encode(small))
            target.mux(stream.encode(None))
    print(f"{options.out}: {options.frames} frames, {options.width} x {height}, {options.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
