"""People in a whole picture: our reading of MoveNet's maps, against the network's own last part."""

from itertools import islice

import numpy as np
import pytest

from poselift.detect.movenet import MoveNet, _scaled
from poselift.detect.network import shipped_network
from poselift.detect.video import read_frames
from poselift.errors import DetectionError


@pytest.fixture(scope="module")
def movenet():
    return MoveNet(shipped_network("movenet_multipose"))


@pytest.fixture
def street(shared):
    pytest.importorskip("av", reason="needs the video extra")
    ((_, rgb),) = islice(read_frames(shared / "data" / "video" / "mmpose_demo.mp4", longest_side=1920), 1)
    return rgb


@pytest.mark.parametrize("longest_px", [256, 512])
def test_people_are_those_of_the_whole_network(longest_px, movenet, street, shared):
    """`movenet_multipose.onnx` beside the data ends as Google's file does, with six people."""
    onnxruntime = pytest.importorskip("onnxruntime")
    whole = onnxruntime.InferenceSession(shared / "models" / "movenet_multipose.onnx")
    picture, scale = _scaled(street, longest_px)
    ((people,),) = whole.run(None, {whole.get_inputs()[0].name: picture[None]})
    order = [person for person in np.argsort(-people[:, 55]) if people[person, 55] > 0.12]
    theirs = people[order, :51].reshape(-1, 17, 3) * [picture.shape[0], picture.shape[1], 1]
    found = movenet(street, longest_px, least_score=0.12, most=6)
    assert len(found.scores) >= 3
    assert found.keypoints[..., :2] / scale == pytest.approx(theirs[..., 1::-1], abs=1e-2)
    # Where people overlap, theirs takes a joint's score from whoever has the highest.
    lower = theirs[..., 2] - found.keypoints[..., 2]
    assert lower.min() > -1e-4 and np.mean(lower > 1e-4) < 0.1
    assert found.scores == pytest.approx(people[order, 55], abs=0.01)


def test_sizes_and_places_are_the_picture_s(movenet, street):
    """A picture twice as large, or with a frame around it, shows the same people at their new places."""
    small = movenet(street, 512, least_score=0.3, most=1).keypoints[0, :, :2]
    twice = movenet(street.repeat(2, 0).repeat(2, 1), 512, least_score=0.3, most=1).keypoints[0, :, :2]
    assert np.median(np.abs(twice - (2 * small + 0.5))) < 6
    framed = np.zeros((street.shape[0] + 200, street.shape[1] + 40, 3), np.uint8)
    framed[50:-150, 30:-10] = street
    inside = movenet(framed, 512, least_score=0.3, most=1).keypoints[0, :, :2]
    assert np.median(np.abs(inside - small - [30, 50])) < 8


@pytest.mark.parametrize("shape", [(90, 160), (1920, 1080), (7, 5), (1, 1), (2, 900)])
def test_the_network_s_picture(shape):
    """Sides are multiples of 32, the longer one as wanted, and the rest is black."""
    picture, scale = _scaled(np.full((*shape, 3), 200, np.uint8), 256)
    assert picture.shape[0] % 32 == picture.shape[1] % 32 == 0
    assert max(picture.shape) == 256 and scale == max(shape) / 256
    height, width = (max(1, round(side / scale)) for side in shape)
    assert (picture[:height, :width] == 200).all()
    assert picture.sum() == 200 * 3 * height * width


def test_places_in_the_network_s_picture():
    """Column u of the small picture shows the middle of the columns that it stands for."""
    ramp = np.linspace(0, 250, 1000)[None, :, None].repeat(600, 0).repeat(3, 2)
    picture, scale = _scaled(ramp.round().astype(np.uint8), 256)
    columns = (np.arange(256) + 0.5) * scale - 0.5
    assert np.abs(picture[10, :, 0] - np.interp(columns, np.arange(1000), ramp[0, :, 0]))[2:-2].max() <= 1.5


def test_another_network_is_refused():
    with pytest.raises(DetectionError, match="is another network than MoveNet MultiPose"):
        MoveNet(shipped_network("blazepose_full"))
