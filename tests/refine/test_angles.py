"""Joint angles: signs pinned by poses that a reader can imagine, formulas by rotations, what is not defined."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from poselift import BODY_27, COCO_17, H36M_17, Poses3D, convert_poses
from poselift.errors import SkeletonError
from poselift.refine.angle_names import FORMULAS, RANGES, general
from poselift.refine.angles import JointAngles, joint_angles
from poselift.sequence import CAMERA, WORLD
from poselift.skeleton import Skeleton

X, Y, Z = np.eye(3)
"""Forward, up, to the right: the axes of the segments."""


def turn(axis: np.ndarray, degrees: float) -> np.ndarray:
    return Rotation.from_rotvec(np.radians(degrees) * axis).as_matrix()


def cardan(z: float, x: float, y: float) -> np.ndarray:
    return np.asarray(turn(Z, z) @ turn(X, x) @ turn(Y, y))


def figure(
    pelvis: np.ndarray | None = None,
    chest: np.ndarray | None = None,
    head: np.ndarray | None = None,
    **limbs: tuple[np.ndarray, float],
) -> np.ndarray:
    """A person (27, 3), X forward, Y up, Z to the right, from rotations against the segment before; the rest stands.

    Limbs are `right_leg`, `left_arm` and so on: rotation of the upper bone, and bend of the hinge in degrees.
    """
    pelvis, chest, head = (np.eye(3) if part is None else part for part in (pelvis, chest, head))
    place = {"pelvis": np.zeros(3)}
    body = pelvis @ chest
    place["spine"] = pelvis @ (0.2 * Y)
    place["thorax"] = place["spine"] + body @ (0.25 * Y)
    skull = place["thorax"] + body @ (0.2 * Y)
    gaze = body @ head
    place["nose"], place["head_top"] = skull + gaze @ (0.1 * X), skull + gaze @ (0.2 * Y)
    for side, sign in (("right", 1.0), ("left", -1.0)):
        place[f"{side}_hip"] = pelvis @ (0.12 * sign * Z)
        upper, bend = limbs.get(f"{side}_leg", (np.eye(3), 0.0))
        thigh = pelvis @ upper
        shank = thigh @ turn(Z, -bend)
        place[f"{side}_knee"] = place[f"{side}_hip"] - thigh @ (0.42 * Y)
        place[f"{side}_ankle"] = place[f"{side}_knee"] - shank @ (0.4 * Y)
        ankle = place[f"{side}_ankle"]
        place[f"{side}_heel"] = ankle + shank @ (-0.07 * Y - 0.05 * X)
        place[f"{side}_big_toe"] = ankle + shank @ (-0.07 * Y + 0.16 * X - 0.04 * sign * Z)
        place[f"{side}_small_toe"] = ankle + shank @ (-0.07 * Y + 0.16 * X + 0.04 * sign * Z)
        place[f"{side}_shoulder"] = place["thorax"] + body @ (0.18 * sign * Z)
        upper, bend = limbs.get(f"{side}_arm", (np.eye(3), 0.0))
        arm = body @ upper
        place[f"{side}_elbow"] = place[f"{side}_shoulder"] - arm @ (0.3 * Y)
        place[f"{side}_wrist"] = place[f"{side}_elbow"] - arm @ turn(Z, bend) @ (0.25 * Y)
        place[f"{side}_eye"] = skull + gaze @ (0.1 * X + 0.03 * sign * Z)
        place[f"{side}_ear"] = skull + gaze @ (0.07 * sign * Z)
    return np.array([place[name] for name in BODY_27.joints])


def in_camera(points: np.ndarray) -> np.ndarray:
    """Somebody who faces a level camera: forward is to the camera (-z), up is -y, to the right is -x."""
    return np.stack([-points[..., 2], -points[..., 1], -points[..., 0]], axis=-1)


def angles_of(*points: np.ndarray) -> JointAngles:
    return joint_angles(Poses3D(in_camera(np.array(points)), BODY_27, 50.0))


def test_standing_is_zero():
    found = angles_of(figure())
    assert {general(name) for name in found.names} == set(FORMULAS)
    for name in found.names:
        undefined = "rot_" in name or "hip_rotation" in name or "shoulder_plane" in name
        assert np.isnan(found[name][0]) if undefined else found[name][0] == pytest.approx(0, abs=1e-3), name
    assert found.plausible.all()
    assert (found.observed == 1).all()


@pytest.mark.parametrize(
    ("name", "pose", "wanted"),
    [
        ("pelvis_anterior_tilt", {"pelvis": turn(Z, -20)}, 20),
        ("pelvis_obliquity", {"pelvis": turn(X, -10)}, 10),  # Z, to the right, goes up
        ("pelvis_heading", {"pelvis": turn(Y, 30)}, 30),  # X turns to -Z, which is left
        ("trunk_lean", {"pelvis": turn(Z, -50)}, 50),
        ("lumbar_extension", {"chest": turn(Z, 15)}, 15),
        ("lumbar_bending", {"chest": turn(X, 15)}, 15),  # the shoulders lean to Z, right
        ("lumbar_rotation", {"chest": turn(Y, 25)}, 25),
        ("neck_flexion", {"head": turn(Z, -30)}, 30),
        ("neck_bending", {"head": turn(X, 20)}, 20),
        ("neck_rotation", {"head": turn(Y, 60)}, 60),
        ("hip_flexion_r", {"right_leg": (turn(Z, 70), 0)}, 70),
        ("hip_flexion_l", {"left_leg": (turn(Z, -20), 0)}, -20),
        ("hip_adduction_r", {"right_leg": (turn(X, 15), 0)}, 15),
        ("hip_adduction_l", {"left_leg": (turn(X, 15), 0)}, -15),  # the left leg goes outward
        ("knee_angle_r", {"right_leg": (turn(Z, 40), 90)}, 90),
        ("arm_flex_l", {"left_arm": (turn(Z, 120), 0)}, 120),
        ("arm_add_r", {"right_arm": (turn(X, -60), 0)}, -60),
        ("arm_add_l", {"left_arm": (turn(X, 60), 0)}, -60),
        ("elbow_flex_l", {"left_arm": (np.eye(3), 110)}, 110),
        ("shoulder_elevation_r", {"right_arm": (turn(X, -90), 0)}, 90),
        ("shoulder_plane_r", {"right_arm": (turn(X, -90), 0)}, 0),
        ("shoulder_plane_l", {"left_arm": (turn(Z, 90), 0)}, 90),
        ("shoulder_elevation_l", {"left_arm": (turn(Z, 170), 0)}, 170),
    ],
)
def test_signs(name: str, pose: dict, wanted: float):
    found = angles_of(figure(**pose))
    assert found[name][0] == pytest.approx(wanted, abs=1e-3)


def test_feet():
    toes_up, sole_in = figure(), figure()
    right = [
        j for j, name in enumerate(BODY_27.joints) if name.startswith("right") and ("toe" in name or "heel" in name)
    ]
    ankle = BODY_27.index("right_ankle")
    toes_up[right] = (toes_up[right] - toes_up[ankle]) @ turn(Z, 20).T + toes_up[ankle]
    sole_in[right] = (sole_in[right] - sole_in[ankle]) @ turn(X, 15).T + sole_in[ankle]  # Z, outward, goes down
    found = angles_of(toes_up, sole_in)
    assert found["ankle_angle_r"] == pytest.approx([20, 0], abs=1e-3)
    assert found["ankle_inversion_r"] == pytest.approx([0, 15], abs=1e-3)


@pytest.mark.parametrize("side", ["right", "left"])
def test_cardan_angles_come_back(side: str):
    """Known rotations about Z, X and Y give these angles: flexion, adduction, rotation, mirrored on the left."""
    rng, sign, end = np.random.default_rng(0), 1 if side == "right" else -1, side[0]
    wanted = np.stack([rng.uniform(-40, 120, 30), rng.uniform(-60, 40, 30), rng.uniform(-60, 60, 30)], 1)
    mirrored = wanted * [1, sign, sign]
    legs = [figure(**{f"{side}_leg": (cardan(*row), 60.0)}) for row in mirrored]
    arms = [figure(**{f"{side}_arm": (cardan(*row), 60.0)}) for row in mirrored]
    leg, arm = angles_of(*legs), angles_of(*arms)
    for column, (hip, shoulder) in enumerate((("flexion", "flex"), ("adduction", "add"), ("rotation", "rot"))):
        assert leg[f"hip_{hip}_{end}"] == pytest.approx(wanted[:, column], abs=1e-2)
        assert arm[f"arm_{shoulder}_{end}"] == pytest.approx(wanted[:, column], abs=1e-2)
    trunk = angles_of(*(figure(chest=cardan(*row)) for row in wanted))
    for column, name in enumerate(("lumbar_extension", "lumbar_bending", "lumbar_rotation")):
        assert trunk[name] == pytest.approx(wanted[:, column], abs=1e-2)


def test_joint_angles_do_not_depend_on_where_the_body_faces():
    limbs = {"right_leg": (cardan(40, 10, 20), 70.0), "left_arm": (cardan(80, -20, 10), 50.0)}
    one, other = angles_of(figure(**limbs)), angles_of(figure(pelvis=cardan(10, 20, 150), **limbs))
    for name in one.names:
        if "pelvis" not in name and "trunk" not in name:
            assert one[name] == pytest.approx(other[name], abs=1e-2, nan_ok=True), name


def test_rotations_of_straight_limbs_and_poles_are_not_defined():
    straight = angles_of(figure(right_leg=(cardan(30, 0, 25), 10.0)), figure(right_leg=(cardan(30, 0, 25), 30.0)))
    assert straight["hip_rotation_r"] == pytest.approx([np.nan, 25], nan_ok=True, abs=1e-2)
    assert np.isfinite(straight["hip_flexion_r"]).all()
    sideways = angles_of(figure(right_arm=(turn(X, -88), 60.0)))
    assert np.isnan(sideways["arm_flex_r"]).all()
    assert sideways["shoulder_elevation_r"] == pytest.approx(88, abs=1e-3)


def test_the_vertical_comes_from_up():
    tilted = turn(np.array([1.0, 0, 0]), 25)
    xyz = in_camera(np.array([figure()] * 3)) @ tilted.T
    up = np.tile(tilted @ [0, -1.0, 0], (3, 1))
    level = joint_angles(Poses3D(xyz, BODY_27, 50.0, CAMERA))
    known = joint_angles(Poses3D(xyz, BODY_27, 50.0, CAMERA, up=up))
    assert abs(level["pelvis_anterior_tilt"][0]) == pytest.approx(25, abs=1e-2)
    assert known["pelvis_anterior_tilt"] == pytest.approx(0, abs=1e-2)
    world = np.stack([-figure()[:, 2], -figure()[:, 0], figure()[:, 1]], -1)  # faces -y, z up
    found = joint_angles(Poses3D(world[None], BODY_27, 50.0, WORLD))
    assert found["pelvis_heading"] == pytest.approx(0, abs=1e-3)
    assert found["trunk_lean"] == pytest.approx(0, abs=1e-3)


def test_headings_go_on_over_a_full_turn():
    found = angles_of(*(figure(pelvis=turn(Y, degrees)) for degrees in range(0, 720, 30)))
    assert found["pelvis_heading"] == pytest.approx(np.arange(0, 720, 30), abs=1e-2)


def test_what_was_not_seen_is_marked():
    xyz = in_camera(np.array([figure()] * 4))
    observed = np.full((4, 27), 0.8)
    observed[1, BODY_27.index("right_ankle")] = 0
    found = joint_angles(Poses3D(xyz, BODY_27, 50.0, observed=observed, gap=np.array([False, False, True, True])))
    knee, hip = (found.names.index(name) for name in ("knee_angle_r", "hip_flexion_r"))
    assert found.observed[:2, knee] == pytest.approx([0.8, 0])
    assert found.observed[1, hip] == pytest.approx(0.8)
    assert np.isfinite(found.degrees[1, knee])
    assert np.isnan(found.degrees[2:]).all()


def test_impossible_angles_are_marked():
    found = angles_of(figure(right_leg=(turn(X, 70), 0.0)), figure())
    column = found.names.index("hip_adduction_r")
    assert found.plausible[:, column].tolist() == [False, True]
    assert RANGES["hip_adduction"][1] < 70


def test_skeletons_give_the_angles_that_their_joints_define():
    poses = Poses3D(in_camera(np.array([figure(right_leg=(turn(Z, 40), 30.0))] * 3)), BODY_27, 50.0)
    body = joint_angles(convert_poses(poses, H36M_17))
    assert "ankle_angle_r" not in body.names and "neck_flexion" not in body.names
    assert body["hip_flexion_r"] == pytest.approx(40, abs=1e-2)
    coco = joint_angles(convert_poses(poses, COCO_17))
    assert coco["knee_angle_r"] == pytest.approx(30, abs=1e-2)
    assert coco["hip_flexion_r"] == pytest.approx(40, abs=1e-2)
    with pytest.raises(SkeletonError, match="neither arms nor legs"):
        joint_angles(Poses3D(np.zeros((1, 1, 3)), Skeleton("POINT", ("pelvis",), (-1,)), 50.0))
    with pytest.raises(SkeletonError, match="knee_angle_r"):
        body["knee_angel_r"]


def test_joints_upon_each_other_have_no_angle():
    xyz = in_camera(np.array([figure()]))
    xyz[0, BODY_27.index("left_hip")] = xyz[0, BODY_27.index("right_hip")]
    found = joint_angles(replace(Poses3D(xyz, BODY_27, 50.0)))
    assert np.isnan(found["pelvis_heading"]).all()
    assert np.isnan(found["hip_flexion_r"]).all()
