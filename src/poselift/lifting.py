"""The inference path, top to bottom: one person's 2D keypoints to 3D motion.

convert -> repair swapped sides -> resample -> calibrate confidence -> windows -> normalise -> lifter (and its mirror
image) -> blend and stitch -> resample back
"""

from collections.abc import Callable

import numpy as np

from poselift.errors import DetectionError, ShapeError
from poselift.lifters.contract import Lifter, check_lifter
from poselift.lifters.load import AUTO, load_lifter
from poselift.prepare.convert import convert
from poselift.prepare.flip import flip
from poselift.prepare.normalize import PERSON_SCALE, calibrate, normalize_windows
from poselift.prepare.resample import resample_keypoints, resample_poses
from poselift.prepare.swaps import repair_swaps
from poselift.prepare.window import Windows, blend_seams, cut
from poselift.sequence import Keypoints2D, Poses3D, expect_keypoints

BATCH = 64
"""Windows lifted at a time; more is not faster on a laptop and takes memory."""


def lift(
    keypoints: Keypoints2D,
    lifter: Lifter | None = None,
    *,
    flip_average: bool = False,
    repair: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> Poses3D:
    """Lift one person's keypoints to 3D.

    Args:
        keypoints: Any skeleton that has the limbs, any frame rate, any length from one frame; unseen joints welcome.
        lifter: The network; when None, the shipped weights that suit the clip (`poselift.lifters.choose`).
        flip_average: Lift the mirror image too and average: a little better, twice the time.
        repair: Undo short exchanges of left and right first (`poselift.prepare.swaps`).
        progress: Called with (frames done, frames in all) now and then.

    Returns:
        As many poses as there are keypoint frames, at the same rate: metres, relative to the pelvis, in the axes of a
        camera that looks straight at the person (x right, y down, z away); of the camera itself for weights made with
        the benchmarks' `SCREEN` normalisation.

    Raises:
        KindError: `keypoints` is an array, several people, or something else.
        FormatError: The weights need the picture's size, and the keypoints come without.
        SkeletonError: The keypoints lack joints that cannot be made up.
        DetectionError: No joint was seen in any frame.
        ShapeError: The lifter's result has another shape than it announces, or is not finite.
    """
    expect_keypoints(keypoints)
    lifter = lifter or load_lifter(AUTO, fps=keypoints.fps, length=len(keypoints))
    check_lifter(lifter)
    source = convert(keypoints, lifter.skeleton)
    if not source.seen.any():
        raise DetectionError("no joint was seen in any frame: there is nobody to lift; check the detector's output")
    source = resample_keypoints(repair_swaps(source) if repair else source, lifter.fps)
    windows = cut(len(source), lifter.in_frames, lifter.out_frames)
    seen = source.seen
    xy = np.where(seen[..., None], source.xy, np.float32(0))
    confidence = seen.astype(np.float32) if source.confidence is None else calibrate(source.confidence * seen)
    chunks = []
    for start in range(0, len(windows.index), BATCH):
        chosen = slice(start, start + BATCH)
        inputs = _windows(xy, confidence, windows, chosen, lifter, keypoints.image_size)
        chunks.append(_run(lifter, inputs, flip_average))
        if progress:
            progress(min((start + BATCH) * len(lifter.out_frames), len(source)), len(source))
    joints = blend_seams(np.concatenate(chunks), len(source))
    poses = Poses3D(windows.stitch(joints), lifter.skeleton, lifter.fps)
    return resample_poses(poses, keypoints.fps, len(keypoints))


def _windows(
    xy: np.ndarray,
    confidence: np.ndarray,
    windows: Windows,
    chosen: slice,
    lifter: Lifter,
    image_size: tuple[int, int] | None,
) -> np.ndarray:
    """(B, T, J, C) normalised input of some windows. Places beyond the clip's ends count as unseen."""
    index, inside = windows.index[chosen], windows.inside[chosen]
    normalization = getattr(lifter, "normalization", PERSON_SCALE)
    seen = confidence[index] * inside[..., None]
    return normalize_windows(xy[index], seen, lifter.skeleton, lifter.in_channels, normalization, image_size)


def _run(lifter: Lifter, inputs: np.ndarray, flip_average: bool) -> np.ndarray:
    """(B, S, J, 3) joints, root exactly at zero."""
    joints = lifter(inputs)
    wanted = (len(inputs), len(lifter.out_frames), len(lifter.skeleton), 3)
    if joints.shape != wanted:
        raise ShapeError(f"wanted joints {wanted} from {type(lifter).__name__}, got {joints.shape}")
    if flip_average:
        joints = (joints + flip(lifter(flip(inputs, lifter.skeleton)), lifter.skeleton)) / 2
    root = lifter.skeleton.root
    return joints - joints[:, :, root : root + 1]
