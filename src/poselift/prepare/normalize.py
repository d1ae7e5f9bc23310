"""The steps that normalise keypoints; `prepare.feed` puts them together.

`calibrate` brings scores of different detectors to one scale. `fill_gaps` places unseen joints (their confidence stays
0). `person_scale` makes a window independent of resolution, aspect ratio and position in the picture; the benchmarks
use `normalize_screen` instead. All take numpy arrays or torch tensors and use only what the two share, because training
runs the same code.
"""

from typing import Any

import numpy as np

from poselift.skeleton import Skeleton

Array = Any  # numpy.ndarray or torch.Tensor

PERSON_SCALE = "person-scale"
"""Name of `person_scale` on a lifter's card: the person may be anywhere in a picture of any size."""

SCREEN = "screen"
"""Name of `normalize_screen` on a lifter's card, the benchmarks' own: position and size in the picture are kept."""

NORMALIZATIONS = (PERSON_SCALE, SCREEN)
"""Every normalisation by name."""


def calibrate(confidence: Array) -> Array:
    """Scale confidence to what this detector gives joints that it is sure of.

    One detector's best score is 0.7 and another's 1.0; divided by the median of the clip's positive scores and cut at
    1, both mean the same.

    Args:
        confidence: (*, T, J) scores of a clip, 0 where unseen; a leading axis counts clips, each with its own median.

    Returns:
        (*, T, J) in [0, 1].
    """
    *clips, frames, joints = confidence.shape
    flat = confidence.reshape(*clips, frames * joints)
    count = (flat > 0).sum(-1)[..., None]
    ranked = _sort(_where(flat > 0, flat, float("inf")))
    last = flat.shape[-1] - 1
    low, high = ((count - 1) // 2).clip(0, last), (count // 2).clip(0, last)
    middle = (_take(ranked, low) + _take(ranked, high)) / 2
    return (confidence / _where(count > 0, middle, 1.0)[..., None]).clip(None, 1)


def fill_gaps(xy: Array, confidence: Array) -> Array:
    """Place unseen joints: on the straight line in time between sightings, at the nearest sighting beyond the ends.

    A joint that is never seen in its window stands at the mean of the seen joints, frame by frame.

    Args:
        xy: (B, T, J, 2), any unit, finite.
        confidence: (B, T, J), 0 where unseen.

    Returns:
        (B, T, J, 2); equal to `xy` wherever the confidence is positive. All zeros in a window without any sighting.
    """
    seen = confidence > 0
    if not getattr(xy, "is_cuda", False) and bool(seen.all()):  # a GPU would have to be waited for
        return xy
    end = xy.shape[1] - 1
    time = _arange_like(confidence, end + 1)[None, :, None]
    before = _running_max(_where(seen, time, -1))
    after = end - _flip_time(_running_max(_flip_time(_where(seen, end - time, -1))))
    if isinstance(xy, np.ndarray):
        return _filled_where_unseen(xy, seen, before, after)
    since, until = before >= 0, after <= end  # false where there is no sighting on that side
    first = _where(since, before, after).clip(0, end)
    last = _where(until, after, before).clip(0, end)
    filled = _between(xy, first, last, ((time - first) / (last - first).clip(1, None)).clip(0, 1))
    known = since[:, -1:]  # (B, 1, J): seen at all in the window
    centre = (filled * known[..., None]).sum(2) / known.sum(2).clip(1, None)[..., None]
    filled = _where(known[..., None], filled, centre[:, :, None])
    return _where(seen[..., None], xy, filled)


def _filled_where_unseen(xy: np.ndarray, seen: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Place unseen joints as `fill_gaps` does, and spend nothing on the others.

    Args:
        xy: (B, T, J, 2).
        seen: (B, T, J) bool.
        before: (B, T, J) frame of the last sighting up to each frame; -1 if there is none.
        after: (B, T, J) frame of the next sighting from each frame on; T if there is none.
    """
    filled, (window, time, joint) = xy.copy(), np.nonzero(~seen)
    first, last = before[window, time, joint], after[window, time, joint]
    since, until = first >= 0, last < xy.shape[1]
    first, last = np.where(since, first, last), np.where(until, last, first)
    first[~(since | until)] = last[~(since | until)] = 0
    share = ((time - first) / np.maximum(last - first, 1)).clip(0, 1).astype(xy.dtype)[:, None]
    start = xy[window, first, joint]
    filled[window, time, joint] = start + (xy[window, last, joint] - start) * share
    known = (before[:, -1:] >= 0)[..., None]  # (B, 1, J, 1): seen at all in the window
    if not known.all():
        centre = (filled * known).sum(2, keepdims=True) / known.sum(2, keepdims=True).clip(1, None)
        filled = np.where(known, filled, centre)
    return filled


def fill_edges(xy: np.ndarray, confidence: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Return what `fill_gaps` returns for windows of a clip whose own gaps are filled, which is most of the work.

    A gap between two sightings of a window is filled alike in the clip. Others reach an end of the window.

    Args:
        xy: (B, T, J, 2) windows of a clip that `fill_gaps` has filled, held at the clip's ends; changed in place.
        confidence: (B, T, J), 0 where unseen or outside of the clip.
        inside: (B, T) bool, the frames within the clip, which follow each other.
    """
    ends = inside.argmax(1), inside.shape[1] - 1 - inside[:, ::-1].argmax(1)
    window = np.arange(len(xy))
    open_ended = (confidence[window, ends[0]] <= 0) | (confidence[window, ends[1]] <= 0)  # (B, J)
    window, joint = np.nonzero(open_ended)
    if not len(window):
        return xy
    seen = confidence[window, :, joint] > 0  # (N, T)
    known = seen.any(1)
    there = np.ones((len(xy), xy.shape[2]), bool)  # (B, J): seen at all in the window
    there[window[~known], joint[~known]] = False
    seen, window, joint = seen[known], window[known], joint[known]
    first, last = seen.argmax(1), seen.shape[1] - 1 - seen[:, ::-1].argmax(1)
    held = np.arange(seen.shape[1]).clip(first[:, None], last[:, None])
    xy[window, :, joint] = xy[window[:, None], held, joint[:, None]]
    if len(lacking := np.nonzero(~there.all(1))[0]):
        share = (there[lacking] / there[lacking].sum(1, keepdims=True).clip(1)).astype(xy.dtype)  # (N, J)
        number, joint = np.nonzero(~there[lacking])
        for axis in (0, 1):  # numpy is slow on axes of length 2
            mean = (xy[lacking, ..., axis] @ share[..., None])[..., 0]  # (N, T)
            xy[lacking[number], :, joint, axis] = mean[number]
    return xy


def person_scale(xy: Array, confidence: Array, skeleton: Skeleton) -> Array:
    """Normalise each window by the person's position and size.

    Every joint is relative to the root joint of its frame. The root's own slot, which would be zero, holds its path:
    the offset from its mean position in the window. Both are divided by the person's size, the root mean square
    distance of the seen joints from the root over the window.

    Args:
        xy: (B, T, J, 2) filled coordinates (`fill_gaps`), any unit.
        confidence: (B, T, J), 0 where unseen.
        skeleton: Joint order, for the root.

    Returns:
        (B, T, J, 2), unchanged when `xy` is scaled or shifted.
    """
    root = xy[:, :, skeleton.root : skeleton.root + 1]
    relative = xy - root
    seen = confidence > 0
    spread = _squares(relative, seen) / _count(seen).clip(1, None)
    path = root - window_places(xy, confidence, skeleton)[:, None, None]
    relative[:, :, skeleton.root : skeleton.root + 1] = path
    size = spread.clip(1e-12, None) ** 0.5
    return relative / size[:, None, None, None]


def person_scale_single(clip: np.ndarray, inside: np.ndarray, skeleton: Skeleton) -> np.ndarray | None:
    """Return what `fill_gaps` and `person_scale` do of one window, with the confidence beside it.

    It is for streams that lift a window for each frame: coordinates are planes (T, J), because numpy is slow on axes of
    length 2; sums are products; and joints that are never seen, since the detector does not look for them, cost next
    to nothing.

    Args:
        clip: (T, J, 3) float32 finite coordinates and confidence, which is not positive where unseen.
        inside: (T,) bool: the frame lies within the clip; the others count as unseen.
        skeleton: Joint order, for the root.

    Returns:
        (T, J, 3) float32; None where nothing is seen.
    """
    frames, joints = clip.shape[:2]
    planes = np.ascontiguousarray(clip.transpose(2, 0, 1))  # (3, T, J)
    offsets, confidence, root = planes[:2], planes[2], skeleton.root
    if not np.logical_and.reduce(inside):
        confidence *= inside[:, None]
    whole = bool(np.minimum.reduce(confidence, None) > 0)
    seen, count, present = None, frames * joints, None
    if not whole:
        seen = (confidence > 0).astype(np.float32)
        times = np.ones(frames, np.float32) @ seen  # (J,) frames in which each joint is seen
        count = int(np.add.reduce(times))
        if not count:
            return None
        if np.maximum.reduce(times) < frames:
            present = np.logical_or.reduce(seen, 1).astype(np.float32)
        known = times > 0
        partly = np.flatnonzero(known & (times < frames))
        if len(partly):
            filled = fill_gaps(clip[None, :, partly, :2], confidence[None][..., partly])[0]
            offsets[..., partly] = filled.transpose(2, 0, 1)
        if len(never := np.flatnonzero(~known)):
            centre = offsets @ known.astype(np.float32) / np.float32(joints - len(never))
            for joint in never:
                offsets[..., joint] = centre
    path = offsets[..., root].copy()  # (2, T)
    offsets -= path[..., None]
    squares = np.vdot(offsets if seen is None else offsets * seen, offsets)
    size = np.float32(max(float(squares) / count, 1e-12) ** 0.5)
    if present is None:
        present = np.ones(frames, np.float32)
    offsets[..., root] = path - (path @ present / np.add.reduce(present))[:, None]
    offsets /= size
    return np.ascontiguousarray(planes.transpose(1, 2, 0))


def person_scale_planes(clip: np.ndarray, confidence: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Return what `person_scale` does of filled windows, with the confidence beside it, in half of the time.

    Args:
        clip: (B, T, J, 3) float32 filled coordinates, and anything.
        confidence: (B, T, J) float32, 0 where unseen.
        skeleton: Joint order, for the root.

    Returns:
        (B, T, J, 3) float32.
    """
    made, root, seen = np.empty_like(clip), skeleton.root, confidence > 0
    present = seen.any(2)
    shown, squares, planes = np.count_nonzero(present, 1).clip(1), 0.0, []
    for axis in (0, 1):
        path = clip[:, :, root, axis]
        offsets = clip[..., axis] - path[..., None]  # (B, T, J): numpy is slow on axes of length 2
        square = offsets * offsets
        square *= seen
        squares = squares + square.sum((1, 2))
        offsets[..., root] = path - ((path * present).sum(1) / shown)[:, None]
        planes.append(offsets)
    size = np.sqrt(np.maximum(squares / _count(seen).clip(1), 1e-12)).astype(np.float32)[:, None, None]
    for axis, offsets in enumerate(planes):
        np.divide(offsets, size, out=made[..., axis])
    made[..., 2] = confidence
    return made


def normalize_screen(xy: Array, image_size: tuple[int, int]) -> Array:
    """Turn pixels into the benchmarks' coordinates: x from -1 to 1 across the picture, y in its scale, 0 in the middle.

    Args:
        xy: (*, 2) pixels.
        image_size: (width, height) of the picture in pixels.

    Returns:
        (*, 2).

    Source: Pavllo et al. 2019, VideoPose3D common/camera.py `normalize_screen_coordinates`.
    """
    width, height = image_size
    middle = np.asarray((1, height / width), np.float32)
    return xy * (2 / width) - (middle if isinstance(xy, np.ndarray) else xy.new_tensor(middle))


def pixels_from_screen(xy: Array, image_size: tuple[int, int]) -> Array:
    """Turn coordinates (*, 2) of `normalize_screen` back into pixels."""
    width, height = image_size
    middle = np.asarray((1, height / width), np.float32)
    return (xy + (middle if isinstance(xy, np.ndarray) else xy.new_tensor(middle))) * (width / 2)


def window_places(xy: Array, confidence: Array, skeleton: Skeleton) -> Array:
    """Return the root joint's mean position in each window, over the frames that show the person.

    Args:
        xy: (B, T, J, 2) filled coordinates (`fill_gaps`), any unit.
        confidence: (B, T, J), 0 where unseen.
        skeleton: Joint order, for the root.

    Returns:
        (B, 2) in the unit of `xy`.
    """
    present = (confidence > 0).any(2)[..., None]  # (B, T, 1)
    return (xy[:, :, skeleton.root] * present).sum(1) / present.sum(1).clip(1, None)


def _arange_like(array: Array, count: int) -> Array:
    """Return the integers 0 .. count - 1 on the array's device; in torch of 32 bits, for speed."""
    if isinstance(array, np.ndarray):
        return np.arange(count)
    import torch

    return torch.arange(count, dtype=torch.int32, device=array.device)


def _squares(offsets: Array, seen: Array) -> Array:
    """Return the sum of the squares of offsets (B, T, J, 2) where `seen` (B, T, J) is true, (B,)."""
    if not isinstance(offsets, np.ndarray):
        return (offsets**2 * seen[..., None]).sum((1, 2, 3))
    x, y = offsets[..., 0], offsets[..., 1]  # numpy is slow on axes of length 2
    squares = x * x
    squares += y * y
    squares *= seen
    return squares.sum((1, 2))


def _count(seen: Array) -> Array:
    """Return how many of (B, T, J) are true, (B,)."""
    return np.count_nonzero(seen, (1, 2)) if isinstance(seen, np.ndarray) else seen.sum((1, 2))


def _where(chosen: Array, one: Array, other: Array) -> Array:
    return np.where(chosen, one, other) if isinstance(chosen, np.ndarray) else one.where(chosen, other)


def _sort(array: Array) -> Array:
    return np.sort(array, -1) if isinstance(array, np.ndarray) else array.sort(-1).values


def _take(array: Array, index: Array) -> Array:
    """Take values by index along the last axis."""
    return np.take_along_axis(array, index, -1) if isinstance(array, np.ndarray) else array.gather(-1, index)


def _running_max(index: Array) -> Array:
    return np.maximum.accumulate(index, 1) if isinstance(index, np.ndarray) else index.cummax(1).values


def _flip_time(array: Array) -> Array:
    return array[:, ::-1] if isinstance(array, np.ndarray) else array.flip(1)


def _between(xy: Array, first: Array, last: Array, share: Array) -> Array:
    """Interpolate tensors (B, T, J, 2) between each joint's frames `first` and `last`, at `share` of the way."""
    start, stop = (xy.gather(1, index.long()[..., None].expand_as(xy)) for index in (first, last))
    return start + (stop - start) * share[..., None]
