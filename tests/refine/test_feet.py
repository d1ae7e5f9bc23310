"""Feet on the ground: no slide, no floor penetration, bones as they were, everything reported."""

from dataclasses import replace

import numpy as np
import pytest

from poselift import BODY_27, H36M_17, Poses3D, convert_poses
from poselift.errors import FormatError, SkeletonError
from poselift.refine.feet import plant_feet, under_floor
from poselift.sequence import CONTACTS, WORLD
from poselift.skeleton import Skeleton

FPS = 50.0
POINTS = list(BODY_27.indices(CONTACTS))


def standing(frames: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Joints (T, 27, 3) of somebody who stands with slightly bent knees and lifts the left foot for a second; contacts.

    x to the left, y backward, z up.
    """
    place = {"pelvis": (0, 0, 0.93), "spine": (0, 0, 1.15), "thorax": (0, 0, 1.4), "nose": (0, -0.05, 1.6)}
    place |= {"head_top": (0, 0, 1.75)}
    for side, x in (("left", 0.1), ("right", -0.1)):
        place |= {f"{side}_hip": (x, 0, 0.88), f"{side}_knee": (x, -0.06, 0.48), f"{side}_ankle": (x, 0, 0.08)}
        place |= {f"{side}_heel": (x, 0.05, 0.005), f"{side}_big_toe": (0.9 * x, -0.15, 0.005)}
        place |= {f"{side}_small_toe": (1.6 * x, -0.12, 0.005), f"{side}_shoulder": (1.8 * x, 0, 1.4)}
        place |= {f"{side}_elbow": (2.2 * x, 0, 1.12), f"{side}_wrist": (2.2 * x, -0.1, 0.9)}
        place |= {f"{side}_eye": (0.3 * x, -0.05, 1.64), f"{side}_ear": (0.7 * x, 0.02, 1.63)}
    xyz = np.tile([place[name] for name in BODY_27.joints], (frames, 1, 1)).astype(float)
    contact = np.ones((frames, 4))
    swing = slice(75, 125)
    lift = np.sin(np.linspace(0, np.pi, 50))[:, None, None] ** 2 * np.array([0, -0.1, 0.2])
    foot = [joint for joint, name in enumerate(BODY_27.joints) if name.startswith("left") and _is_foot(name)]
    xyz[swing, foot[0] : foot[0] + 1] += lift
    xyz[swing][:, foot[1:]] += lift
    knee = BODY_27.index("left_knee")
    xyz[swing, knee : knee + 1] += lift * [0, 1.2, 0.5]
    contact[swing, :2] = 0
    return xyz, contact


def _is_foot(name: str) -> bool:
    return any(part in name for part in ("ankle", "heel", "toe"))


def sliding(drift_m: float = 0.04, sink_m: float = 0.03) -> tuple[np.ndarray, Poses3D]:
    """The standing person with feet that drift, and a path that sinks and sways; the poses say so by their spread."""
    truth, contact = standing()
    time = np.arange(len(truth)) / FPS
    xyz = truth.copy()
    for side, phase in (("left", 0.0), ("right", 1.0)):
        foot = [j for j, name in enumerate(BODY_27.joints) if name.startswith(side) and _is_foot(name)]
        xyz[:, foot, 0] += drift_m * np.sin(2 * time + phase)[:, None]
        xyz[:, foot, 2] -= sink_m * (1 + np.sin(3 * time))[:, None] / 2
    path = xyz[:, 0]
    spread = np.full(xyz.shape[:2], 0.08)
    poses = Poses3D(
        xyz - path[:, None], BODY_27, FPS, WORLD, path=path, contact=contact, spread=spread
    )  # fmt: skip
    return truth, poses


def absolute(poses: Poses3D) -> np.ndarray:
    assert poses.path is not None
    return poses.xyz.astype(np.float64) + poses.path[:, None]


def lengths(poses: Poses3D) -> np.ndarray:
    parents, children = (list(ends) for ends in zip(*poses.skeleton.bones, strict=True))
    return np.asarray(np.linalg.norm(poses.xyz[:, children] - poses.xyz[:, parents], axis=-1))


def slide_mm(xyz: np.ndarray, contact: np.ndarray) -> float:
    stands = (contact[1:] > 0.5) & (contact[:-1] > 0.5)
    return float(1000 * np.linalg.norm(np.diff(xyz[:, POINTS], axis=0), axis=-1)[stands].mean())


def test_standing_feet_stay_and_the_rest_moves_little():
    truth, poses = sliding()
    assert poses.contact is not None
    found, report = plant_feet(poses)
    assert slide_mm(absolute(poses), poses.contact) > 1
    assert slide_mm(absolute(found), poses.contact) < 0.2
    assert under_floor(absolute(found)).max() < 0.005
    off = np.linalg.norm(absolute(found) - truth, axis=-1)
    assert off.mean() < np.linalg.norm(absolute(poses) - truth, axis=-1).mean()
    assert off[:, POINTS].mean() < 0.02
    assert report.values["under_floor_before_mm"] > 20 > 5 > report.values["under_floor_mm"]
    assert report.values["path_moved_mm"] < report.values["feet_moved_mm"]
    assert "a foot stands in 100 % of the frames" in report.says


def test_bones_keep_their_lengths():
    _, poses = sliding()
    found, _ = plant_feet(poses)
    body = [place for place, (_, child) in enumerate(BODY_27.bones) if child < 17]
    assert np.abs(lengths(found) - lengths(poses))[:, body].max() < 1e-5
    assert np.abs(lengths(found) - lengths(poses)).max() < 1e-5


def test_a_swinging_foot_keeps_its_swing():
    truth, poses = sliding(drift_m=0.02, sink_m=0)
    found, _ = plant_feet(poses)
    ankle = BODY_27.index("left_ankle")
    swing = absolute(found)[75:125, ankle] - truth[75:125, ankle]
    assert np.abs(swing).max() < 0.03
    assert np.abs(np.diff(absolute(found), 2, axis=0)).max() < 1.6 * np.abs(np.diff(truth, 2, axis=0)).max()


def test_poses_that_stand_still_already_stay():
    truth, contact = standing()
    poses = Poses3D(truth - truth[:, :1], BODY_27, FPS, WORLD, path=truth[:, 0], contact=contact)
    found, report = plant_feet(poses)
    assert np.abs(absolute(found) - truth)[:70].max() < 0.002
    assert report.values["path_moved_most_mm"] < 1


def test_hips_come_down_where_the_leg_is_too_short():
    truth, contact = standing()
    path = truth[:, 0] + [0, 0, 0.05]  # the feet are 5 cm above the floor, and the knees bend by 1 cm only
    poses = Poses3D(truth - truth[:, :1], BODY_27, FPS, WORLD, path=path, contact=contact)
    found, report = plant_feet(poses)
    assert report.values["path_moved_mm"] > 20
    assert np.abs(absolute(found)[20:60][:, POINTS, 2]).max() < 0.01
    assert np.abs(lengths(found) - lengths(poses)).max() < 1e-5


def test_contacts_say_what_stands_now():
    _, poses = sliding()
    noisy = np.clip(poses.contact + np.random.default_rng(0).normal(scale=0.15, size=poses.contact.shape), 0, 1)
    found, _ = plant_feet(replace(poses, contact=noisy))
    assert found.contact is not None and poses.contact is not None
    assert ((found.contact >= 0.5) == (poses.contact >= 0.5)).mean() > 0.97


def test_heels_of_feet_that_stand_on_their_toes_stay_above_the_floor():
    truth, contact = standing()
    heel = BODY_27.index("right_heel")
    truth[50:100, heel, 2] -= 0.05
    contact[:, 2] = 0
    poses = Poses3D(truth - truth[:, :1], BODY_27, FPS, WORLD, path=truth[:, 0], contact=contact)
    found, _ = plant_feet(poses)
    assert under_floor(absolute(poses)).max() > 0.04
    assert under_floor(absolute(found))[:, heel].max() < 0.01
    assert slide_mm(absolute(found), contact) < 0.5


def test_without_contacts_only_the_floor_counts():
    _, poses = sliding()
    found, report = plant_feet(replace(poses, contact=None))
    assert found.contact is None
    assert under_floor(absolute(found)).max() < 0.005
    assert report.values["standing"] == 0


def test_hands_and_knees_come_above_the_floor():
    truth, contact = standing()
    wrist = BODY_27.index("left_wrist")
    truth[80:120, wrist] += [0, 0, -0.95]
    truth[80:120, BODY_27.index("left_elbow")] += [0, 0, -0.6]
    kneeling = truth - [0, 0, 0.55]
    for xyz in (truth, kneeling):
        poses = Poses3D(xyz - xyz[:, :1], BODY_27, FPS, WORLD, path=xyz[:, 0], contact=0 * contact)
        found, _ = plant_feet(poses)
        assert under_floor(absolute(found)).max() < 0.01
        assert np.abs(lengths(found) - lengths(poses)).max() < 1e-5


def test_other_skeletons_and_short_clips():
    truth, contact = standing()
    poses = Poses3D(truth - truth[:, :1], BODY_27, FPS, WORLD, path=truth[:, 0] - [0, 0, 0.12])
    body = convert_poses(poses, H36M_17)
    found, _ = plant_feet(body)
    assert under_floor(absolute(found)).max() < 0.005
    for frames in (1, 2, 3):
        short = replace(poses.part(0, frames - 1), contact=contact[:frames])
        assert np.isfinite(plant_feet(short)[0].xyz).all()


def test_a_treadmill_is_suspected():
    truth, contact = standing()
    xyz = truth.copy()
    xyz[:, POINTS, 1] += (0.7 * np.arange(len(truth)) / FPS)[:, None]
    poses = Poses3D(xyz - xyz[:, :1], BODY_27, FPS, WORLD, path=xyz[:, 0], contact=contact)
    assert any("--no-contacts" in warning for warning in plant_feet(poses)[1].warnings)


def test_poses_that_are_not_in_a_scene_are_refused():
    truth, _ = standing()
    with pytest.raises(FormatError, match="'camera' and have no path"):
        plant_feet(Poses3D(truth - truth[:, :1], BODY_27, FPS))
    trunk = Skeleton("TRUNK", ("pelvis", "thorax"), (-1, 0))
    with pytest.raises(SkeletonError, match="no legs"):
        plant_feet(Poses3D(np.zeros((5, 2, 3)), trunk, FPS, WORLD, path=np.zeros((5, 3))))
