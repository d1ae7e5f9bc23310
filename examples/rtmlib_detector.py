"""Another detector: RTMPose with feet by rtmlib, in place of the package's own. Needs `pip install rtmlib onnxruntime`.

    python examples/rtmlib_detector.py clip.mp4 out

rtmlib fetches its networks when it is used for the first time. docs/detectors.md says what a detector must do.
"""

import sys

import numpy as np
import rtmlib

import poselift as pl
from poselift.detect import detect_video


class RtmlibDetector:
    """Finds everybody in each frame; people are detected anew every time."""

    skeleton = pl.HALPE_26

    def __init__(self, mode: str = "balanced", device: str = "cpu") -> None:
        self._body = rtmlib.BodyWithFeet(mode=mode, backend="onnxruntime", device=device)

    def __call__(self, rgb: np.ndarray, time_s: float) -> np.ndarray:
        """Return (P, 26, 3): x and y in pixels, confidence."""
        bgr = np.ascontiguousarray(rgb[..., ::-1])
        boxes = self._body.det_model(bgr)
        if not len(boxes):  # rtmlib would look for somebody in the whole picture
            return np.zeros((0, len(self.skeleton), 3), np.float32)
        xy, scores = self._body.pose_model(bgr, bboxes=boxes)
        return np.concatenate([xy, np.clip(scores, 0, 1)[..., None]], -1).astype(np.float32)


if __name__ == "__main__":
    clip, out = sys.argv[1:]
    for number, person in enumerate(detect_video(clip, detector=RtmlibDetector())):
        pl.save_poses(pl.lift(person), f"{out}/person{number}.npz")
