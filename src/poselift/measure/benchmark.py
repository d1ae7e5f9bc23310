"""Evaluation on the benchmarks: any lifter, data set and protocol; results per joint, action and subject.

windows of a clip -> normalise -> lifter (and its mirror image) -> errors of each frame and joint -> sums by cell (one
recording of one subject) -> the protocol's averages. Nothing larger than a clip is held in memory at once.

As in the papers, and unlike `poselift.lift`, keypoints are neither repaired nor resampled, and the seams between the
lifter's windows are not blended.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from poselift.datasets.clip import BenchmarkClip, BenchmarkSet
from poselift.errors import DatasetError, RecipeError
from poselift.lifters.contract import Lifter, check_lifter, frame_of
from poselift.lifting import run_lifter, turn_to
from poselift.measure.comparison import compare_joints
from poselift.measure.metrics import (
    AUC_THRESHOLDS_MM,
    acceleration_error,
    auc,
    bone_length_error,
    mpjpe,
    mpjve,
    n_mpjpe,
    p_mpjpe,
    pck,
)
from poselift.measure.protocols import BenchmarkProtocol
from poselift.measure.scores import UNITS, Scores, lifter_name
from poselift.measure.tally import BatchMeans, Cell, Tally
from poselift.prepare.convert import convert
from poselift.prepare.feed import Feed
from poselift.sequence import CAMERA, TURNED_CAMERA, Keypoints2D
from poselift.skeleton import Skeleton

BATCH = 256
"""Number of windows lifted at a time."""


def evaluate_benchmark(
    lifter: Lifter,
    dataset: BenchmarkSet,
    protocol: BenchmarkProtocol,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Scores:
    """Lift every clip and compare the frames that are scored with the truth.

    A `SCREEN` lifter answers in camera axes. A `PERSON_SCALE` lifter answers in the axes of a camera that looks
    straight at the person; its answer is turned by the direction to the true pelvis, which stands in for the camera's
    calibration. Unseen keypoints are filled in as in `poselift.lift`, and counted.

    If the lifter's skeleton is not that of the 3D joints, the joints that both have are compared, relative to their own
    root (`poselift.measure.comparison`).

    Args:
        lifter: Any lifter that shares joints with the data set; its frame rate is ignored.
        dataset: The clips.
        protocol: Every choice.
        progress: Called with (clips done, clips in all).

    Raises:
        DatasetError: No clips or frames to score, or clips of several skeletons, without a picture's size, or in which
            nobody is seen.
        RecipeError: The protocol cuts clips and the lifter does not yield every frame of its window.
        ShapeError: The lifter's result has another shape than it announces, or is not finite.
        SkeletonError: Lifter and data set share too few joints, the protocol names joints that are not compared, or the
            keypoints cannot be converted.
    """
    clips = _clips(lifter, dataset, protocol)
    comparison = compare_joints(lifter.skeleton, clips[0].skeleton)
    if comparison.moves_root and protocol.root != "left out":
        protocol = replace(protocol, root="moved")
    tally = _tally(comparison.skeleton, protocol)
    batches = BatchMeans(tally, "p_mpjpe", protocol.batch) if protocol.p_mpjpe == "mean of batch" else None
    frames, filled = 0, 0
    for done, clip in enumerate(clips, 1):
        keypoints = convert(clip.keypoints, lifter.skeleton)
        clip = replace(clip, xyz=comparison.of_truth(clip.xyz), skeleton=comparison.skeleton)
        index, joints = _predict(lifter, clip, keypoints, protocol)
        errors = _errors(comparison.of_lifter(joints), clip, index, protocol)
        _count(tally, batches, clip, errors, protocol)
        frames, filled = frames + len(index), filled + int((~keypoints.seen).sum())
        if progress:
            progress(done, len(clips))
    if batches:
        batches.close()
    if frames == 0:
        raise DatasetError(f"{dataset.name}: none of its frames is valid, so there is nothing to score")
    choices = _choices(lifter, dataset, protocol, clips) | comparison.choices
    return _scores(lifter, dataset, clips, choices, tally, {"frames": frames, "filled_keypoints": filled})


def _count(
    tally: Tally,
    batches: BatchMeans | None,
    clip: BenchmarkClip,
    errors: dict[str, np.ndarray],
    protocol: BenchmarkProtocol,
) -> None:
    """Add a clip's errors to the tally, those that go through batches by way of them."""
    cell = Cell(clip.subject, clip.action, clip.sequence)
    for name, found in errors.items():
        if name == "p_mpjpe" and batches:
            batches.add(cell, found)
        else:
            moving = name in ("mpjve", "acceleration") and protocol.velocity_weight == "frames"
            tally.add(cell, name, found, weight=len(errors["mpjpe"]) if moving else None)


def _clips(lifter: Lifter, dataset: BenchmarkSet, protocol: BenchmarkProtocol) -> list[BenchmarkClip]:
    """Return the clips to evaluate; check that lifter and protocol suit them."""
    check_lifter(lifter)
    clips = [clip for clip in dataset.clips if (clip.subject, clip.sequence) not in protocol.drop]
    if not clips:
        raise DatasetError(
            f"{dataset.name} has no clips to evaluate ({len(dataset.clips)} before the protocol's drops)"
        )
    for clip in clips:
        where = f"{dataset.name}: {clip.subject} {clip.sequence} {clip.camera}"
        if clip.skeleton != clips[0].skeleton:
            names = f"{clips[0].skeleton.name}, as in the first clip, got {clip.skeleton.name}"
            raise DatasetError(f"{where}: wanted 3D joints of {names}; measure the two apart")
        if frame_of(lifter) == CAMERA and clip.keypoints.image_size is None:
            raise DatasetError(f"{where}: the lifter needs the picture's size; give the keypoints an image_size")
        if not clip.keypoints.seen.any():
            raise DatasetError(f"{where}: no keypoint was seen in any frame; drop this sequence")
    if protocol.frames == "clips" and tuple(lifter.out_frames) != tuple(range(lifter.in_frames)):
        raise RecipeError(
            "frames='clips' is for lifters that yield every frame of their window; use 'centre' or 'dense'"
        )
    return clips


def _predict(
    lifter: Lifter, clip: BenchmarkClip, keypoints: Keypoints2D, protocol: BenchmarkProtocol
) -> tuple[np.ndarray, np.ndarray]:
    """Return the scored frames (N,), in time order except those that count twice, and their joints (N, J, 3)."""
    starts, places = _windows(clip, lifter, protocol)
    frames = (starts[:, None] + places).ravel()
    within = frames < len(clip) if protocol.frames == "dense" else np.ones(len(frames), bool)
    frames = frames.clip(0, len(clip) - 1)
    scored = within & clip.valid[frames]
    if not scored.any():
        return frames[:0], np.zeros((0, len(lifter.skeleton), 3))
    kept = [lifter.out_frames.index(place) for place in places.tolist()]
    parts = [
        run_lifter(lifter, inputs, protocol.flip_average).joints[:, kept] @ turn
        for inputs, turn in _inputs(lifter, clip, keypoints, starts)
    ]
    return frames[scored], np.concatenate(parts).reshape(-1, len(lifter.skeleton), 3)[scored]


def _windows(clip: BenchmarkClip, lifter: Lifter, protocol: BenchmarkProtocol) -> tuple[np.ndarray, np.ndarray]:
    """Return the first frame of each window (W,), possibly beyond the clip's ends, and the places kept in each."""
    places, size = np.asarray(lifter.out_frames), lifter.in_frames
    if protocol.frames == "centre":
        place = places[len(places) // 2]
        return np.flatnonzero(clip.valid) - place, place[None]
    if protocol.frames == "dense":
        return np.arange(0, len(clip), len(places)) - places[0], places
    starts = np.arange(0, max(len(clip) - size, 0) + 1, size)
    if len(clip) > size and len(clip) % size:
        starts = np.append(starts, len(clip) - size)
    return starts, places


def _inputs(
    lifter: Lifter, clip: BenchmarkClip, keypoints: Keypoints2D, starts: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield batches of the lifter's input (B, T, J, C), with matrices (B, 1, 3, 3) that turn the rows of its answer."""
    feed = Feed.of(lifter)
    frames, root = feed.filled_clip(keypoints), clip.xyz[:, clip.skeleton.root]
    straight = frame_of(lifter) == TURNED_CAMERA
    for begin in range(0, len(starts), BATCH):
        index = starts[begin : begin + BATCH, None] + np.arange(lifter.in_frames)
        held = index.clip(0, len(clip) - 1)
        turn = turn_to(root[held].mean(1)) if straight else np.broadcast_to(np.eye(3), (len(held), 1, 3, 3))
        yield feed.windows(frames[held], index == held, filled=True), turn.swapaxes(-1, -2)


def _errors(
    joints: np.ndarray, clip: BenchmarkClip, index: np.ndarray, protocol: BenchmarkProtocol
) -> dict[str, np.ndarray]:
    """Return the errors of each metric (frames, steps or accelerations; joints or bones), in `UNITS`."""
    skeleton, root = clip.skeleton, clip.skeleton.root
    truth = 1000 * clip.xyz[index].astype(np.float64)
    truth -= truth[:, root : root + 1].copy()
    pred = 1000 * joints.astype(np.float64)
    if protocol.root == "zeroed":
        pred[:, root] = 0
    elif protocol.root == "moved":
        pred -= pred[:, root : root + 1].copy()
    scored = list(skeleton.indices(protocol.scored_joints(skeleton)))
    correct = list(skeleton.indices(protocol.correct_joints(skeleton)))
    if protocol.scale == "oracle":
        own, true = pred[:, scored], truth[:, scored]
        pred *= ((own * true).sum((1, 2)) / np.maximum((own**2).sum((1, 2)), 1e-12))[:, None, None]
    if protocol.frames == "clips":  # one clip after the other, with the jumps where they meet
        follows = np.ones(len(index), bool)
    else:
        follows = np.diff(index, prepend=-2) == 1
    own, true = pred[:, scored], truth[:, scored]
    return {
        "mpjpe": mpjpe(own, true),
        "p_mpjpe": p_mpjpe(own, true),
        "n_mpjpe": n_mpjpe(own, true),
        "mpjve": mpjve(own, true)[follows[1:]],
        "acceleration": acceleration_error(own, true)[follows[2:] & follows[1:-1]],
        "bone_length": bone_length_error(pred, truth, skeleton) if skeleton.bones else np.zeros((0, 0)),
        "pck": 100 * pck(pred[:, correct], truth[:, correct], protocol.pck_threshold_mm),
        "auc": 100 * auc(pred[:, correct], truth[:, correct], AUC_THRESHOLDS_MM[protocol.auc_thresholds]),
    }


def _tally(skeleton: Skeleton, protocol: BenchmarkProtocol) -> Tally:
    scored = protocol.scored_joints(skeleton)
    bones = tuple(skeleton.joints[child] for _, child in skeleton.bones)
    columns = dict.fromkeys(UNITS, scored)
    correct = protocol.correct_joints(skeleton)
    return Tally(columns | {"bone_length": bones, "pck": correct, "auc": correct}, protocol.average)


def _scores(
    lifter: Lifter,
    dataset: BenchmarkSet,
    clips: list[BenchmarkClip],
    choices: dict[str, Any],
    tally: Tally,
    counts: dict[str, int],
) -> Scores:
    counts = {
        "clips": len(clips),
        "sequences": len({(clip.subject, clip.sequence) for clip in clips}),
        "subjects": len({clip.subject for clip in clips}),
        "actions": len({clip.action for clip in clips}),
    } | counts
    return Scores(
        lifter=lifter_name(lifter),
        dataset=dataset.name,
        choices=choices,
        counts=counts,
        remarks=_remarks(lifter, dataset, clips, counts),
        mean=tally.means(),
        per_joint=tally.per_joint(),
        per_action=tally.table(lambda cell: cell.action),
        per_subject=tally.table(lambda cell: cell.subject),
        per_sequence=tally.table(lambda cell: f"{cell.subject} {cell.sequence}"),
        per_cell=tally.table(lambda cell: f"{cell.subject} {cell.action}"),
    )


def _choices(
    lifter: Lifter, dataset: BenchmarkSet, protocol: BenchmarkProtocol, clips: list[BenchmarkClip]
) -> dict[str, Any]:
    """Return everything that changes the numbers."""
    made = asdict(protocol)
    if protocol.p_mpjpe == "each frame":
        del made["batch"]
    names = sorted({clip.keypoints.skeleton.name for clip in clips})
    made["keypoints"] = " and ".join(
        name if name == lifter.skeleton.name else f"{name} converted to {lifter.skeleton.name}" for name in names
    )
    straight = frame_of(lifter) == TURNED_CAMERA
    made["axes"] = "turned by the direction to the true pelvis" if straight else "the camera's"
    return made | {f"data: {key}": value for key, value in dataset.notes.items()}


def _remarks(
    lifter: Lifter, dataset: BenchmarkSet, clips: list[BenchmarkClip], counts: dict[str, int]
) -> tuple[str, ...]:
    found = []
    rates = sorted({clip.keypoints.fps for clip in clips} - {lifter.fps})
    if rates:
        found.append(
            f"the lifter is for {lifter.fps:g} fps and the data has {', '.join(f'{rate:g}' for rate in rates)}; "
            "nothing was resampled"
        )
    if counts["filled_keypoints"]:
        found.append(f"{counts['filled_keypoints']} keypoints were unseen and were filled in")
    if dropped := len(dataset.clips) - len(clips):
        found.append(f"{dropped} clips were dropped by the protocol")
    return tuple(found)
