"""Pictures and videos of poses, decoded again."""

from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from poselift.cli import main
from poselift.errors import FormatError, MissingExtraError, OutputExistsError, ShapeError
from poselift.formats import save_poses, write_keypoints
from poselift.geometry.camera import Camera, look_at
from poselift.render import render
from poselift.render.figure import LEFT, RIGHT
from poselift.sequence import Keypoints2D, Poses3D
from poselift.skeleton import BODY_27

image = pytest.importorskip("PIL.Image")
VIDEO = Path(str(resources.files("poselift") / "data" / "demo_video.mp4"))


@pytest.fixture
def poses(person: np.ndarray) -> Poses3D:
    """Ten frames in the world, seen by a camera; in frame 4 no joint is seen, 6 is a gap, and in 8 an arm is not."""
    xyz = np.repeat((person - person[0])[None], 10, 0)
    observed = np.ones((10, 27))
    observed[4] = observed[6] = 0
    observed[8, BODY_27.indices(["left_elbow", "left_wrist"])] = 0
    R, t = look_at(np.array([0.0, 4.0, 1.0]), np.array([0, 0, 0.95]))
    K = np.array([[420.0, 0, 319.5], [0, 420, 239.5], [0, 0, 1]])
    return Poses3D(
        xyz, BODY_27, 25.0, "world", path=np.tile([0, 0, 0.95], (10, 1)), observed=observed, gap=np.arange(10) == 6,
        camera=Camera(R, t, K, image_size=(640, 480)), start_s=0.2,
    )  # fmt: skip


def pixels(path: Path) -> np.ndarray:
    return np.asarray(image.open(path).convert("RGB")).astype(int)


def near(picture: np.ndarray, xy: np.ndarray, colour: tuple[int, int, int]) -> bool:
    """Whether the pixels around a place have a colour."""
    x, y = np.round(xy).astype(int)
    return bool((np.abs(picture[y - 1 : y + 2, x - 1 : x + 2] - colour).max(-1) < 30).all())


def test_joints_are_drawn_where_the_camera_sees_them(tmp_path: Path, poses: Poses3D) -> None:
    render(poses, tmp_path / "a.png", frames=[0])
    picture = pixels(tmp_path / "a.png")
    assert picture.shape == (480 + 20, 640 + 480, 3)
    wanted = poses.camera.project(poses.xyz[0] + poses.path[0])
    for name, colour in {"left_wrist": LEFT, "right_wrist": RIGHT, "left_knee": LEFT, "right_ankle": RIGHT}.items():
        assert near(picture, wanted[BODY_27.index(name)], colour), name
    assert not near(picture, wanted[BODY_27.index("left_wrist")] + 40, LEFT)
    half = replace(poses, camera=replace(poses.camera, image_size=(1280, 960)), spread=np.full((10, 27), 0.1))
    render(half, tmp_path / "b.png", frames=[0])
    discs = pixels(tmp_path / "b.png")
    knee = wanted[BODY_27.index("left_knee")] / 2
    assert near(discs, knee, LEFT)
    beside = discs[round(knee[1]), round(knee[0]) + 4]
    assert beside[0] > beside[2] + 15  # the ellipse, faint orange


def test_what_is_not_seen_is_fainter(tmp_path: Path, poses: Poses3D) -> None:
    render(poses, tmp_path / "a.png", frames=[0, 4, 6, 8])
    strips = pixels(tmp_path / "a.png").reshape(4, 500, 1120, 3)[:, :480, :640]
    bright = [(np.abs(strip - RIGHT).max(-1) < 20).sum() for strip in strips]
    assert bright[0] > 300 and max(bright[1:3]) < 20  # no full colours, but where faint lines cross
    assert abs(int(bright[3]) - int(bright[0])) < 20  # the right side is seen in frame 8
    orange = [(np.abs(strip - LEFT).max(-1) < 20).sum() for strip in strips]
    assert orange[3] < 0.8 * orange[0]
    drawn = [(strip.max(-1) > 60).sum() for strip in strips]
    assert 0.2 * drawn[0] < drawn[2] < drawn[0]  # still there, dashed
    words = pixels(tmp_path / "a.png").reshape(4, 500, 1120, 3)[:, :60, 640:]
    red = [((words[n, ..., 0] > 200) & (words[n, ..., 1] < 120)).sum() for n in range(4)]
    assert red[0] == red[3] == 0 and min(red[1:3]) > 50  # "not seen", "gap"
    bar = pixels(tmp_path / "a.png")[490]
    assert bar[int(1120 * 0.65)].tolist() == [240, 90, 80]
    assert bar[int(1120 * 0.425)].tolist() == [120, 120, 120]


def test_a_video_has_every_frame(tmp_path: Path, poses: Poses3D) -> None:
    av = pytest.importorskip("av")
    done = []
    render(poses, tmp_path / "a.mp4", height=240, progress=lambda *now: done.append(now))
    assert done[-1] == (10, 10)
    with av.open(str(tmp_path / "a.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert float(container.streams.video[0].average_rate) == 25
    assert len(frames) == 10 and frames[0].shape == (250, 560, 3)
    render(poses, tmp_path / "a.png", frames=[3], height=240)
    assert np.abs(frames[3].astype(int) - pixels(tmp_path / "a.png")).mean() < 6
    assert (tmp_path / "a.mp4").read_bytes()[4:8] == b"ftyp"


def test_over_a_video(tmp_path: Path, poses: Poses3D) -> None:
    pytest.importorskip("av")
    from poselift.detect.video import read_frames

    flat = Poses3D(poses.xyz[..., [0, 2, 1]] * (1, -1, 1), BODY_27, 30.0, "turned_camera", start_s=0.5)
    xy = 120 * flat.xyz[..., :2] + (440, 250)
    keypoints = Keypoints2D(xy, None, BODY_27, 30.0, (884, 496))
    render(flat, tmp_path / "a.png", video=VIDEO, keypoints=keypoints, frames=[2], height=496)
    picture = pixels(tmp_path / "a.png")
    assert picture.shape[1] == 884 + 496
    assert near(picture, xy[2, BODY_27.index("right_wrist")], RIGHT)
    frame = [rgb for _, rgb in read_frames(VIDEO)][17].astype(int)  # 0.5 s and two frames
    assert np.abs(picture[100:300, 20:200] - frame[100:300, 20:200]).mean() < 4


def test_without_places_there_is_a_view_from_the_front(tmp_path: Path, poses: Poses3D) -> None:
    render(replace(poses, path=None), tmp_path / "a.png")
    assert pixels(tmp_path / "a.png").shape == (500, 960, 3)


def test_a_video_without_places_says_so(tmp_path: Path, poses: Poses3D, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("av")
    render(Poses3D(poses.xyz, BODY_27, 25.0), tmp_path / "a.png", video=VIDEO)
    assert "nothing says where the figure is in the picture" in caplog.text


def test_what_cannot_be_drawn_is_refused(tmp_path: Path, poses: Poses3D, monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong, options, words in (
        ("a.gif", {}, r"ends in \.mp4 or \.png, got '\.gif'"),
        ("a.png", {"frames": [10]}, r"frames from 0 to 9 \(--frames\), got 10"),
        ("a.png", {"frames": list(range(10)) * 3}, "1 to 20 frames for a picture .* got 30"),
        ("a.png", {"height": 5000}, "a height from 120 to 2160 pixels"),
    ):
        with pytest.raises((FormatError, ShapeError), match=words):
            render(poses, tmp_path / wrong, **options)
    with pytest.raises(ShapeError, match="people over the same frames, got 10, 4"):
        render([poses, poses.part(0, 3)], tmp_path / "a.png")
    with pytest.raises(ShapeError, match="of a picture of 640 x 480 pixels, and the video has 884 x 496"):
        render(poses, tmp_path / "a.png", video=VIDEO)
    (tmp_path / "there.png").write_text("precious")
    with pytest.raises(OutputExistsError):
        render(poses, tmp_path / "there.png")
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    with pytest.raises(MissingExtraError, match=r"needs Pillow; run: pip install .*\[render\]"):
        render(poses, tmp_path / "a.png")
    assert [file.name for file in tmp_path.iterdir()] == ["there.png"]


def test_the_verb(tmp_path: Path, poses: Poses3D, capsys: pytest.CaptureFixture[str]) -> None:
    save_poses(replace(poses, person=1), tmp_path / "a.npz")
    save_poses(replace(poses, person=2), tmp_path / "b.npz")

    def run(*arguments: object) -> int:
        return main(["render", *map(str, arguments)])

    assert run(tmp_path / "a.npz", tmp_path / "b.npz", "-o", tmp_path / "x.png", "--frames", 1, 2, "--height", 200) == 0
    assert pixels(tmp_path / "x.png").shape[0] == 2 * 208
    assert run(tmp_path / "a.npz", "-o", tmp_path / "x.png") == 1
    assert run(tmp_path / "a.npz", "-o", tmp_path / "x.png", "--force", "--person", 3) == 1
    assert run("-o", tmp_path / "y.png") == 1
    write_keypoints(Keypoints2D(np.zeros((10, 27, 2)), None, BODY_27, 25.0, person=7), tmp_path / "k.npz")
    assert run(tmp_path / "a.npz", tmp_path / "b.npz", "-o", tmp_path / "y.png", "--keypoints", tmp_path / "k.npz") == 1
    said = " ".join(capsys.readouterr().err.split())
    for words in ("x.png exists and is kept", "there is no person 3", "nothing to draw", "no keypoints of person 1, 2"):
        assert words in said
