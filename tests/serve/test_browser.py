"""The server's page in a real browser, where one is installed: files go in, results are looked at and saved."""

import base64
import importlib.util
import os
import sys
from importlib import resources
from pathlib import Path

import pytest

from poselift.formats import write_keypoints
from poselift.read import read_keypoints

pytest.importorskip("starlette", reason="needs the serve extra")
pytest.importorskip("uvicorn", reason="needs the serve extra")
HERE = Path(__file__).resolve().parent


def _beside(path: Path):
    """A module among the tests; they are no package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


chromium = _beside(HERE.parent / "viewer" / "chromium.py")
served = _beside(HERE / "served.py")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium.PROGRAM is None, reason="no Chromium is installed"),
    pytest.mark.skipif(sys.platform != "linux", reason="looks at processes as Linux shows them"),
]
SHOTS = os.environ.get("POSELIFT_SHOTS")
"""A folder for screenshots, which people look at."""
CHOSEN = "document.querySelector('.job[aria-current=true]')"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = chromium.Chromium(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = served.Server(tmp_path_factory.mktemp("served") / "jobs", "--upload-limit", "1")
    yield server
    assert server.end()[1].splitlines() == ["interrupted; no file was left half-written"]


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    """Keypoints of a person, what is no video, and what is too large."""
    folder = tmp_path_factory.mktemp("files")
    (person,) = read_keypoints(str(resources.files("poselift") / "data" / "demo.npz"))
    write_keypoints(person.with_frames(person.xy[:8], person.confidence[:8], person.fps), folder / "walk <b>.npz")
    (folder / "fake.mp4").write_bytes(b"no video" * 100)
    (folder / "huge.mp4").write_bytes(bytes((1 << 20) + 1))
    return {path.stem.split()[0]: path for path in folder.iterdir()}


def show(browser, server, width: int = 1280, fragment: str = "") -> None:
    browser.send("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 500)
    browser.open(f"{server.url}{fragment}")


def shoot(browser, name: str) -> None:
    if SHOTS:
        picture = browser.send("Page.captureScreenshot")["data"]
        (Path(SHOTS) / f"{name}.png").write_bytes(base64.b64decode(picture))


def choose_files(browser, *paths: Path) -> None:
    """What a person does in the dialog for files."""
    root = browser.send("DOM.getDocument")["root"]["nodeId"]
    field = browser.send("DOM.querySelector", nodeId=root, selector="#files")["nodeId"]
    browser.send("DOM.setFileInputFiles", nodeId=field, files=[str(path) for path in paths])


def text(browser, id: str) -> str:
    return browser.run(f"document.getElementById('{id}').textContent")


def finished(browser, server) -> None:
    """Nothing was wrong in the page, and nothing was asked of anybody else."""
    assert browser.complaints == []
    assert browser.run("document.body.dataset.error") is None
    assert {address.split("/")[2] for address in browser.requests if not address.startswith("data:")} <= {
        f"127.0.0.1:{server.port}"
    }


@pytest.fixture(scope="module")
def lifted(browser, server, files):
    """The fragment of a result that went in by the page, with the keyboard where there is one."""
    show(browser, server)
    shoot(browser, "empty-1280")
    assert browser.run("document.getElementById('options').hidden")
    choose_files(browser, files["walk"], files["huge"])
    browser.wait("!document.getElementById('options').hidden")
    assert "huge.mp4 has 1.0 MB; files of up to 1.0 MB are taken" in text(browser, "form-error")
    browser.run("document.getElementById('height').value = '1,82'")
    assert browser.run("document.activeElement.id") == "send"
    browser.press("Enter", "\r")
    browser.wait(f"{CHOSEN} && {CHOSEN}.querySelector('.badge').textContent === 'done'")
    browser.wait("!document.getElementById('saves').hidden")
    finished(browser, server)
    return browser.run("location.hash")


def test_a_file_is_lifted_looked_at_and_saved(browser, server, lifted):
    show(browser, server, fragment=lifted)
    browser.wait("!document.getElementById('viewer').hidden")
    assert text(browser, "name") == "walk <b>.npz".replace("<", "").replace(">", "")
    assert "to 1.82 m" in text(browser, "messages")
    assert "--height 1.82" in text(browser, "command")
    assert browser.run("document.getElementById('viewer').src").endswith(f"/api/jobs/{lifted[1:]}/page")
    links = browser.run("[...document.querySelectorAll('#files-of a')].map(link => [link.textContent, link.href])")
    assert len(links) == 15 and all(href.startswith(f"{server.url}api/jobs/") for _, href in links)
    sizes = browser.run(
        "Promise.all([...document.querySelectorAll('#files-of a, #everything')].map(link =>"
        " fetch(link.href).then(answer => answer.blob()).then(content => content.size)))"
    )
    assert len(sizes) == 16 and min(sizes) > 100
    shoot(browser, "done-1280")
    finished(browser, server)


def test_a_results_page_plays_and_cannot_use_the_server(browser, server, lifted):
    browser.open(f"{server.url}api/jobs/{lifted[1:]}/page#frame=3")
    assert browser.run("document.body.dataset.frame") == "3"
    assert browser.run("snapshot().toDataURL().length") > 1000
    assert browser.run("fetch('/api/jobs').then(() => 'went', () => 'stopped')") == "stopped"
    assert browser.run("window.origin") == "null"


def test_what_is_wrong_is_said_and_can_be_mended(browser, server, files):
    show(browser, server)
    choose_files(browser, files["fake"])
    browser.wait("!document.getElementById('options').hidden")
    browser.run("document.getElementById('send').click()")
    browser.wait("jobs[0] && jobs[0].name === 'fake.mp4' && jobs[0].state === 'failed'")
    browser.run("choose(jobs[0].id)")
    browser.wait("document.getElementById('errors').textContent")
    assert text(browser, "errors").startswith("cannot read fake.mp4 as a video (")
    browser.run("document.getElementById('again').click()")
    assert text(browser, "form-title") == "Lift fake.mp4 again"
    browser.run("document.querySelector('[name=who][value=one]').click()")
    browser.run("document.getElementById('send').click()")
    assert text(browser, "form-error").startswith("Say who")
    browser.run("document.getElementById('person').value = 'her'; document.getElementById('send').click()")
    browser.wait("document.getElementById('form-error').textContent.startsWith('wanted --people')")
    shoot(browser, "error-1280")
    browser.complaints.clear()  # the browser notes the refusal, which is wanted
    count = browser.run("jobs.length")
    browser.run("document.getElementById('remove').click()")
    assert browser.run("document.activeElement.textContent") == "Keep"
    for kind in ("rawKeyDown", "keyUp"):
        browser.send("Input.dispatchKeyEvent", type=kind, key="Escape", windowsVirtualKeyCode=27)
    browser.wait("!document.getElementById('sure').open")
    assert browser.run("jobs.length") == count
    browser.run("document.getElementById('remove').click()")
    browser.run("document.querySelector('#sure [value=yes]').click()")
    browser.wait(f"jobs.length === {count - 1} && document.getElementById('detail').hidden")
    finished(browser, server)


def test_a_person_is_pointed_at_in_the_video(browser, server):
    show(browser, server)
    choose_files(browser, Path(str(resources.files("poselift") / "data" / "demo_video.mp4")))
    browser.run("document.querySelector('[name=who][value=one]').click()")
    browser.wait("!document.getElementById('preview').hidden || document.getElementById('one-hint').textContent")
    if browser.run("document.getElementById('preview').hidden"):
        pytest.skip("this Chromium does not play H.264")
    size = browser.run("[video.videoWidth, video.videoHeight]")
    browser.run("document.getElementById('video').scrollIntoView()")
    x, y, width, height = browser.run(
        "(r => [r.x, r.y, r.width, r.height])(document.getElementById('video').getBoundingClientRect())"
    )
    browser.drag((x + width / 4, y + height / 2), (x + width / 4, y + height / 2))
    found = [int(part) for part in browser.run("document.getElementById('person').value").split(",")]
    assert found == pytest.approx([size[0] / 4, size[1] / 2], abs=3)
    browser.run("clearForm()")
    finished(browser, server)


def test_two_browsers_see_the_same(browser, server, files, tmp_path, lifted):
    show(browser, server)
    other = chromium.Chromium(tmp_path / "profile")
    try:
        other.open(server.url)
        choose_files(other, files["fake"])
        other.wait("!document.getElementById('options').hidden")
        other.run("document.getElementById('send').click()")
        for one in (browser, other):
            one.wait("jobs[0].name === 'fake.mp4' && jobs[0].state === 'failed'")
            one.run("choose(jobs[0].id)")
            one.wait("!document.getElementById('detail').hidden")
        browser.run("ask('DELETE', jobs[0].url)")
        other.wait("document.getElementById('detail').hidden && jobs[0].state === 'done'")
        other.complaints.clear()  # it asked for what the first one has removed
        finished(other, server)
    finally:
        other.close()


def test_the_page_fits_a_phone(browser, server, lifted):
    show(browser, server, 390)
    shoot(browser, "empty-390")
    browser.run(f"choose('{lifted[1:]}', true)")
    browser.wait("!document.getElementById('saves').hidden")
    assert browser.run("document.documentElement.scrollWidth") <= 390
    shoot(browser, "done-390")
    browser.run("liftAgain(); document.getElementById('more').open = true")
    assert browser.run("document.documentElement.scrollWidth") <= 390
    small = (
        "[...document.querySelectorAll('button, .button, select')].filter(e => e.offsetHeight && e.offsetHeight < 30)"
    )
    assert browser.run(f"{small}.length") == 0
    shoot(browser, "again-390")
    browser.run("clearForm()")
    finished(browser, server)
