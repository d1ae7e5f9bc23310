"""Checks of which joints are seen, and whether what is seen can be a person."""

from collections.abc import Iterator

import numpy as np

from poselift.checks.body import Body
from poselift.checks.finding import Finding

FEWEST_LIMB_JOINTS = 4
"""Fewest of the twelve joints of arms and legs that some frame must show: with fewer, two limbs or more are invented in
every frame. A person seen from the side shows six, a face and shoulders above a desk two to four."""
LEAST_SIZE_PX = 2.0
"""Size of the person in pixels below which there is no figure; one of 40 pixels is lifted, though badly."""
LONGEST_GAP_S = 1.0
"""Seconds without the person from which the gap is a warning. Lifting marks gaps from a quarter of a second on."""
MANY_MISSING = 0.3
"""Share of the keypoints that are missing from which it is a warning."""


def check_extent(body: Body) -> Iterator[Finding]:
    """Yield an error if what is seen is no figure: nothing, one point, or hardly a joint of arms and legs."""
    seen = body.seen
    limbs = sorted({joint for limb in body.keypoints.skeleton.limbs for joint in limb})
    advice = "check the detector's output, and which columns of the file hold x, y and the scores"
    if not seen.any():
        yield Finding("error", "missing", "no joint is seen in any frame", "there is nobody to lift", advice)
    elif zeros := _at_zero(body, least=0.9):
        yield zeros
    elif limbs and (most := int(seen[:, limbs].sum(1).max())) < FEWEST_LIMB_JOINTS:
        yield Finding(
            "error", "missing", f"no frame shows more than {most} of the {len(limbs)} joints of arms and legs",
            "the whole figure is invented", advice,
        )  # fmt: skip
    elif not body.size_px > 0 or (body.size_px < LEAST_SIZE_PX and body.largest > LEAST_SIZE_PX):
        yield Finding(
            "error", "extent", f"the joints lie at one point: the person is {np.nan_to_num(body.size_px):.2g} pixels "
            "large", "the figure that comes out has nothing to do with the input", advice,
        )  # fmt: skip


def check_missing(body: Body) -> Iterator[Finding]:
    """Yield findings about joints that are missing, or that stand at (0, 0) and should be missing."""
    keypoints, seen = body.keypoints, body.seen
    if zeros := _at_zero(body):
        yield zeros
    ever: list[bool] = np.any(seen, axis=0).tolist()
    never = [name for name, once in zip(keypoints.skeleton.joints, ever, strict=True) if not once]
    limbs = {keypoints.skeleton.joints[joint] for limb in keypoints.skeleton.limbs for joint in limb}
    if never:
        yield Finding(
            "warning" if limbs & set(never) else "info", "missing", f"never seen: {', '.join(never)}",
            "they are made up from other joints where there is a rule, and else placed in the body's middle",
            "do nothing if they are out of the picture; lifted limbs that were not seen are guesses",
        )  # fmt: skip
    share = 1 - seen.mean()
    if share > MANY_MISSING:
        yield Finding(
            "warning", "missing", f"{100 * share:.0f} % of the keypoints are missing",
            "gaps are filled in on straight lines",
            "use a better view or detector, or cut the clip to where the person is (--gaps cut)",
        )  # fmt: skip
    first, last = _longest_run(~np.any(seen, axis=1))
    if body.rate_known and (last - first + 1) / keypoints.fps >= LONGEST_GAP_S:
        yield Finding(
            "warning", "gap",
            f"nobody is seen for {(last - first + 1) / keypoints.fps:.1f} s (frames {first}-{last})",
            "the motion in between is invented", "cut it out (--gaps cut; in Python, `poses.without_gaps()`)",
        )  # fmt: skip


def _at_zero(body: Body, least: float = 0.0) -> Finding | None:
    """Return a finding if more than a share `least` of the seen joints stands at exactly (0, 0)."""
    xy, seen = body.keypoints.xy, body.seen
    zeros = seen & (xy[..., 0] == 0) & (xy[..., 1] == 0)
    if not zeros.any() or zeros.sum() <= least * seen.sum():
        return None
    return Finding(
        "error" if zeros.mean() > 0.01 else "warning", "missing",
        f"{zeros.sum()} keypoints are seen at exactly (0, 0)",
        "joints that were missed are dragged into the picture's corner",
        "write NaN, or confidence 0, for a joint that was not seen: `xy[(xy == 0).all(-1)] = np.nan`",
    )  # fmt: skip


def _longest_run(frames: np.ndarray) -> tuple[int, int]:
    """Return the first and the last frame of the longest run of a mask (T,); (0, -1) when it is empty."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], frames, [False]]).astype(np.int8)))
    if not len(edges):
        return 0, -1
    starts, ends = edges[::2], edges[1::2]
    longest = int((ends - starts).argmax())
    return int(starts[longest]), int(ends[longest]) - 1
