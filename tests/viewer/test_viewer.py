import base64
import json
import re
import sys
import zlib
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poselift.errors import OutputExistsError, ShapeError
from poselift.geometry.camera import Camera, look_at
from poselift.refine.angles import joint_angles
from poselift.sequence import Keypoints2D, Poses3D
from poselift.skeleton import BODY_27, COCO_17, H36M_17, HALPE_26, SKELETONS, Skeleton
from poselift.viewer import SmallCopy, small_copy, write_viewer
from poselift.viewer.packing import packed


class Page(HTMLParser):
    """A written page as a browser reads it: every tag, and the text of what was asked for."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self._open = [], {}, None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append((tag, attributes))
        self._open = attributes.get("id", tag)

    def handle_endtag(self, tag):
        self._open = None

    def handle_data(self, data):
        self.text[self._open] = self.text.get(self._open, "") + data

    @property
    def data(self):
        return json.loads(self.text["data"])

    @property
    def person(self):
        """What it holds of somebody who is alone on it."""
        (person,) = self.data["people"]
        return person


def make_poses(frames=12, skeleton=H36M_17, fps=25.0, scale=0.5):
    xyz = np.random.default_rng(0).normal(0, scale, (frames, len(skeleton), 3))
    return Poses3D(xyz, skeleton, fps)


def make_keypoints(frames=12, skeleton=COCO_17, size=(1920, 1080), confidence=True):
    rng = np.random.default_rng(1)
    xy = rng.uniform(0, 1080, (frames, len(skeleton), 2))
    return Keypoints2D(xy, rng.uniform(0.1, 1, xy.shape[:2]) if confidence else None, skeleton, 25.0, size)


def written(tmp_path, poses, **options) -> Page:
    path = tmp_path / "page.html"
    write_viewer(poses, path, **options)
    return Page(path.read_text(encoding="utf-8"))


def unpacked(packed):
    """The array that a page holds: int16, deflated, low bytes before high ones, differences column by column."""
    planes = np.frombuffer(zlib.decompress(base64.b64decode(packed["data"], validate=True)), np.uint8).reshape(2, -1)
    steps = np.ascontiguousarray(planes.T).view("<i2").reshape(-1, packed["shape"][0])
    whole = np.cumsum(steps, axis=1, dtype=np.int16).T.reshape(packed["shape"])
    return np.where(whole == -32768, np.nan, whole * packed["unit"])


def test_poses_round_to_a_millimetre(tmp_path):
    poses = make_poses()
    data = written(tmp_path, poses).data
    (person,) = data["people"]
    assert person["xyz"]["unit"] == 0.001
    np.testing.assert_allclose(unpacked(person["xyz"]), poses.xyz, atol=0.00051)
    assert person["joints"] == list(H36M_17.joints)
    assert [tuple(bone) for bone in person["bones"]] == list(H36M_17.bones)
    assert (data["fps"], data["frames"]) == (25.0, 12)
    assert person["keypoints"] is None
    assert data["picture"] is None


def test_the_page_knows_what_was_observed_and_where_the_gaps_are(tmp_path):
    observed = np.random.default_rng(2).uniform(0.1, 1, (12, 17))
    observed[3:8] = 0
    poses = replace(make_poses(), observed=observed, gap=np.arange(12) == 5)
    data = written(tmp_path, poses).person
    np.testing.assert_allclose(unpacked(data["observed"]), observed, atol=0.0051)
    assert (data["gaps"], data["unseen"]) == ([[5, 5]], [[3, 7]])
    (tmp_path / "page.html").unlink()
    data = written(tmp_path, make_poses()).person
    assert (data["observed"], data["gaps"], data["unseen"]) == (None, [], [])


def test_the_page_knows_how_far_off_joints_may_be_which_way_is_up_and_what_stands_still(tmp_path):
    spread, contact = np.linspace(0, 0.3, 17).repeat(12).reshape(17, 12).T, np.linspace(0, 1, 48).reshape(12, 4)
    poses = replace(make_poses(), spread=spread, up=np.tile([0.6, -0.8, 0], (12, 1)), contact=contact)
    data = written(tmp_path, poses).person
    np.testing.assert_allclose(unpacked(data["radius"]), poses.radius(0.5), atol=6e-4)
    np.testing.assert_allclose(unpacked(data["up"]), np.tile([0.6, -0.8, 0], (12, 1)), atol=6e-4)
    np.testing.assert_allclose(unpacked(data["contact"]), contact, atol=0.006)
    ankles = [H36M_17.index(f"{side}_ankle") for side in ("left", "left", "right", "right")]
    assert data["contacts"] == ankles  # it has no heels and toes
    feet = Poses3D(np.zeros((2, 27, 3)), BODY_27, 25.0)
    heels = BODY_27.indices(("left_heel", "left_big_toe", "right_heel", "right_big_toe"))
    plain = written(tmp_path, feet, overwrite=True).person
    assert plain["contacts"] == list(heels) and (plain["radius"], plain["up"], plain["contact"]) == (None, None, None)


def test_far_joints_take_a_coarser_unit(tmp_path):
    poses = make_poses(scale=100)
    packed = written(tmp_path, poses).person["xyz"]
    assert packed["unit"] > 0.001
    np.testing.assert_allclose(unpacked(packed), poses.xyz, atol=0.51 * packed["unit"])


def test_keypoints_round_to_a_tenth_of_a_pixel_and_keep_gaps(tmp_path):
    keypoints = make_keypoints()
    keypoints.xy[3, 5] = np.nan
    keypoints.confidence[4, 6] = 0
    figure = written(tmp_path, make_poses(), keypoints=keypoints).person["keypoints"]
    xy = unpacked(figure["xy"])
    assert np.argwhere(np.isnan(xy).any(-1)).tolist() == [[3, 5], [4, 6]]
    np.testing.assert_allclose(xy[keypoints.seen], keypoints.xy[keypoints.seen], atol=0.051)
    np.testing.assert_allclose(unpacked(figure["confidence"]), keypoints.confidence, atol=0.0051)
    assert figure["joints"] == list(COCO_17.joints)


def test_keypoints_may_come_without_confidence_and_in_4k_portrait(tmp_path):
    keypoints = make_keypoints(skeleton=HALPE_26, size=(2160, 3840), confidence=False)
    keypoints.xy[0, 0] = (2159.5, 3839.5)
    data = written(tmp_path, make_poses(), keypoints=keypoints).data
    assert data["people"][0]["keypoints"]["confidence"] is None
    assert data["picture"] == {"box": [0, 0, 2160, 3840], "whole": True}
    np.testing.assert_allclose(unpacked(data["people"][0]["keypoints"]["xy"])[0, 0], (2159.5, 3839.5), atol=0.1)


def test_without_image_size_the_picture_is_all_keypoints_with_a_margin(tmp_path):
    keypoints = make_keypoints(size=None)
    picture = written(tmp_path, make_poses(), keypoints=keypoints).data["picture"]
    x, y, width, height = picture["box"]
    low, high = keypoints.xy.min((0, 1)), keypoints.xy.max((0, 1))
    margin = 0.08 * (high - low).max()
    np.testing.assert_allclose([x, y], low - margin, rtol=1e-4)
    np.testing.assert_allclose([x + width, y + height], high + margin, rtol=1e-4)
    assert not picture["whole"]


def test_keypoints_that_were_never_seen(tmp_path):
    keypoints = Keypoints2D(np.full((12, 17, 2), np.nan), None, COCO_17, 25.0)
    data = written(tmp_path, make_poses(), keypoints=keypoints).data
    assert np.isnan(unpacked(data["people"][0]["keypoints"]["xy"])).all()
    assert min(data["picture"]["box"][2:]) > 0


def test_one_frame(tmp_path):
    data = written(tmp_path, make_poses(1), keypoints=make_keypoints(1)).data
    assert data["frames"] == 1
    assert data["people"][0]["xyz"]["shape"] == [1, 17, 3]


def test_ten_thousand_frames_stay_small(tmp_path):
    path = tmp_path / "long.html"
    write_viewer(make_poses(10_000), path, keypoints=make_keypoints(10_000))
    assert path.stat().st_size < 4e6


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)
def test_every_skeleton_has_hips_and_shoulders_joined(tmp_path, skeleton):
    figure = written(tmp_path, make_poses(2, skeleton)).person
    near = {joint: set() for joint in range(len(skeleton))}
    for a, b in figure["bones"]:
        near[a].add(b)
        near[b].add(a)
    for part in ("hip", "shoulder"):
        left, right = skeleton.indices([f"left_{part}", f"right_{part}"])
        assert right in near[left] or near[left] & near[right]


def test_page_asks_for_nothing_outside(tmp_path):
    page = written(tmp_path, make_poses(), keypoints=make_keypoints())
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert not re.search(r"https?:|@import|url\(|fetch\(|XMLHttpRequest|WebSocket|import\(", text)
    assert "@@" not in text
    policy = next(a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none';")
    assert not re.search(r"\*|http|connect-src|img-src", policy)
    for tag, attributes in page.tags:
        assert not {"src", "href", "srcset", "action"} & attributes.keys(), (tag, attributes)


@pytest.fixture(scope="module")
def tags(tmp_path_factory) -> list[str]:
    """Those of a page with a plain title."""
    return [tag for tag, _ in written(tmp_path_factory.mktemp("plain"), make_poses(1), title="plain").tags]


@given(
    title=st.text(max_size=30) | st.sampled_from(["</script><script>alert(1)", "<!--<script>", "@@DATA@@", "\udcff"])
)
def test_any_title_comes_back_and_adds_no_tag(tmp_path_factory, tags, title):
    folder = tmp_path_factory.mktemp("title")
    page = written(folder, make_poses(1), title=title)
    assert page.data["title"] == title
    assert [tag for tag, _ in page.tags] == tags


def test_title_is_escaped_once_and_defaults_to_the_file_name(tmp_path):
    assert "<title>a &amp; &lt;b&gt;</title>" in _text(tmp_path / "a.html", title="a & <b>")
    assert "<title>walk 1</title>" in _text(tmp_path / "walk 1.html")


def _text(path: Path, **options) -> str:
    write_viewer(make_poses(1), path, **options)
    return path.read_text(encoding="utf-8")


def test_joint_names_cannot_end_the_script(tmp_path):
    skeleton = Skeleton("odd", ("</script><img>", "left_<!--"), (-1, 0))
    page = written(tmp_path, make_poses(2, skeleton))
    assert page.person["joints"] == list(skeleton.joints)
    assert "img" not in [tag for tag, _ in page.tags]


def test_a_copy_of_a_video_is_embedded_and_gives_the_picture_its_size(tmp_path):
    copy = SmallCopy(b"\x00mp4\xff", (1080, 1920))
    page = written(tmp_path, make_poses(), keypoints=make_keypoints(size=None), video=copy)
    assert base64.b64decode(page.text["video-data"], validate=True) == b"\x00mp4\xff"
    assert page.data["picture"] == {"box": [0, 0, 1080, 1920], "whole": True}


def test_long_videos_are_left_out_of_the_page(tmp_path, caplog):
    with caplog.at_level("INFO"):
        assert small_copy(tmp_path / "none.mp4", replace(make_poses(61), fps=0.1)) is None
    assert "610 s of video are not embedded" in caplog.text


def test_whose_continuation_a_person_may_be_is_on_the_page(tmp_path):
    poses = replace(make_poses(), person=3, may_continue=(1, 2))
    assert written(tmp_path, poses).person["doubt"] == "may be the continuation of person 1 or person 2"
    (tmp_path / "page.html").unlink()
    assert written(tmp_path, make_poses()).person["doubt"] == ""


def test_existing_page_is_refused_before_the_video_is_read(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "poselift.detect.video", SimpleNamespace(probe=None, transcode=None))
    (tmp_path / "page.html").write_text("mine")
    with pytest.raises(OutputExistsError):
        write_viewer(make_poses(), tmp_path / "page.html", video="clip.mov")


def test_different_lengths_are_refused(tmp_path):
    with pytest.raises(ShapeError, match="each of the 12 poses, got 11 frames"):
        write_viewer(make_poses(12), tmp_path / "page.html", keypoints=make_keypoints(11))
    assert list(tmp_path.iterdir()) == []


def test_existing_page_is_kept_unless_told(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("mine")
    with pytest.raises(OutputExistsError, match="exists and is kept"):
        write_viewer(make_poses(), path)
    assert path.read_text() == "mine"
    write_viewer(make_poses(), path, overwrite=True)
    assert Page(path.read_text(encoding="utf-8")).data["frames"] == 12


def two_people(frames=30):
    """Two people who walk before a camera, in the world, with numbers."""
    camera = Camera(*look_at(np.array([0.5, -6.0, 1.5]), np.array([0.0, 0.0, 1.0])), K=K, image_size=(1280, 720))
    along = np.linspace(-1, 1, frames)
    people = []
    for number, depth in ((1, 0.0), (2, 1.5)):
        path = np.stack([along * (1 if number == 1 else -1), np.full(frames, depth), np.full(frames, 0.95)], -1)
        poses = Poses3D(make_poses(frames, scale=0.2).xyz, H36M_17, 25.0, frame="world", path=path, camera=camera)
        people.append(replace(poses, person=number, start_s=2.0))
    return people


K = np.array([[1100.0, 0, 639.5], [0, 1100.0, 359.5], [0, 0, 1]])


def test_people_are_where_they_are_before_their_camera(tmp_path):
    people = two_people()
    data = written(tmp_path, people, title="two").data
    assert (data["placed"], data["world"], data["start"]) == (True, True, 2.0)
    assert [person["number"] for person in data["people"]] == [1, 2]
    camera = Camera(data["camera"]["R"], data["camera"]["t"], data["camera"]["K"])
    for person, poses in zip(data["people"], people, strict=True):
        path = unpacked(person["path"])  # x right, y down, z away: the world's x, -z, y
        np.testing.assert_allclose(path, poses.path[:, [0, 2, 1]] * (1, -1, 1), atol=6e-4)
        joints = unpacked(person["xyz"]) + path[:, None]
        np.testing.assert_allclose(camera.project(joints), poses.camera.project(poses.absolute()), atol=0.4)


def test_people_before_a_camera_without_a_world_are_placed_and_turned_ones_are_not(tmp_path):
    seen = Poses3D(make_poses(5).xyz, H36M_17, 25.0, frame="camera", path=np.tile([0.2, 0.1, 5.0], (5, 1)))
    camera = Camera.from_focal(1000, (1280, 720))
    data = written(tmp_path, replace(seen, camera=camera)).data
    assert (data["placed"], data["world"]) == (True, False)
    assert (data["camera"]["R"], data["camera"]["t"]) == (np.eye(3).tolist(), [0, 0, 0])
    np.testing.assert_allclose(unpacked(data["people"][0]["path"]), seen.path, atol=6e-4)
    turned = replace(seen, frame="turned_camera", camera=camera)
    data = written(tmp_path, turned, overwrite=True).data
    assert (data["placed"], data["camera"]) == (False, None)


def test_people_of_whom_one_has_no_path_stand_side_by_side(tmp_path):
    first, second = two_people()
    data = written(tmp_path, [first, replace(second, path=None)]).data
    assert (data["placed"], data["camera"]) == (False, None)


def test_people_of_different_clips_are_refused(tmp_path):
    first, second = two_people()
    for other, said in (
        (second.part(0, 20), "number of frames 30 and 21"),
        (replace(second, fps=30.0), "frame rate 25.0 and 30.0"),
        (replace(second, start_s=0.0), "start_s 2.0 and 0.0"),
        (replace(second, frame="camera"), "frame world and camera"),
    ):
        with pytest.raises(ShapeError, match=said):
            write_viewer([first, other], tmp_path / "page.html")
    with pytest.raises(ShapeError, match="each of the 2 people, or None, got 1"):
        write_viewer([first, second], tmp_path / "page.html", keypoints=[make_keypoints(30)])
    assert list(tmp_path.iterdir()) == []


def test_keypoints_may_be_known_of_some_people_only(tmp_path):
    data = written(tmp_path, two_people(), keypoints=[None, make_keypoints(30)]).data
    assert [person["keypoints"] is None for person in data["people"]] == [True, False]
    assert data["picture"]["box"] == [0, 0, 1920, 1080]


def test_angles_are_those_of_joint_angles_to_half_a_degree(tmp_path):
    poses = replace(make_poses(), gap=np.arange(12) == 4)
    held, angles = written(tmp_path, poses).person["angles"], joint_angles(poses)
    assert held["names"] == list(angles.names)
    np.testing.assert_allclose(unpacked(held["degrees"]), angles.degrees, atol=0.26)  # NaN where they are NaN


@given(
    st.integers(1, 40).flatmap(
        lambda length: st.lists(
            st.lists(st.one_of(st.just(np.nan), st.floats(-40, 40)), min_size=2, max_size=2),
            min_size=length, max_size=length,
        )
    )
)  # fmt: skip
def test_any_array_is_unpacked_to_the_unit(values):
    held = packed(np.array(values), 0.001)
    assert held["unit"] <= 40 / 32767
    np.testing.assert_allclose(unpacked(held), values, atol=0.51 * held["unit"])


def test_a_minute_of_three_people_takes_a_tenth_of_twenty_megabytes(tmp_path):
    """Ten minutes stay below 20 MB; noise as large as a detector's keeps the numbers from becoming small unduly."""
    frames, rng, t = 1800, np.random.default_rng(0), np.arange(1800)[:, None, None] / 30
    people, shown = [], []
    for number in (1, 2, 3):
        phases = rng.uniform(0, 6, (1, 27, 3))
        xyz = 0.4 * np.sin(5 * t + phases) + rng.normal(0, 0.003, (frames, 27, 3))
        observed, spread = rng.uniform(0.5, 1, (frames, 27)), 0.05 + rng.normal(0, 0.002, (frames, 27))
        path = np.cumsum(rng.normal(0, 0.01, (frames, 3)), 0)
        extra = {"observed": observed, "spread": spread, "path": path, "contact": rng.uniform(0, 1, (frames, 4))}
        people.append(Poses3D(xyz, BODY_27, 30.0, frame="world", person=number, **extra))
        xy = 800 + 300 * np.sin(5 * t + phases[:, :26, :2]) + rng.normal(0, 1, (frames, 26, 2))
        shown.append(Keypoints2D(xy, rng.uniform(0.6, 1, (frames, 26)), HALPE_26, 30.0, (1920, 1080)))
    path = tmp_path / "long.html"
    write_viewer(people, path, keypoints=shown)
    assert path.stat().st_size < 2e6


def test_long_videos_become_coarser_and_then_have_no_room(tmp_path, monkeypatch):
    asked = []

    def transcode(video, out, **options):
        asked.append((options["height"], options["bits_a_second"]))
        Path(out).write_bytes(b"mp4")

    probe = SimpleNamespace(width=1920, height=1080)
    monkeypatch.setitem(sys.modules, "poselift.detect.transcode", SimpleNamespace(transcode=transcode))
    span = SimpleNamespace(probe=lambda video: probe, Span=lambda *limits: limits)
    monkeypatch.setitem(sys.modules, "poselift.detect.video", span)
    second = make_poses(25)
    assert small_copy("a.mp4", second).size == (1920, 1080)
    assert asked.pop() == (480, None)
    minutes = replace(make_poses(3000), fps=10.0)  # five
    assert small_copy("a.mp4", minutes, 3)
    ((height, rate),) = asked
    assert height == 240
    assert rate * 300 / 8 * 4 / 3 + 3 * 3000 * 290 == pytest.approx(20e6)
    assert small_copy("a.mp4", minutes, 25) is None  # no room is left
