"""The networks' files run unchanged in a browser, by onnxruntime-web, with the output that they have here."""

import http.server
import importlib.util
import json
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import poselift as pl
from poselift.lifters.load import load_lifter
from poselift.prepare.convert import convert
from poselift.prepare.feed import Feed
from poselift.prepare.window import cut
from poselift.skeleton import BODY_27

HERE = Path(__file__).resolve()
EXAMPLE = HERE.parents[2] / "examples" / "browser"
ORT = EXAMPLE / "node_modules" / "onnxruntime-web" / "dist"
WEIGHTS = Path(pl.__file__).parent / "weights"
DEMO = Path(pl.__file__).parent / "data" / "demo.npz"
NAME = "nanohtnet.mocap27-81"


def _driver():
    place = HERE.parents[1] / "viewer" / "chromium.py"
    spec = importlib.util.spec_from_file_location("chromium", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


chromium = _driver()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium.PROGRAM is None, reason="no Chromium is installed"),
    pytest.mark.skipif(not ORT.is_dir(), reason="onnxruntime-web is not there (make browser fetches it from npm)"),
]


class _Quiet(http.server.SimpleHTTPRequestHandler):
    extensions_map = {".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript"} | {
        ".wasm": "application/wasm", "": "application/octet-stream",
    }  # fmt: skip

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Iterator[str]:
    """The example as its page says to put it together, served on this machine."""
    folder = tmp_path_factory.mktemp("site")
    for file in (EXAMPLE / "index.html", EXAMPLE / "feed.js", *WEIGHTS.glob(f"{NAME}*.onnx")):
        (folder / file.name).symlink_to(file)
    (folder / "ort").symlink_to(ORT)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = chromium.Chromium(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def keypoints() -> pl.Keypoints2D:
    """The bundled clip in the joints of the weights; its rate does not matter here."""
    (person,) = pl.read_keypoints(str(DEMO))
    return convert(person, BODY_27)


def lifted(keypoints: pl.Keypoints2D, name: str) -> np.ndarray:
    """Joints (T, J, 3) of each frame, one window after the other, by ONNX Runtime."""
    lifter = load_lifter(name, threads=1)
    feed, windows = Feed.of(lifter), cut(len(keypoints), lifter.in_frames, lifter.out_frames)
    clip = feed.clip(keypoints)
    inputs = feed.windows(clip[windows.index], windows.inside)
    return np.concatenate([lifter(window[None])[0] for window in inputs])[: len(keypoints)]


def test_the_page_lifts_a_file_as_here(site, browser, keypoints, tmp_path):
    clip = np.concatenate([np.nan_to_num(keypoints.xy), np.nan_to_num(keypoints.confidence)[..., None]], -1)
    file = tmp_path / "clip.json"
    file.write_text(json.dumps(clip.tolist()))
    browser.open(f"{site}/index.html")
    node = browser.send("DOM.getDocument")["root"]["nodeId"]
    place = browser.send("DOM.querySelector", nodeId=node, selector="#file")["nodeId"]
    browser.send("DOM.setFileInputFiles", nodeId=place, files=[str(file)])
    browser.wait("window.poses !== undefined")
    found = np.array(browser.run("window.poses.map(pose => [...pose])")).reshape(len(keypoints), 27, 3)
    np.testing.assert_allclose(found, lifted(keypoints, NAME), rtol=0, atol=1e-5)
    assert browser.run("document.getElementById('said').textContent") == "58 of 58 frames"
    assert browser.complaints == []
    assert all(site in request for request in browser.requests), "nothing comes from elsewhere"
