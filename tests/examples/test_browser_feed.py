"""The feed in JavaScript gives the numbers of our own."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from poselift.prepare.feed import Feed
from poselift.prepare.window import cut
from poselift.sequence import Keypoints2D
from poselift.skeleton import BODY_27, H36M_17

FEED = Path(__file__).parents[2] / "examples" / "browser" / "feed.js"
RUN = """
import {{ calibrate, feedWindow, windowStarts }} from {feed};
import {{ readFileSync }} from "node:fs";
const {{ clip, inFrames, out, root, channels }} = JSON.parse(readFileSync(0, "utf8"));
const ready = calibrate(clip);
const windows = windowStarts(clip.length, out).map((s) => [...feedWindow(ready, s, {{ inFrames, root, channels }})]);
console.log(JSON.stringify(windows));
"""


def moving(skeleton, frames, rng):
    """A clip with gaps: joints that are missing for a while, one that is never seen, a frame without anybody."""
    places = rng.uniform(100, 500, (1, len(skeleton), 2)) + rng.normal(0, 3, (frames, len(skeleton), 2)).cumsum(0)
    scores = rng.uniform(0.2, 0.7, (frames, len(skeleton))) * (rng.random((frames, len(skeleton))) > 0.15)
    scores[:, 4], scores[min(3, frames - 1)] = 0, 0
    return places.astype(np.float32), scores.astype(np.float32)


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
@pytest.mark.parametrize(
    ("skeleton", "frames", "in_frames", "out", "channels"),
    [(BODY_27, 40, 27, range(9, 18), 3), (BODY_27, 5, 27, range(9, 18), 3), (H36M_17, 30, 27, range(13, 14), 2)],
)
def test_javascript_feeds_what_lift_feeds(tmp_path, skeleton, frames, in_frames, out, channels):
    xy, scores = moving(skeleton, frames, np.random.default_rng(frames))
    feed, windows = Feed(skeleton, channels), cut(frames, in_frames, tuple(out))
    clip = feed.clip(Keypoints2D(xy, scores, skeleton, 50.0))
    wanted = feed.windows(clip[windows.index], windows.inside)
    (tmp_path / "run.mjs").write_text(RUN.format(feed=json.dumps(FEED.as_uri())))
    (tmp_path / "package.json").write_text('{"type": "module"}')
    content = {
        "clip": np.concatenate([xy, scores[..., None]], -1).tolist(), "inFrames": in_frames, "out": list(out),
        "root": skeleton.root, "channels": channels,
    }  # fmt: skip
    done = subprocess.run(
        ["node", tmp_path / "run.mjs"], input=json.dumps(content), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    found = np.array(json.loads(done.stdout)).reshape(wanted.shape)
    np.testing.assert_allclose(found, wanted, atol=2e-5)
