"""True joint orders pass from every side; false ones are noticed."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from poselift.errors import SkeletonError
from poselift.formats.order import (
    _distances,
    _gains,
    _shortest_tree,
    candidates,
    check_order,
    identify_skeleton,
    order_gain,
    order_score,
)
from poselift.sequence import Keypoints2D
from poselift.skeleton import BODY_25, BODY_25B, COCO_17, H36M_17, HALPE_26, HUMANEVA_15, MPI_INF_3DHP_17, Skeleton

pytestmark = pytest.mark.shared

_JHMDB_AS_H36M = {"neck": "thorax", "belly": "spine", "face": "nose"}
_ENDS = ("right_wrist", "left_wrist", "right_ankle", "left_ankle")


@pytest.fixture(scope="module")
def mocap(shared: Path) -> tuple[np.ndarray, np.ndarray]:
    """(N, 17, 3) mocap poses in H36M_17 order, y up, and the offsets of the clips."""
    with np.load(shared / "data" / "mocap17.npz") as archive:
        return archive["pose"], archive["offsets"]


@pytest.fixture(scope="module")
def openpose(shared: Path) -> dict[str, np.ndarray]:
    """Real detections: BODY_25B, and H36M_17 made from them; (cameras, T, J, 2), NaN unseen."""
    with np.load(shared / "data" / "pose2sim_cams_1_3.npz") as archive:
        arrays = {name: archive[name] for name in ("kp2d_body25b", "kp2d17")}
    return {name: np.where(array[..., 2:] > 0, array[..., :2], np.nan) for name, array in arrays.items()}


def clip(mocap: tuple[np.ndarray, np.ndarray], rng: np.random.Generator, frames: int) -> np.ndarray:
    poses, offsets = mocap
    which = rng.integers(len(offsets) - 1)
    start = rng.integers(offsets[which], max(offsets[which] + 1, offsets[which + 1] - frames))
    return poses[start : min(start + frames, offsets[which + 1])].astype(np.float32)


def seen_from(points: np.ndarray, rng: np.random.Generator, *, anywhere: bool) -> np.ndarray:
    """Pixels of points (y up) from a random side; `anywhere`: also from above and below, upside down."""
    turn = Rotation.from_euler("y", rng.uniform(-180, 180), degrees=True)
    spread = rng.uniform(-180, 180, 2) if anywhere else rng.normal(0, (12, 5))
    points = (Rotation.from_euler("xz", spread, degrees=True) * turn).apply(points.reshape(-1, 3)).reshape(points.shape)
    depth = rng.uniform(2.5, 8) - points[..., 2:]
    return 1000 * points[..., :2] * (1, -1) / depth + (960, 540) + rng.normal(0, 3, (*points.shape[:2], 2))


def as_coco(poses: np.ndarray) -> np.ndarray:
    """COCO joints of H36M_17 poses, with a face made up between nose and head top."""

    def joint(name: str) -> np.ndarray:
        return poses[:, H36M_17.index(name)]

    def unit(vector: np.ndarray) -> np.ndarray:
        return vector / np.maximum(np.linalg.norm(vector, axis=-1, keepdims=True), 1e-6)

    left = unit(joint("left_shoulder") - joint("right_shoulder"))
    ahead = unit(np.cross(left, unit(joint("head_top") - joint("thorax"))))
    face = {"nose": joint("nose") + 0.09 * ahead}
    for side, sign in (("left", 1), ("right", -1)):
        eyes = joint("nose") + 0.3 * (joint("head_top") - joint("nose"))
        face[f"{side}_eye"] = eyes + 0.08 * ahead + 0.03 * sign * left
        face[f"{side}_ear"] = eyes - 0.02 * ahead + 0.075 * sign * left
    return np.stack([face[name] if name in face else joint(name) for name in COCO_17.joints], 1)


def reorder(array: np.ndarray, source: Skeleton, target: Skeleton, **same: str) -> np.ndarray:
    """(..., J, C) in another order; joints that `source` lacks are NaN."""
    out = np.full((*array.shape[:-2], len(target), array.shape[-1]), np.nan)
    for place, name in enumerate(target.joints):
        name = same.get(name, name)
        if name in source:
            out[..., place, :] = array[..., source.index(name), :]
    return out


def message(xy: np.ndarray, skeleton: Skeleton) -> str | None:
    return check_order(Keypoints2D(xy, None, skeleton, 50))


def test_mocap_from_anywhere_never_alarms(mocap: tuple[np.ndarray, np.ndarray]) -> None:
    rng = np.random.default_rng(1)
    for trial in range(250):
        poses = clip(mocap, rng, (1, 1, 60)[trial % 3])
        xy = seen_from(poses, rng, anywhere=trial % 2 == 0)
        if trial % 5 == 0:
            xy[rng.random(xy.shape[:2]) < 0.4] = np.nan
        assert message(xy, H36M_17) is None, trial
        assert message(seen_from(as_coco(poses), rng, anywhere=trial % 2 == 0), COCO_17) is None, trial


def test_mocap_in_a_wrong_order_is_noticed(mocap: tuple[np.ndarray, np.ndarray]) -> None:
    rng = np.random.default_rng(2)
    noticed, claims = 0, 0
    for _ in range(40):
        poses = clip(mocap, rng, 60)
        h36m, coco = seen_from(poses, rng, anywhere=False), seen_from(as_coco(poses), rng, anywhere=False)
        for xy, true in ((h36m, H36M_17), (coco, COCO_17)):
            for claimed in set(candidates(17)) - {true}:
                said = message(xy, claimed)
                noticed, claims = noticed + (said is not None and said.endswith(true.name)), claims + 1
    assert claims == 160
    assert noticed >= 155


def test_mocap_is_told(mocap: tuple[np.ndarray, np.ndarray]) -> None:
    rng = np.random.default_rng(3)
    same = {"head": "nose", "neck": "thorax"}
    for _ in range(40):
        poses = clip(mocap, rng, 60)
        mpi = reorder(poses, H36M_17, MPI_INF_3DHP_17, **same)
        for points, true in ((poses, H36M_17), (as_coco(poses), COCO_17), (mpi, MPI_INF_3DHP_17)):
            assert identify_skeleton(seen_from(points, rng, anywhere=False), "clip", candidates(17)) is true


@pytest.mark.parametrize("frames", [1, 5, 100])
@pytest.mark.parametrize("camera", [0, 1])
def test_real_detections_are_told(openpose: dict[str, np.ndarray], camera: int, frames: int) -> None:
    body_25b = openpose["kp2d_body25b"][camera, :frames]
    body_25 = reorder(body_25b, BODY_25B, BODY_25, neck="upper_neck")
    body_25[:, BODY_25.index("pelvis")] = body_25[:, BODY_25.indices(["left_hip", "right_hip"])].mean(1)
    assert identify_skeleton(body_25b, "clip", (BODY_25, BODY_25B)) is BODY_25B
    assert identify_skeleton(body_25, "clip", (BODY_25, BODY_25B)) is BODY_25
    assert identify_skeleton(openpose["kp2d17"][camera, :frames], "clip", candidates(17)) is H36M_17
    assert message(body_25b, BODY_25B) is None
    assert message(body_25, BODY_25) is None
    assert message(openpose["kp2d17"][camera, :frames], H36M_17) is None
    assert "BODY_25B" in (message(body_25b, BODY_25) or "")
    assert "look like BODY_25" in (message(body_25, BODY_25B) or "")
    assert "COCO_17" in (message(body_25b[:, : len(COCO_17)], H36M_17) or "")


def test_an_upper_body_is_enough(openpose: dict[str, np.ndarray]) -> None:
    xy = openpose["kp2d_body25b"][0].copy()
    legs = [
        j for j, name in enumerate(BODY_25B.joints) if any(part in name for part in ("knee", "ankle", "toe", "heel"))
    ]
    xy[:, legs] = np.nan
    assert identify_skeleton(xy, "clip", (BODY_25, BODY_25B)) is BODY_25B


def test_shuffled_joints_fit_nothing(openpose: dict[str, np.ndarray]) -> None:
    shuffled = openpose["kp2d_body25b"][0][:, np.random.default_rng(5).permutation(25)]
    with pytest.raises(SkeletonError, match="--skeleton"):
        identify_skeleton(shuffled, "clip.json", (BODY_25, BODY_25B))
    halpe = np.concatenate([shuffled, shuffled[:, :1]], axis=1)
    assert "do not look like a person" in (message(halpe, HALPE_26) or "")
    with pytest.raises(SkeletonError, match=r"clip.json.*HALPE_26"):
        identify_skeleton(halpe, "clip.json", (HALPE_26,))


def test_scale_place_and_turns_in_the_picture_do_not_matter(openpose: dict[str, np.ndarray]) -> None:
    xy = openpose["kp2d17"][0]
    turned = xy @ np.array([[0.0, 1.0], [-1.0, 0.0]]) * 1e-3 + 7
    assert order_score(turned, H36M_17) == pytest.approx(order_score(xy, H36M_17), abs=1e-6)


@pytest.mark.parametrize("seen", [0, 1, 10])
def test_too_few_joints_say_nothing(openpose: dict[str, np.ndarray], seen: int) -> None:
    xy = openpose["kp2d17"][0].copy()
    xy[:, seen:] = np.nan
    assert np.isnan(order_score(xy, COCO_17))
    assert message(xy, COCO_17) is None
    with pytest.raises(SkeletonError, match="H36M_17, COCO_17, MPI_INF_3DHP_17"):
        identify_skeleton(xy, "clip", candidates(17))


def test_a_single_candidate_must_look_like_a_person(openpose: dict[str, np.ndarray]) -> None:
    """JHMDB has 15 joints too, in another order than HumanEva."""
    h36m = openpose["kp2d17"][0]
    names = (
        "neck belly face right_shoulder left_shoulder right_hip left_hip right_elbow left_elbow right_knee left_knee"
    )
    jhmdb = h36m[:, [H36M_17.index(_JHMDB_AS_H36M.get(name, name)) for name in (*names.split(), *_ENDS)]]
    with pytest.raises(SkeletonError, match="15 joints can be HUMANEVA_15, and these keypoints do not show that"):
        identify_skeleton(jhmdb, "clip", (HUMANEVA_15,))
    humaneva = reorder(h36m, H36M_17, HUMANEVA_15, head="head_top")
    assert identify_skeleton(humaneva, "clip", (HUMANEVA_15,)) is HUMANEVA_15
    humaneva[:, 5:] = np.nan
    with pytest.raises(SkeletonError, match="do not show that they are; name their skeleton with --skeleton"):
        identify_skeleton(humaneva, "clip", (HUMANEVA_15,))


def test_all_joints_in_one_point_say_nothing() -> None:
    assert message(np.full((4, 17, 2), 5.0), H36M_17) is None


def test_a_skeleton_of_unknown_joints_says_nothing() -> None:
    skeleton = Skeleton("tail", tuple(f"link_{i}" for i in range(20)), tuple(range(-1, 19)))
    assert message(np.random.default_rng(0).normal(size=(3, 20, 2)), skeleton) is None


def test_no_other_order_makes_mocap_much_more_of_a_person(mocap: tuple[np.ndarray, np.ndarray]) -> None:
    rng = np.random.default_rng(4)
    shuffled = []
    for trial in range(40):
        poses = clip(mocap, rng, 60)
        for points, skeleton in ((poses, H36M_17), (as_coco(poses), COCO_17)):
            usual, odd = (seen_from(points, rng, anywhere=anywhere) for anywhere in (False, True))
            assert 0 <= order_gain(usual, skeleton) < 0.35, trial
            assert 0 <= order_gain(odd, skeleton) < 0.6, trial
            shuffled.append(order_gain(usual[:, rng.permutation(17)], skeleton))
    assert np.mean(np.array(shuffled) > 0.4) > 0.95
    assert np.mean(np.array(shuffled) > 0.6) > 0.85


def test_the_gain_of_too_few_or_coinciding_joints_is_unknown(openpose: dict[str, np.ndarray]) -> None:
    xy = openpose["kp2d17"][0].copy()
    assert order_gain(xy, H36M_17) < 0.2
    xy[:, 10:] = np.nan
    assert np.isnan(order_gain(xy, H36M_17))
    assert np.isnan(order_gain(np.full((4, 17, 2), 5.0), H36M_17))


def test_shortest_trees_by_hand():
    places = np.array([0.0, 1, 3, 10])
    distances = np.abs(places[:, None] - places)
    assert sorted(_shortest_tree(distances)) == [1, 2, 7]
    distances[:2, 2:] = distances[2:, :2] = np.nan  # two pairs that are never seen together
    assert sorted(_shortest_tree(distances)) == [1, 7]


def test_the_gain_is_that_of_the_correlation():
    """Of all exchanges of two joints, each correlation computed in full."""
    rng = np.random.default_rng(0)
    distances, expected = (_distances(rng.normal(0, 1, (3, 6, 2))) for _ in range(2))
    upper = np.triu_indices(6, 1)

    def likeness(order: list[int]) -> float:
        return float(np.corrcoef(distances[np.ix_(order, order)][upper], expected[upper])[0, 1])

    scale = 15 * distances[upper].std() * expected[upper].std()
    for a, b in zip(*upper, strict=True):
        order = list(range(6))
        order[a], order[b] = b, a
        assert _gains(distances, expected)[a, b] / scale == pytest.approx(likeness(order) - likeness(list(range(6))))
