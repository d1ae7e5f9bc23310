"""The benchmarks' evaluation against hand-worked cases and an independent statement, one frame at a time."""

import dataclasses
import json
from dataclasses import dataclass, field

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from poselift.datasets.clip import BenchmarkClip, BenchmarkSet
from poselift.errors import DatasetError, RecipeError, ShapeError, SkeletonError
from poselift.measure.benchmark import evaluate_benchmark
from poselift.measure.protocols import (
    BenchmarkProtocol,
    humaneva,
    mixste,
    p_stmo_3dhp,
    posessm,
    posessm_3dhp,
    videopose3d,
)
from poselift.measure.scores import UNITS, Scores
from poselift.sequence import Keypoints2D
from poselift.skeleton import COCO_17, H36M_17, HUMANEVA_15, Skeleton

PLAIN = BenchmarkProtocol()
SIZE = (1000, 1002)
STEP = 0.25  # pixels between the frames' numbers


def body(frames: int, seed: int, skeleton: Skeleton = H36M_17) -> np.ndarray:
    """(frames, J, 3) metres in front of a camera, moving."""
    rng = np.random.default_rng(seed)
    xyz = rng.normal(0, 0.3, (1, len(skeleton), 3)) + 0.05 * rng.normal(size=(frames, len(skeleton), 3)).cumsum(0)
    return (xyz + (0.3, -0.2, 4)).astype(np.float32)


def clip(
    frames: int,
    number: int = 0,
    *,
    subject: str = "S9",
    sequence: str = "Walking 1",
    camera: str = "c",
    valid: np.ndarray | None = None,
    skeleton: Skeleton = H36M_17,
) -> BenchmarkClip:
    """A clip whose frames are numbered from `number` on, in the y of its keypoints; x says left of the middle."""
    xy = np.zeros((frames, len(skeleton), 2), np.float32)
    xy[..., 0], xy[..., 1] = 250, STEP * (number + np.arange(frames))[:, None]
    keypoints = Keypoints2D(xy, None, skeleton, 50.0, SIZE)
    valid = np.ones(frames, bool) if valid is None else valid
    xyz = body(frames, number, skeleton)
    return BenchmarkClip(subject, sequence.split(" ")[0], sequence, camera, keypoints, xyz, skeleton, valid)


def numbered(*parts: tuple[str, str, int], **kind) -> BenchmarkSet:
    """Clips of (subject, sequence, frames), numbered through."""
    clips: list[BenchmarkClip] = []
    for subject, sequence, frames in parts:
        clips.append(clip(frames, sum(map(len, clips)), subject=subject, sequence=sequence, **kind))
    return BenchmarkSet("made up", clips, {"2D keypoints": "none"})


def truth(dataset: BenchmarkSet) -> np.ndarray:
    """(N, J, 3) metres relative to the root, clip after clip: what the frame numbers count."""
    return np.concatenate([c.xyz - c.xyz[:, c.skeleton.root, None] for c in dataset.clips])


@dataclass
class Teller:
    """A lifter of the benchmarks' coordinates that reads the frame's number and gives the answer that belongs to it."""

    answers: np.ndarray
    in_frames: int = 9
    out_frames: tuple[int, ...] = (4,)
    skeleton: Skeleton = H36M_17
    fps: float = 50.0
    in_channels: int = 2
    normalization: str = "screen"
    mirrored: np.ndarray | None = None
    windows: list[np.ndarray] = field(default_factory=list)

    def __call__(self, windows: np.ndarray) -> np.ndarray:
        width, height = SIZE
        assert windows.dtype == np.float32 and windows.shape[1:] == (self.in_frames, len(self.skeleton), 2)
        frames = np.rint((windows[..., 0, 1].astype(float) + height / width) * width / 2 / STEP).astype(int)
        flipped = windows[0, 0, 0, 0] > 0
        np.testing.assert_allclose(windows[..., 0], 0.5 if flipped else 2 * 250 / width - 1)
        if not flipped:
            self.windows.append(frames)
        answers = self.answers if not flipped or self.mirrored is None else self.mirrored
        answer = answers[frames[:, list(self.out_frames)]]
        return answer[:, :, list(self.skeleton.flipped)] * (-1, 1, 1) if flipped else answer


def evaluated(dataset: BenchmarkSet, protocol: BenchmarkProtocol, error: np.ndarray | float = 0, **kind):
    return evaluate_benchmark(Teller(truth(dataset) + error, **kind), dataset, protocol)


TWO = numbered(("S9", "Walking 1", 12), ("S9", "Walking", 7), ("S11", "Sitting 2", 5), ("S11", "Walking", 1))


def all_but_root(error: tuple[float, float, float], root: tuple[float, float, float] = (0, 0, 0)) -> np.ndarray:
    off = np.tile(np.array(error), (17, 1))
    off[H36M_17.root] = root
    return off


# --- an independent statement ------------------------------------------------------------------------------------


def one_pose(pred: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """Means over joints of one pose's errors, in the unit given, joint by joint in float64."""
    x, y = pred - pred.mean(0), true - true.mean(0)
    rotation, _ = Rotation.align_vectors(y, x)
    turned = rotation.apply(x)
    turned *= (turned * y).sum() / (turned**2).sum()
    scaled = pred * (pred * true).sum() / (pred**2).sum()
    far = [float(np.sqrt(((a - b) ** 2).sum())) for a, b in zip(pred, true, strict=True)]
    bones = [
        abs(np.linalg.norm(pred[j] - pred[p]) - np.linalg.norm(true[j] - true[p])) for p, j in H36M_17.bones
    ]  # fmt: skip
    return {
        "mpjpe": float(np.mean(far)),
        "p_mpjpe": float(np.mean(np.sqrt(((turned - y) ** 2).sum(-1)))),
        "n_mpjpe": float(np.mean(np.sqrt(((scaled - true) ** 2).sum(-1)))),
        "bone_length": float(np.mean(bones)),
        "pck": 100 * sum(e < 150 for e in far) / 17,
        "auc": 100 * sum(e < 5 * i for e in far for i in range(31)) / 17 / 31,
    }


def videopose3d_restated(dataset: BenchmarkSet, pred: np.ndarray) -> dict[str, float]:
    """Sums over a sequence's frames by action, velocities weighted by frames, then the mean over actions."""
    sums: dict[tuple[str, str], float] = {}
    weights: dict[tuple[str, str], float] = {}
    start = 0
    for c in dataset.clips:
        x = 1000 * pred[start : start + len(c)].astype(float)
        y = 1000 * (c.xyz.astype(float) - c.xyz[:, :1].astype(float))
        start += len(c)
        found = [one_pose(a, b) for a, b in zip(x, y, strict=True)]
        means = {name: np.mean([f[name] for f in found]) for name in found[0]}
        v = [np.linalg.norm((x[t] - x[t - 1]) - (y[t] - y[t - 1]), axis=-1).mean() for t in range(1, len(c))]
        a = [np.linalg.norm(d[t] - 2 * d[t - 1] + d[t - 2], axis=-1).mean() for d in [x - y] for t in range(2, len(c))]
        means |= {"mpjve": np.mean(v)} if v else {}
        means |= {"acceleration": np.mean(a)} if a else {}
        for name, value in means.items():
            key = (name, c.action)
            sums[key] = sums.get(key, 0) + value * len(c)
            weights[key] = weights.get(key, 0) + len(c)
    return {
        name: float(np.mean([sums[key] / weights[key] for key in sums if key[0] == name]))
        for name in dict.fromkeys(name for name, _ in sums)
    }


@pytest.mark.parametrize(("in_frames", "out_frames"), [(1, (0,)), (9, (4,)), (9, (3, 4, 5)), (5, (0, 1, 2, 3, 4))])
@pytest.mark.parametrize("frames", ["centre", "dense"])
def test_every_metric_agrees_with_a_restatement(in_frames, out_frames, frames):
    answers = truth(TWO) + np.random.default_rng(1).normal(0, 0.1, (25, 17, 3))
    lifter = Teller(answers, in_frames=in_frames, out_frames=out_frames)
    scores = evaluate_benchmark(lifter, TWO, dataclasses.replace(videopose3d(), frames=frames))
    assert list(scores.mean) == list(UNITS)
    wanted = videopose3d_restated(TWO, answers)
    assert set(wanted) == set(UNITS)
    for name, value in wanted.items():
        assert scores.mean[name] == pytest.approx(value, abs=1e-6), name
    assert scores.counts == {
        "clips": 4, "sequences": 4, "subjects": 2, "actions": 2, "frames": 25, "filled_keypoints": 0,
    }  # fmt: skip


# --- known answers -----------------------------------------------------------------------------------------------


def test_a_perfect_lifter():
    scores = evaluated(TWO, PLAIN)
    for name, value in scores.mean.items():
        wanted = {"pck": 100, "auc": 100 * 30 / 31}.get(name, 0)
        assert value == pytest.approx(wanted, abs=1e-4), name


@pytest.mark.parametrize(
    ("root", "wanted"),
    [
        ("as predicted", (16 * 50 + 30) / 17),
        ("zeroed", 16 * 50 / 17),
        ("moved", 16 * 40 / 17),
        ("left out", 50),
    ],
)
def test_what_becomes_of_the_root(root, wanted):
    error = all_but_root((0.03, 0.04, 0), (0.03, 0, 0))  # 50 mm everywhere, 30 mm at the root; 40 mm apart
    scores = evaluated(TWO, BenchmarkProtocol(root=root), error)
    assert scores.mean["mpjpe"] == pytest.approx(wanted, abs=1e-3)
    assert scores.choices["root"] == root
    assert ("pelvis" in scores.per_joint["mpjpe"]) == (root != "left out")


def test_a_similarity_costs_no_p_mpjpe_and_a_scale_no_n_mpjpe():
    right = truth(TWO)
    turned = 1.3 * right @ Rotation.from_euler("xyz", (20, 40, 60), degrees=True).as_matrix() + 0.1
    scores = evaluate_benchmark(Teller(turned), TWO, PLAIN)
    assert scores.mean["p_mpjpe"] == pytest.approx(0, abs=1e-3)
    assert scores.mean["mpjpe"] > 100
    scores = evaluate_benchmark(Teller(1.3 * right), TWO, PLAIN)
    assert scores.mean["n_mpjpe"] == pytest.approx(0, abs=1e-3)
    assert scores.mean["mpjpe"] == pytest.approx(0.3 * 1000 * np.mean(by_action(TWO)), rel=1e-6)


def by_action(dataset: BenchmarkSet) -> list[float]:
    """Mean distance from the root in each action, metres."""
    found: dict[str, list[np.ndarray]] = {}
    for c in dataset.clips:
        found.setdefault(c.action, []).append(np.linalg.norm(c.xyz - c.xyz[:, :1], axis=-1))
    return [float(np.concatenate(parts).mean()) for parts in found.values()]


def test_a_constant_offset_has_no_velocity():
    scores = evaluated(TWO, PLAIN, all_but_root((0.05, 0, 0)))
    assert scores.mean["mpjve"] == pytest.approx(0, abs=1e-3)
    assert scores.mean["acceleration"] == pytest.approx(0, abs=1e-3)


def test_oracle_scale_makes_mpjpe_of_n_mpjpe():
    wrong = 1.2 * truth(TWO) + np.random.default_rng(0).normal(0, 0.02, (25, 17, 3))
    honest = evaluate_benchmark(Teller(wrong), TWO, PLAIN)
    oracle = evaluate_benchmark(Teller(wrong), TWO, BenchmarkProtocol(scale="oracle"))
    assert oracle.mean["mpjpe"] == pytest.approx(honest.mean["n_mpjpe"], abs=1e-6)
    assert oracle.mean["bone_length"] < honest.mean["bone_length"] / 3
    assert oracle.mean["p_mpjpe"] == pytest.approx(honest.mean["p_mpjpe"], abs=1e-6)


@pytest.mark.parametrize(("metres", "pck", "auc"), [(0.0, 100, 100 * 30 / 31), (0.1499, 100, 100 / 31), (0.1501, 0, 0)])
def test_pck_and_auc_of_fourteen_joints(metres, pck, auc):
    error = np.zeros((17, 3))
    error[:, 2] = 0.5
    fourteen = [j for j, name in enumerate(H36M_17.joints) if name not in ("pelvis", "spine", "nose")]
    error[fourteen, 2] = metres
    scores = evaluated(TWO, p_stmo_3dhp(), error)
    assert scores.mean["pck"] == pytest.approx(pck)
    assert scores.mean["auc"] == pytest.approx(auc)
    assert len(scores.per_joint["pck"]) == 14 and len(scores.per_joint["mpjpe"]) == 17


def test_a_root_that_is_set_to_zero_counts_as_correct_among_seventeen():
    scores = evaluated(TWO, posessm_3dhp(), np.full((17, 3), (0.2, 0, 0)))
    assert scores.mean["pck"] == pytest.approx(100 / 17)
    assert scores.mean["auc"] == pytest.approx(100 * 30 / 31 / 17)


def test_means_over_sequences_and_over_frames_differ():
    dataset = numbered(("TS1", "TS1", 10), ("TS5", "TS5", 30))
    error = np.zeros((40, 17, 3))
    error[:10, 1:, 0], error[10:, 1:, 0] = 0.010, 0.050
    sequences = evaluated(dataset, p_stmo_3dhp(), error)
    pooled = evaluated(dataset, dataclasses.replace(p_stmo_3dhp(), average="frames"), error)
    assert sequences.mean["mpjpe"] == pytest.approx(16 / 17 * 30, abs=1e-3)
    assert pooled.mean["mpjpe"] == pytest.approx(16 / 17 * 40, abs=1e-3)
    assert pooled.per_sequence["mpjpe"] == pytest.approx({"TS1 TS1": 160 / 17, "TS5 TS5": 800 / 17}, abs=1e-3)


def test_humaneva_s_cells():
    dataset = numbered(
        ("S1", "Walking 1 chunk0", 4), ("S1", "Walking 1 chunk2", 8), ("S1", "Box 1", 3), ("S2", "Box 1", 9)
    )
    error = np.zeros((24, 17, 3))
    error[:4, :, 0], error[4:12, :, 0], error[12:15, :, 0], error[15:, :, 0] = 0.04, 0.01, 0.05, 0.06
    scores = evaluated(dataset, humaneva(), error)
    assert scores.per_cell["mpjpe"] == pytest.approx({"S1 Walking": 20, "S1 Box": 50, "S2 Box": 60}, abs=1e-3)
    assert scores.mean["mpjpe"] == pytest.approx(130 / 3, abs=1e-3)
    assert scores.per_subject["mpjpe"] == pytest.approx({"S1": 35, "S2": 60}, abs=1e-3)


def test_tables_hold_each_part():
    error = np.random.default_rng(0).normal(0, 0.1, (25, 17, 3))
    scores = evaluated(TWO, PLAIN, error)
    distance = 1000 * np.linalg.norm(error, axis=-1)
    walking = np.concatenate([distance[:19], distance[24:]])
    assert scores.per_action["mpjpe"] == pytest.approx(
        {"Walking": walking.mean(), "Sitting": distance[19:24].mean()}, abs=1e-3
    )
    assert scores.mean["mpjpe"] == pytest.approx((walking.mean() + distance[19:24].mean()) / 2, abs=1e-3)
    assert list(scores.per_joint["mpjpe"]) == list(H36M_17.joints)
    wrist = H36M_17.index("left_wrist")
    wanted = (walking[:, wrist].mean() + distance[19:24, wrist].mean()) / 2
    assert scores.per_joint["mpjpe"]["left_wrist"] == pytest.approx(wanted, abs=1e-3)
    assert list(scores.per_joint["bone_length"]) == list(H36M_17.joints[1:])
    assert set(scores.per_sequence["mpjpe"]) == {"S9 Walking 1", "S9 Walking", "S11 Sitting 2", "S11 Walking"}
    assert "S11 Walking" not in scores.per_sequence["mpjve"]  # a single frame has none


# --- windows -----------------------------------------------------------------------------------------------------


def test_a_window_for_each_frame_is_centred_and_held_at_the_ends():
    dataset = numbered(("S9", "Walking", 5), ("S9", "Photo", 3))
    lifter = Teller(truth(dataset), in_frames=5, out_frames=(1, 2, 3))
    evaluate_benchmark(lifter, dataset, PLAIN)
    assert np.concatenate(lifter.windows).tolist() == [
        [0, 0, 0, 1, 2], [0, 0, 1, 2, 3], [0, 1, 2, 3, 4], [1, 2, 3, 4, 4], [2, 3, 4, 4, 4],
        [5, 5, 5, 6, 7], [5, 5, 6, 7, 7], [5, 6, 7, 7, 7],
    ]  # fmt: skip


def test_dense_windows_step_by_what_they_yield():
    dataset = numbered(("S9", "Walking", 7))
    lifter = Teller(truth(dataset), in_frames=5, out_frames=(1, 2, 3))
    scores = evaluate_benchmark(lifter, dataset, BenchmarkProtocol(frames="dense"))
    assert np.concatenate(lifter.windows).tolist() == [[0, 0, 1, 2, 3], [2, 3, 4, 5, 6], [5, 6, 6, 6, 6]]
    assert scores.counts["frames"] == 7
    assert scores.mean["mpjpe"] == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize(
    ("frames", "windows"),
    [
        (8, [[0, 1, 2, 3], [4, 5, 6, 7]]),
        (5, [[0, 1, 2, 3], [1, 2, 3, 4]]),
        (10, [[0, 1, 2, 3], [4, 5, 6, 7], [6, 7, 8, 9]]),
        (4, [[0, 1, 2, 3]]),
        (2, [[0, 1, 1, 1]]),
    ],
)
def test_clips_end_with_the_recording_and_count_what_overlaps_twice(frames, windows):
    dataset = numbered(("S9", "Walking", frames))
    lifter = Teller(truth(dataset), in_frames=4, out_frames=(0, 1, 2, 3))
    scores = evaluate_benchmark(lifter, dataset, BenchmarkProtocol(frames="clips"))
    assert np.concatenate(lifter.windows).tolist() == windows
    assert scores.counts["frames"] == 4 * len(windows)


def test_frames_that_count_twice_weigh_twice():
    dataset = numbered(("S9", "Walking", 5))
    error = np.zeros((5, 17, 3))
    error[2, :, 0] = 0.08
    once = evaluated(dataset, PLAIN, error)
    twice = evaluated(dataset, mixste(), error, in_frames=4, out_frames=(0, 1, 2, 3))
    assert once.mean["mpjpe"] == pytest.approx(80 / 5, abs=1e-3)
    assert twice.mean["mpjpe"] == pytest.approx(2 * 80 / 8, abs=1e-3)
    # velocities of the errors 0 0 80 0 | 0 80 0 0, the jump where the clips meet counted with the rest
    assert twice.mean["mpjve"] == pytest.approx(4 * 80 / 7, abs=1e-3)
    assert once.mean["mpjve"] == pytest.approx(2 * 80 / 4, abs=1e-3)


def test_clips_need_every_frame_of_the_window():
    with pytest.raises(RecipeError, match="every frame of their window"):
        evaluated(TWO, mixste())


@pytest.mark.parametrize("frames", ["centre", "dense"])
def test_only_valid_frames_are_scored_and_the_others_lend_their_keypoints(frames):
    valid = np.array([0, 1, 1, 0, 1, 1, 1, 0], bool)
    dataset = BenchmarkSet("made up", [clip(8, valid=valid)], {})
    error = np.full((8, 17, 3), 9.0)
    error[valid] = 0
    error[[1, 2, 4, 5, 6], :, 0] = np.array([10, 20, 40, 40, 50])[:, None] / 1000
    lifter = Teller(truth(dataset) + error, in_frames=3, out_frames=(1,))
    scores = evaluate_benchmark(lifter, dataset, BenchmarkProtocol(frames=frames))
    assert scores.counts["frames"] == 5
    assert scores.mean["mpjpe"] == pytest.approx(32, abs=1e-3)
    assert scores.mean["mpjve"] == pytest.approx((10 + 0 + 10) / 3, abs=1e-3)  # not from 2 to 4
    assert scores.mean["acceleration"] == pytest.approx(10, abs=1e-3)  # only 4, 5, 6
    if frames == "centre":
        assert np.concatenate(lifter.windows).tolist() == [[0, 1, 2], [1, 2, 3], [3, 4, 5], [4, 5, 6], [5, 6, 7]]


def test_many_windows_come_in_order_over_the_batches():
    dataset = numbered(("S9", "Walking", 700))
    lifter = Teller(truth(dataset), in_frames=3, out_frames=(1,))
    assert evaluate_benchmark(lifter, dataset, PLAIN).mean["mpjpe"] == pytest.approx(0, abs=1e-3)
    assert [len(batch) for batch in lifter.windows] == [256, 256, 188]


def test_flip_averaging_turns_the_mirror_image_back():
    right = truth(TWO)
    lifter = Teller(right + 0.01, mirrored=right - 0.01)
    assert evaluate_benchmark(lifter, TWO, BenchmarkProtocol(flip_average=True)).mean["mpjpe"] < 1e-3
    assert evaluate_benchmark(lifter, TWO, PLAIN).mean["mpjpe"] == pytest.approx(10 * 3**0.5, abs=1e-3)


def test_p_mpjpe_as_means_of_batches():
    error = np.random.default_rng(3).normal(0, 0.05, (25, 17, 3)) * np.linspace(0.2, 2, 25)[:, None, None]
    exact = evaluated(TWO, posessm(), error)
    mixed = evaluated(TWO, posessm(as_published=True), error)
    assert mixed.mean["mpjpe"] == exact.mean["mpjpe"]
    assert abs(mixed.mean["p_mpjpe"] - exact.mean["p_mpjpe"]) > 1
    assert mixed.per_action["p_mpjpe"]["Walking"] == pytest.approx(mixed.per_action["p_mpjpe"]["Sitting"])
    one_by_one = dataclasses.replace(posessm(as_published=True), batch=1)
    assert evaluated(TWO, one_by_one, error).mean == pytest.approx(exact.mean, abs=1e-9)


# --- keypoints ---------------------------------------------------------------------------------------------------


@dataclass
class Constant:
    """A lifter that answers with one pose, whatever it is shown."""

    pose: np.ndarray
    in_frames: int = 9
    out_frames: tuple[int, ...] = (4,)
    skeleton: Skeleton = H36M_17
    fps: float = 25.0
    in_channels: int = 3
    windows: list[np.ndarray] = field(default_factory=list)

    def __call__(self, windows: np.ndarray) -> np.ndarray:
        self.windows.append(windows)
        return np.tile(self.pose, (len(windows), len(self.out_frames), 1, 1))


def aside(pan: float, tilt: float) -> tuple[BenchmarkSet, np.ndarray]:
    """A still person to the side of the picture or above its middle, and their pose for a camera turned to them."""
    pose = body(1, 5)[0] - body(1, 5)[0, :1]
    c, s = np.cos(pan), np.sin(pan)
    to_camera = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    c, s = np.cos(tilt), np.sin(tilt)
    to_camera = to_camera @ np.array([[1, 0, 0], [0, c, s], [0, -s, c]])
    away = to_camera @ (0, 0, 4.0)
    xyz = np.tile(pose @ to_camera.T + away, (6, 1, 1)).astype(np.float32)
    return BenchmarkSet("aside", [dataclasses.replace(clip(6), xyz=xyz)], {}), pose


@pytest.mark.parametrize(("pan", "tilt"), [(0, 0), (0.3, 0), (-0.4, 0), (0, 0.3)])
def test_a_person_scale_lifter_answers_for_a_camera_turned_to_the_person(pan, tilt):
    dataset, pose = aside(pan, tilt)
    lifter = Constant(pose)
    scores = evaluate_benchmark(lifter, dataset, PLAIN)
    assert scores.mean["mpjpe"] == pytest.approx(0, abs=1e-3)
    assert scores.choices["axes"] == "turned by the direction to the true pelvis"
    assert scores.remarks == ("the lifter is for 25 fps and the data has 50; nothing was resampled",)
    (windows,) = lifter.windows
    assert windows.shape == (6, 9, 17, 3)
    assert windows[0, :, 0, 2].tolist() == [0] * 4 + [1] * 5  # beyond the clip's ends nothing is seen
    screen = Constant(pose)
    screen.normalization = "screen"
    assert evaluate_benchmark(screen, dataset, PLAIN).mean["mpjpe"] == pytest.approx(
        0
        if pan == tilt == 0
        else 1000 * np.linalg.norm(dataset.clips[0].xyz[0] - dataset.clips[0].xyz[0, 0] - pose, axis=-1).mean(),
        abs=1e-3,
    )


def test_screen_coordinates_confidence_and_filled_gaps():
    rng = np.random.default_rng(0)
    xy = rng.uniform(0, 1000, (5, 17, 2)).astype(np.float32)
    scores = rng.uniform(0.1, 0.9, (5, 17)).astype(np.float32)
    holes, low = xy.copy(), scores.copy()
    holes[2, 3] = np.nan
    low[2, 3] = 0
    sure = np.minimum(low / np.median(low[low > 0]), 1)  # every evaluation feeds what `lift` feeds
    keypoints = Keypoints2D(holes, low, H36M_17, 25.0, (1920, 1080))
    dataset = BenchmarkSet("holes", [dataclasses.replace(clip(5), keypoints=keypoints)], {})
    lifter = Constant(np.zeros((17, 3)), in_frames=5, out_frames=(2,))
    lifter.normalization = "screen"
    result = evaluate_benchmark(lifter, dataset, PLAIN)
    windows = np.concatenate(lifter.windows)[2]
    xy[2, 3] = (xy[1, 3] + xy[3, 3]) / 2
    np.testing.assert_allclose(windows[..., 0], 2 * xy[..., 0] / 1920 - 1, atol=1e-6)
    np.testing.assert_allclose(windows[..., 1], 2 * xy[..., 1] / 1920 - 1080 / 1920, atol=1e-6)
    np.testing.assert_allclose(windows[..., 2], sure, rtol=1e-6)
    assert result.counts["filled_keypoints"] == 1
    assert result.remarks == ("1 keypoints were unseen and were filled in",)


def test_a_person_scale_lifter_gets_confidence_relative_to_the_detector_s_own():
    dataset, pose = aside(0, 0)
    scores = np.full((6, 17), 0.6, np.float32)
    scores[0, 5] = 0.3
    keypoints = dataclasses.replace(dataset.clips[0].keypoints, confidence=scores)
    lifter = Constant(pose, in_frames=1, out_frames=(0,))
    evaluate_benchmark(
        lifter, BenchmarkSet("aside", [dataclasses.replace(dataset.clips[0], keypoints=keypoints)], {}), PLAIN
    )
    seen = np.concatenate(lifter.windows)[:, 0, :, 2]
    np.testing.assert_allclose(seen, np.where(scores < 0.5, 0.5, 1), atol=1e-6)


def test_keypoints_of_another_skeleton_are_converted():
    coco = Keypoints2D(np.random.default_rng(0).uniform(0, 900, (5, 17, 2)), None, COCO_17, 50.0, SIZE)
    dataset = BenchmarkSet("coco", [dataclasses.replace(clip(5), keypoints=coco)], {})
    lifter = Constant(np.zeros((17, 3)), in_channels=2)
    lifter.normalization = "screen"
    scores = evaluate_benchmark(lifter, dataset, PLAIN)
    assert scores.choices["keypoints"] == "COCO_17 converted to H36M_17"
    wrist = np.concatenate(lifter.windows)[:, 4, H36M_17.index("left_wrist")]
    np.testing.assert_allclose(wrist[:, 0], 2 * coco.xy[:, COCO_17.index("left_wrist"), 0] / 1000 - 1, atol=1e-6)


# --- other skeletons ---------------------------------------------------------------------------------------------


def in_order(skeleton: Skeleton, given: np.ndarray, source: Skeleton) -> np.ndarray:
    """(N, J, 3) joints of `source` in the order of another skeleton, those that it lacks far off."""
    found = np.full((len(given), len(skeleton), 3), 7.0)
    for joint in set(skeleton.joints) & set(source.joints):
        found[:, skeleton.index(joint)] = given[:, source.index(joint)]
    return found


HUMANEVA = numbered(("S1", "Walking 1", 6), skeleton=HUMANEVA_15)


def test_a_lifter_of_another_skeleton_is_compared_over_what_both_have():
    """Wrists 70 mm off, in 14 of the 15 joints; head, spine, nose and crown do not count."""
    answer = in_order(H36M_17, truth(HUMANEVA), HUMANEVA_15)
    answer[:, list(H36M_17.indices(("left_wrist", "right_wrist"))), 2] += 0.07
    lifter = Teller(answer)
    scores = evaluate_benchmark(lifter, HUMANEVA, PLAIN)
    assert scores.mean["mpjpe"] == pytest.approx(2 * 70 / 14, abs=1e-3)
    assert scores.per_joint["mpjpe"]["left_wrist"] == pytest.approx(70, abs=1e-3)
    assert len(scores.per_joint["mpjpe"]) == 14 and len(scores.per_joint["bone_length"]) == 13
    assert scores.per_joint["bone_length"]["thorax"] == pytest.approx(0, abs=1e-3)
    assert scores.choices["root"] == "as predicted"
    assert scores.choices["joints left out"] == "head of HUMANEVA_15; spine, nose, head_top of H36M_17"
    assert scores.choices["keypoints"] == "HUMANEVA_15 converted to H36M_17"
    assert "joints compared" not in evaluated(TWO, PLAIN).choices


def test_the_protocol_s_joints_are_among_those_compared():
    lifter = Teller(in_order(H36M_17, truth(HUMANEVA), HUMANEVA_15))
    scores = evaluate_benchmark(lifter, HUMANEVA, BenchmarkProtocol(joints=("pelvis", "thorax", "left_knee")))
    assert list(scores.per_joint["mpjpe"]) == ["pelvis", "thorax", "left_knee"]
    with pytest.raises(SkeletonError, match="what HUMANEVA_15 and H36M_17 share has no joint 'nose'"):
        evaluate_benchmark(lifter, HUMANEVA, BenchmarkProtocol(joints=("nose", "thorax", "left_knee")))
    with pytest.raises(SkeletonError, match="lacks some of MPI-INF-3DHP's fourteen joints"):
        evaluate_benchmark(lifter, HUMANEVA, p_stmo_3dhp())


@pytest.mark.parametrize("root", ["as predicted", "zeroed", "moved", "left out"])
def test_predictions_without_the_root_are_moved_to_one_that_both_have(root):
    """The lifter is right but for one hip, 40 mm off, and relative to its nose: the middle of its hips is 20 mm off.

    So are all joints that come from neither hip, and the shoulders' middle; the spine, from both middles, is 10 mm off.
    """
    true = truth(TWO)
    answer = in_order(COCO_17, true, H36M_17)
    answer[:, COCO_17.index("left_hip"), 0] += 0.04
    answer -= answer[:, COCO_17.root, None]
    seen = [dataclasses.replace(c.keypoints, skeleton=COCO_17) for c in TWO.clips]  # which frame it is, in any joint
    clips = [dataclasses.replace(c, keypoints=keypoints) for c, keypoints in zip(TWO.clips, seen, strict=True)]
    lifter = Teller(answer, skeleton=COCO_17)
    scores = evaluate_benchmark(lifter, BenchmarkSet("made up", clips, {}), BenchmarkProtocol(root=root))
    wanted = dict.fromkeys(("nose", "thorax", "left_hip", "right_hip", "left_knee", "right_wrist"), 20) | {"spine": 10}
    for joint, error in wanted.items():
        assert scores.per_joint["mpjpe"][joint] == pytest.approx(error, abs=1e-3), joint
    assert scores.choices["root"] == ("left out" if root == "left out" else "moved")
    assert scores.per_joint["mpjpe"].get("pelvis", 0) == pytest.approx(0, abs=1e-6)
    assert ("pelvis" in scores.per_joint["mpjpe"]) == (root != "left out")
    assert "head_top" not in scores.per_joint["mpjpe"]


def test_the_pelvis_of_a_truth_without_one_is_what_the_camera_is_turned_to():
    """A truth in COCO's joints: the nose is its root, and no place to look at."""
    dataset, pose = aside(0.3, 0)
    (made,) = dataset.clips
    xyz = in_order(COCO_17, made.xyz, H36M_17)
    hips = [H36M_17.index("left_hip"), H36M_17.index("right_hip")]
    middle = xyz[:, [COCO_17.index("left_hip"), COCO_17.index("right_hip")]].mean(1)
    moved = made.xyz[:, 0] - middle  # the middle of the hips to where the pelvis was
    xyz += moved[:, None]
    dataset = BenchmarkSet("coco", [dataclasses.replace(made, xyz=xyz.astype(np.float32), skeleton=COCO_17)], {})
    scores = evaluate_benchmark(Constant(pose - pose[hips].mean(0)), dataset, PLAIN)
    assert scores.mean["mpjpe"] == pytest.approx(0, abs=1e-3)


def test_dropped_sequences_are_dropped_and_told():
    scores = evaluated(TWO, BenchmarkProtocol(drop=(("S9", "Walking 1"), ("S5", "Walking"))))
    assert (scores.counts["clips"], scores.counts["frames"]) == (3, 13)
    assert scores.remarks == ("1 clips were dropped by the protocol",)
    assert scores.choices["drop"] == [["S9", "Walking 1"], ["S5", "Walking"]]


# --- results -----------------------------------------------------------------------------------------------------


def test_scores_hold_every_choice_and_are_json():
    scores = evaluated(TWO, videopose3d())
    content = json.loads(json.dumps(scores.as_json(), allow_nan=False))
    assert {f.name for f in dataclasses.fields(BenchmarkProtocol)} - set(content["choices"]) == {"batch"}
    assert content["choices"]["data: 2D keypoints"] == "none"
    assert content["choices"]["keypoints"] == "H36M_17"
    assert content["choices"]["axes"] == "the camera's"
    assert (content["lifter"], content["dataset"]) == ("Teller", "made up")
    assert Scores.from_json(content) == scores
    assert "batch" in evaluated(TWO, posessm(as_published=True)).choices
    assert evaluated(TWO, BenchmarkProtocol(joints=("nose", "spine", "thorax"))).choices["joints"] == [
        "nose", "spine", "thorax",
    ]  # fmt: skip


def test_progress_counts_clips():
    ticks = []
    evaluate_benchmark(Teller(truth(TWO)), TWO, PLAIN, progress=lambda done, total: ticks.append((done, total)))
    assert ticks == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_what_cannot_be_evaluated_is_refused():
    right = truth(TWO)
    with pytest.raises(DatasetError, match="no clips to evaluate"):
        evaluate_benchmark(Teller(right), BenchmarkSet("none", [], {}), PLAIN)
    with pytest.raises(DatasetError, match="none of its frames is valid"):
        evaluate_benchmark(Teller(right), BenchmarkSet("none", [clip(4, valid=np.zeros(4, bool))], {}), PLAIN)
    mixed = BenchmarkSet("x", [TWO.clips[0], clip(4, skeleton=HUMANEVA_15)], {})
    with pytest.raises(DatasetError, match="wanted 3D joints of H36M_17, as in the first clip, got HUMANEVA_15"):
        evaluate_benchmark(Teller(right), mixed, PLAIN)
    sizeless = dataclasses.replace(TWO.clips[0].keypoints, image_size=None)
    with pytest.raises(DatasetError, match="S9 Walking 1 c: the lifter needs the picture's size"):
        evaluate_benchmark(
            Teller(right), BenchmarkSet("x", [dataclasses.replace(TWO.clips[0], keypoints=sizeless)], {}), PLAIN
        )
    unseen = dataclasses.replace(TWO.clips[0].keypoints, xy=np.full((12, 17, 2), np.nan))
    with pytest.raises(DatasetError, match="no keypoint was seen"):
        evaluate_benchmark(
            Teller(right), BenchmarkSet("x", [dataclasses.replace(TWO.clips[0], keypoints=unseen)], {}), PLAIN
        )
    with pytest.raises(SkeletonError, match="is no lifter"):
        evaluate_benchmark(object(), TWO, PLAIN)


@pytest.mark.parametrize("answer", [np.zeros((1, 16, 3)), np.full((1, 17, 3), np.nan)])
def test_broken_answers_are_refused(answer):
    lifter = Constant(answer[0])
    with pytest.raises(ShapeError, match=r"wanted finite joints \(12, 1, 17, 3\) from Constant"):
        evaluate_benchmark(lifter, TWO, PLAIN)
