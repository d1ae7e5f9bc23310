"""The page in a real browser, where one is installed: starts without errors, plays, scrubs, turns."""

import importlib.util
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from poselift.sequence import Keypoints2D, Poses3D
from poselift.skeleton import H36M_17
from poselift.viewer import write_viewer

HERE = Path(__file__).resolve().parent


def _sibling(name: str):
    """A module beside this one; tests are no package."""
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


chromium = _sibling("chromium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium.PROGRAM is None, reason="no Chromium is installed"),
]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = chromium.Chromium(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


def figure(frames: int) -> np.ndarray:
    """(frames, 17, 3): a body with its joints on a slope, swaying."""
    heights = np.linspace(-0.6, 0.9, len(H36M_17))
    sway = 0.2 * np.sin(np.arange(frames) / 5)[:, None] + 0.1 * np.arange(len(H36M_17))
    return np.stack([sway, np.broadcast_to(heights, sway.shape), 0.5 * sway], axis=-1)


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    poses = Poses3D(figure(100), H36M_17, 25.0)
    keypoints = Keypoints2D(poses.xyz[..., :2] * 200 + 400, None, H36M_17, 25.0, (800, 800))
    path = tmp_path_factory.mktemp("viewer") / "page.html"
    write_viewer(poses, path, keypoints=keypoints, title="</script> & <b>")
    return path


def frame(browser) -> int:
    return int(browser.run("document.body.dataset.frame"))


def picture(browser, canvas: str) -> str:
    """What a canvas shows once everything asked for is drawn."""
    return browser.run(
        "new Promise(done => requestAnimationFrame(() => requestAnimationFrame("
        f"() => done(document.getElementById('{canvas}').toDataURL()))))"
    )


def middle(browser, element: str) -> tuple[float, float]:
    x, y = browser.run(
        f"(r => [r.x + r.width / 2, r.y + r.height / 2])(document.getElementById('{element}').getBoundingClientRect())"
    )
    return x, y


def test_page_opens_where_asked_and_asks_for_nothing(browser, page):
    browser.open(f"{page.as_uri()}#frame=42&yaw=30")
    assert frame(browser) == 42
    assert browser.run("document.querySelector('h1').textContent") == "</script> & <b>"
    assert browser.run("document.getElementById('facts').textContent") == "100 frames · 25 fps · 0:04.00"
    assert [address.split("#")[0] for address in browser.requests] == [page.as_uri()]
    assert browser.complaints == []


def test_page_stops_outside_requests(browser, page):
    browser.open(page.as_uri())
    stopped = "fetch('data:text/plain,x').then(() => 'went out', () => 'stopped')"
    assert browser.run(stopped) == "stopped"


# Frames per second between two moments of the page's own clock: a busy machine shows fewer frames, not slower ones.
RATE = """new Promise(done => {
  const start = performance.now(), first = current;
  const look = now => now - start < 600 ? requestAnimationFrame(look) : done((current - first) / (now - start) * 1000);
  requestAnimationFrame(look);
})"""


@pytest.mark.parametrize("speed", [0.5, 1, 2])
def test_page_plays_in_real_time(browser, page, speed):
    browser.open(page.as_uri())
    browser.run(f"document.getElementById('speed').value = '{speed}'")
    browser.press(" ", " ")
    assert browser.run(RATE) == pytest.approx(25 * speed, rel=0.25)
    browser.press(" ", " ")
    stopped = frame(browser)
    time.sleep(0.2)
    assert frame(browser) == stopped
    assert browser.complaints == []


def test_page_plays_around_the_end(browser, page):
    browser.open(f"{page.as_uri()}#frame=95&play=1")
    browser.wait("document.body.dataset.frame < 20")
    assert browser.complaints == []


def test_arrows_step_and_the_bar_scrubs(browser, page):
    browser.open(page.as_uri())
    for key, expected in (("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", 99), ("Home", 0)):
        browser.press(key)
        assert frame(browser) == expected
    before = picture(browser, "picture")
    browser.drag(middle(browser, "bar"), middle(browser, "bar"))
    assert 48 <= frame(browser) <= 51
    assert picture(browser, "picture") != before


def test_gaps_are_marked_on_the_time_line_and_unseen_joints_are_faded(browser, tmp_path):
    poses = Poses3D(np.repeat(figure(1), 100, 0), H36M_17, 25.0)
    observed = np.ones((100, 17))
    observed[40:60] = 0
    known = replace(poses, observed=observed, gap=(np.arange(100) >= 46) & (np.arange(100) < 54))
    write_viewer(known, tmp_path / "page.html")
    browser.open((tmp_path / "page.html").as_uri() + "#frame=10&yaw=30")
    seen, state = picture(browser, "space"), "document.getElementById('state').textContent"
    assert browser.run(state) == ""
    assert "frame 11 of 100" in browser.run("document.getElementById('clock').textContent")
    marks = (
        "[...document.querySelectorAll('#marks i')].map(mark => [mark.className, mark.style.left, mark.style.width])"
    )
    assert browser.run(marks) == [["unseen", "40%", "20%"], ["gap", "46%", "8%"]]
    for number, said in ((42, "nobody seen, filled in"), (50, "gap: nobody seen, invented")):
        browser.open((tmp_path / "page.html").as_uri() + f"#frame={number}&yaw=30")
        assert browser.run(state) == said
        assert picture(browser, "space") != seen  # the same pose, faded
    assert browser.complaints == []


def test_dragging_turns_and_a_double_click_turns_back(browser, page):
    browser.open(page.as_uri())
    home, (x, y) = picture(browser, "space"), middle(browser, "space")
    browser.drag((x, y), (x + 80, y + 20))
    turned = picture(browser, "space")
    assert turned != home
    browser.send("Input.dispatchMouseEvent", type="mouseWheel", x=x, y=y, deltaX=0, deltaY=-200)
    browser.wait("eye.zoom > 1")
    assert picture(browser, "space") not in (home, turned)
    for count in (1, 2):
        for kind in ("mousePressed", "mouseReleased"):
            browser.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=count)
    assert picture(browser, "space") == home


def test_first_view_is_the_cameras(browser, page):
    """Right of the picture is x, down is y, and what is nearer is larger; a positive yaw brings the near side right."""
    browser.open(page.as_uri())
    at = "projector(600, 600).project"
    x, y, depth, scale = browser.run(f"{at}(0, 0, 0)")
    assert x == 300
    assert browser.run(f"{at}(.5, 0, 0)")[0] > x
    assert browser.run(f"{at}(0, .5, 0)")[1] > y
    assert browser.run(f"{at}(0, 0, -.5)")[3] > scale
    browser.run("turn(.5, 0)")
    assert browser.run(f"{at}(0, 0, -.5)")[0] > x
    browser.run("turn(-.5, .5)")
    assert browser.run(f"{at}(0, 0, -.5)")[1] > browser.run(f"{at}(0, 0, .5)")[1]


def test_left_and_right_have_their_colors_in_both_pictures(browser, page):
    browser.open(page.as_uri())
    assert browser.run("JSON.stringify(colors.left) !== JSON.stringify(colors.right)")
    for figure_sides in ("people[0].sides", "people[0].keypoints.sides"):
        sides = browser.run(f"{figure_sides}.joints")
        expected = [name.split("_")[0] if name.startswith(("left_", "right_")) else "middle" for name in H36M_17.joints]
        assert sides == expected
        assert browser.run(f"{figure_sides}.bones") == [expected[child] for _, child in H36M_17.bones]


def test_body_stands_on_the_floor(browser, page):
    browser.open(page.as_uri())
    lowest = figure(100)[..., 1].max(1)
    np.testing.assert_allclose(browser.run("[...people[0].floor]"), lowest, atol=0.001)


def test_page_of_one_frame_without_keypoints(browser, tmp_path):
    path = tmp_path / "one.html"
    write_viewer(Poses3D(figure(1), H36M_17, 25.0), path)
    browser.open(f"{path.as_uri()}#play=1")
    assert frame(browser) == 0
    assert browser.run("document.getElementById('play').disabled")
    assert not browser.run("document.getElementById('picture-pane').offsetWidth")
    assert browser.complaints == []


# Time of the picture that is on the screen, and, while playing, the pose beside it.
WATCH = """(() => {
  window.shown = 0;
  window.log = [];
  video.requestVideoFrameCallback(function look(_, {mediaTime}) {
    shown = mediaTime;
    if (playing) setTimeout(() => log.push([mediaTime, current]));
    video.requestVideoFrameCallback(look);
  });
})()"""


def test_poses_keep_step_with_the_video(browser, tmp_path, shared):
    pytest.importorskip("av")
    detect = pytest.importorskip("poselift.detect.video")
    video = shared / "data" / "video" / "pose2sim_single_cam01.mp4"
    fps = detect.probe(video).fps
    path = tmp_path / "video.html"
    write_viewer(Poses3D(figure(20), H36M_17, fps), path, video=video)
    browser.open(path.as_uri())
    browser.wait("video && video.readyState >= 2")
    browser.run(WATCH)
    for wanted in (1, 2, 7, 19):
        browser.run(f"seek({wanted})")
        browser.wait(f"Math.round(shown * fps) === {wanted}")
        assert frame(browser) == wanted
    browser.press("Home")
    browser.press(" ", " ")
    browser.wait("current >= 10")
    assert all(round(time_s * fps) == at for time_s, at in browser.run("log.slice(-5)"))
    browser.press(" ", " ")
    assert abs(browser.run("video.currentTime") * fps - frame(browser)) <= 1
    assert browser.complaints == []


def strip(page: Path, out: Path, *options: str) -> bytes:
    script = HERE.parents[1] / "scripts" / "render_strip.py"
    subprocess.run([sys.executable, script, page, out, *options], check=True)
    return out.read_bytes()


def test_strip_depends_on_frame_and_angle(page, tmp_path):
    first = strip(page, tmp_path / "a.png", "--frames", "0", "30")
    assert first[:8] == b"\x89PNG\r\n\x1a\n"
    assert (int.from_bytes(first[16:20]), int.from_bytes(first[20:24])) == (520, 560)
    assert first != strip(page, tmp_path / "c.png", "--frames", "0", "31")
    assert first != strip(page, tmp_path / "d.png", "--frames", "0", "30", "--yaw", "60")
