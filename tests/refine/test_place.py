import logging
from dataclasses import replace

import numpy as np
import pytest

import poselift as pl
from poselift.errors import FormatError, KindError, ShapeError
from poselift.geometry.camera import Camera
from poselift.refine.bones import bone_lengths, stature
from poselift.refine.view import View
from poselift.sequence import TURNED_CAMERA, WORLD
from poselift.skeleton import BODY_27
from tests.refine.stage import Actor, camera_at, seen, walking

CAMERA_ = camera_at()
HEIGHT = stature(bone_lengths(pl.Poses3D(walking()[0] - walking()[0][:, :1], BODY_27, 30.0)), BODY_27)


def actor(**options) -> Actor:
    return seen(*walking(), CAMERA_, **options)


def off(scene: pl.Scene, truth: np.ndarray, person: int = 0) -> np.ndarray:
    """(T, J) metres: how far joints are from where they are, both as the camera sees them."""
    found = scene.camera.to_camera(scene.people[person].absolute().astype(np.float64))
    return np.linalg.norm(found - CAMERA_.to_camera(truth), axis=-1)


@pytest.fixture(scope="module")
def scene() -> pl.Scene:
    return pl.place([actor().pair], height_m=HEIGHT)


def test_somebody_who_walks_is_placed_where_they_walk(scene):
    truth, _ = walking()
    assert off(scene, truth).mean() < 0.05
    (poses,) = scene.people
    assert poses.frame == WORLD
    assert poses.skeleton == BODY_27
    way = poses.path[-1] - poses.path[0]
    assert np.linalg.norm(way) == pytest.approx(np.linalg.norm(truth[-1, 0] - truth[0, 0]), rel=0.03)
    assert abs(way[2]) < 0.03


def test_the_world_is_upright_with_the_floor_at_0_and_the_first_place_as_its_origin(scene):
    (poses,) = scene.people
    up = np.rad2deg(np.arccos(scene.camera.R[:, 2] @ CAMERA_.R[:, 2]))
    assert up < 1.5
    np.testing.assert_allclose(poses.path[0, :2], 0, atol=0.02)
    feet = poses.absolute()[:, BODY_27.indices(("left_heel", "right_big_toe"))]
    assert abs(np.percentile(feet[..., 2], 10)) < 0.03
    assert feet[..., 2].min() > -0.01
    np.testing.assert_array_equal(poses.up, np.tile(np.float32([0, 0, 1]), (len(poses), 1)))
    ahead = scene.camera.to_camera(np.array([[0.0, 0, 1], [1, 0, 1], [0, 1, 1]]))
    assert ahead[1, 0] > ahead[0, 0] + 0.9  # x to the right
    assert ahead[2, 2] > ahead[0, 2] + 0.9  # y away from the camera
    assert scene.camera.centre[2] == pytest.approx(1.6, abs=0.08)


def test_absolute_is_the_joints_on_the_path_and_is_seen_where_the_keypoints_are(scene):
    (poses,) = scene.people
    np.testing.assert_array_equal(poses.absolute(), poses.xyz + poses.path[:, None])
    assert poses.absolute().dtype == np.float32
    pixels = scene.camera.project(poses.absolute())
    assert np.median(np.linalg.norm(pixels - actor().keypoints.xy, axis=-1)) < 5
    np.testing.assert_array_equal(poses.camera.R, scene.camera.R)


def test_poses_that_nothing_placed_have_no_place():
    with pytest.raises(ShapeError, match="place them first"):
        actor().poses.absolute()


def test_bones_are_constant_and_as_long_as_the_height_says(scene):
    (poses,) = scene.people
    parents, children = (list(ends) for ends in zip(*BODY_27.bones, strict=True))
    lengths = np.linalg.norm(poses.xyz[:, children] - poses.xyz[:, parents], axis=-1)
    assert lengths.std(0).max() < 2e-3
    assert stature(bone_lengths(poses), BODY_27) == pytest.approx(HEIGHT, rel=0.01)
    larger = pl.place([actor(scale=1.2).pair], height_m=HEIGHT).people[0]
    assert stature(bone_lengths(larger), BODY_27) == pytest.approx(HEIGHT, rel=0.01)


def test_standing_feet_stand(scene):
    (poses,) = scene.people
    _, contact = walking()
    points = poses.absolute()[:, BODY_27.indices(pl.sequence.CONTACTS)]
    firm = np.lib.stride_tricks.sliding_window_view(contact, 6, axis=0).min(-1) > 0  # no frame at an end of a stance
    stands = np.zeros((len(contact) - 1, 4), bool)
    stands[2:-2] = firm
    assert stands.sum() > 100
    lifted = (actor().poses.xyz @ CAMERA_.R + walking()[0][:, :1])[:, BODY_27.indices(pl.sequence.CONTACTS)]
    slides = [np.linalg.norm(np.diff(feet, axis=0), axis=-1)[stands].mean() for feet in (lifted, points)]
    assert slides[0] > 0.015  # each joint trembles by 10 mm an axis
    assert slides[1] < 0.006


def test_poses_turned_to_the_person_are_turned_back():
    turned = pl.place([actor(frame=TURNED_CAMERA).pair], height_m=HEIGHT, focal_px=1000.0)
    assert off(turned, walking()[0]).mean() < 0.08  # their axes are those of the mean direction of 1.6 s


def test_another_focal_length_than_the_poses_have_changes_the_depth():
    near, far = (pl.place([actor().pair], height_m=HEIGHT, focal_px=focal) for focal in (900.0, 1200.0))
    depth = [np.linalg.norm(scene.camera.centre[:2]) for scene in (near, far)]
    assert depth[1] / depth[0] == pytest.approx(1200 / 900, rel=0.03)
    assert [scene.camera.K[0, 0] for scene in (near, far)] == [900, 1200]


def test_two_people_stand_on_one_floor_at_their_distance():
    first, second = walking(), walking(ahead=(-1, 0.3), start=(2.5, 1.5))
    people = [seen(*first, CAMERA_), seen(*second, CAMERA_, seed=1)]
    scene = pl.place([person.pair for person in people], height_m=[HEIGHT, HEIGHT])
    found = np.linalg.norm(scene.people[0].path - scene.people[1].path, axis=1)
    true = np.linalg.norm(first[0][:, 0] - second[0][:, 0], axis=1)
    assert np.median(np.abs(found / true - 1)) < 0.05
    for person in scene.people:
        soles = person.absolute()[:, BODY_27.indices(("left_heel", "right_heel"))][..., 2].min(1)
        assert abs(np.median(soles)) < 0.03


def test_pitch_and_roll_can_be_given():
    up = CAMERA_.R[:, 2]
    pitch, roll = np.rad2deg(np.arcsin(-up[2])), 0.0
    given = pl.place([actor(up_error_deg=20).pair], height_m=HEIGHT, pitch_deg=pitch, roll_deg=roll)
    np.testing.assert_allclose(given.camera.R[:, 2], up, atol=1e-6)
    assert "the pitch and roll given" in str(given.report)


def test_17_joints_are_placed_and_what_they_lack_is_said():
    person = actor()
    poses = pl.convert_poses(person.poses, pl.H36M_17)
    scene = pl.place([(person.keypoints, replace(poses, up=None, contact=None, spread=None))], height_m=HEIGHT)
    truth = walking()[0][:, :17]
    assert off(scene, truth).mean() < 0.15
    assert any("BODY_27" in warning for warning in scene.report.warnings)


def test_what_is_guessed_is_said_with_the_flag_that_decides_it():
    person = actor()
    scene = pl.place([(person.keypoints, replace(person.poses, camera=None))])
    warnings = " ".join(scene.report.warnings)
    assert "--focal" in warnings
    assert "--height" in warnings
    assert not pl.place([person.pair], height_m=HEIGHT).report.warnings


def test_gaps_stay_marked_and_the_person_is_found_beyond_them():
    person = actor()
    gap = np.zeros(len(person.poses), bool)
    gap[50:70] = True
    observed = np.where(gap[:, None], 0, person.poses.observed)
    xy = np.where(gap[:, None, None], np.nan, person.keypoints.xy)
    scene = pl.place(
        [(replace(person.keypoints, xy=xy), replace(person.poses, gap=gap, observed=observed))], height_m=HEIGHT
    )
    np.testing.assert_array_equal(scene.people[0].gap, gap)
    assert off(scene, walking()[0])[~gap].mean() < 0.08


def test_people_are_placed_by_the_keypoints_that_were_lifted():
    """Repaired as `lift` repairs them, unless it was told not to; who is elsewhere for a moment has no place there."""
    person = actor()
    xy = person.keypoints.xy.copy()
    xy[30:33] += 5000
    xy[60:63] = xy[60:63][:, list(BODY_27.flipped)]
    wrong, right = replace(person.keypoints, xy=xy), View.of(*person.pair, CAMERA_)
    view = View.of(wrong, person.poses, CAMERA_)
    assert not view.keypoints.seen[30:33].any()
    legs = BODY_27.indices([f"{side}_{joint}" for side in ("left", "right") for joint in ("knee", "ankle")])
    np.testing.assert_array_equal(view.keypoints.xy[60:63][:, list(legs)], person.keypoints.xy[60:63][:, list(legs)])
    np.testing.assert_allclose(view.poses.xyz, right.poses.xyz, atol=2e-3)
    raw = View.of(wrong, replace(person.poses, about={"repair": "off"}), CAMERA_)
    np.testing.assert_array_equal(raw.keypoints.xy, xy)


def test_a_treadmill_is_noticed_and_can_be_said():
    xyz, contact = walking(seconds=5)
    carried = xyz - (xyz[:, :1] - xyz[:1, :1]) * [1, 1, 0]  # the belt takes back what is walked
    person = seen(carried, contact, CAMERA_)
    unknown = pl.place([person.pair], height_m=HEIGHT)
    assert "--no-contacts" in " ".join(unknown.report.warnings)
    assert unknown.people[0].path is None  # it may as well be the camera that moves
    noticed = pl.place([person.pair], height_m=HEIGHT, still=True)
    assert "--no-contacts" in " ".join(noticed.report.warnings)
    said = pl.place([person.pair], height_m=HEIGHT, contacts=False)
    for scene in (noticed, said):
        assert np.ptp(scene.people[0].path[:, :2], axis=0).max() < 0.15
        swing = np.ptp(scene.people[0].absolute()[:, BODY_27.index("left_heel"), :2], axis=0).max()
        assert swing > 0.5


def test_the_camera_of_the_result_can_be_written_and_read(tmp_path, scene):
    for ending in ("npz", "json"):
        pl.save_poses(scene.people[0], tmp_path / f"clip.{ending}")
        back = pl.read_poses(tmp_path / f"clip.{ending}")
        assert back.frame == WORLD
        np.testing.assert_allclose(back.absolute(), scene.people[0].absolute(), atol=1e-3)
        np.testing.assert_allclose(back.camera.t, scene.camera.t)


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_very_short_clips_are_placed(frames):
    xyz, contact = walking()
    person = seen(xyz[:frames], contact[:frames], CAMERA_)
    assert off(pl.place([person.pair], height_m=HEIGHT), xyz[:frames]).mean() < 0.3


def test_wrong_arguments_say_what_was_wanted():
    person = actor()
    with pytest.raises(ShapeError, match="nobody to place"):
        pl.place([])
    with pytest.raises(KindError):
        pl.place([(person.poses, person.keypoints)])
    with pytest.raises(KindError, match=r"place\(\[\(keypoints, poses\)\]\)"):
        pl.place(person.pair)
    with pytest.raises(ShapeError, match="wanted pairs"):
        pl.place([(person.keypoints, person.poses, 1.8)])
    with pytest.raises(ShapeError, match="90 frames at 30 fps and 60"):
        pl.place([(person.keypoints, person.poses.part(0, 59))])
    with pytest.raises(ShapeError, match="one for each of 1 people"):
        pl.place([person.pair], height_m=[1.7, 1.8])
    with pytest.raises(ShapeError, match="0.5 to 2.6 metres"):
        pl.place([person.pair], height_m=170)
    with pytest.raises(ShapeError, match="--focal"):
        pl.place([person.pair], focal_px=5.0)
    unsized = replace(person.keypoints, image_size=None), replace(person.poses, camera=None)
    with pytest.raises(FormatError, match="--image-size"):
        pl.place([unsized])
    with pytest.raises(FormatError, match="placed already"):
        pl.place([(person.keypoints, pl.place([person.pair]).people[0])])
    unseen = replace(person.keypoints, xy=np.full_like(person.keypoints.xy, np.nan))
    with pytest.raises(ShapeError, match="nobody to place"):
        pl.place([(unseen, person.poses)])


def test_a_lens_that_distorts_is_taken_into_account():
    bent = Camera(CAMERA_.R, CAMERA_.t, CAMERA_.K, np.array([-0.25, 0.08, 0, 0]), image_size=(1280, 720))
    person = seen(*walking(ahead=(1, 0), start=(-1, 0)), bent)
    own = Camera(np.eye(3), np.zeros(3), bent.K, bent.dist, image_size=(1280, 720))
    scene = pl.place([(person.keypoints, replace(person.poses, camera=own))], height_m=HEIGHT)
    assert off(scene, person.xyz).mean() < 0.06


def test_nothing_is_logged(caplog):
    with caplog.at_level(logging.INFO):
        pl.place([actor().pair], height_m=HEIGHT)
    assert not caplog.records


def test_the_report_says_of_whom_it_is():
    people = [(replace(k, person=n), replace(p, person=n)) for n, (k, p) in enumerate([actor().pair, actor().pair], 1)]
    report = str(pl.place(people, height_m=HEIGHT, pitch_deg=7).report)
    for step in ("smooth", "bones", "path", "feet"):
        assert f"{step}: person 1: " in report
        assert f"{step}: person 2: " in report
    assert "person" not in str(pl.place([actor().pair], height_m=HEIGHT).report)
    assert report.count("the pitch given") == 1
