"""What simulated detectors see of a body of 27 joints."""

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from poselift.errors import RecipeError
from poselift.lab.observe.cameras import project
from poselift.lab.observe.detector import SimulatedDetector, detect_body
from poselift.lab.observe.landmarks import DETECTORS, FACE_AHEAD, SEEN, draw_detectors, head_axes, points_seen
from poselift.lab.observe.noise import NoiseConfig
from poselift.prepare.convert import convert
from poselift.sequence import Keypoints2D
from poselift.skeleton import BODY_27, H36M_17

OFF = NoiseConfig(level=0, shift=0, swaps=0, misses=0, spans=0, cuts=0, blackouts=0, spikes=0, turned_faces=0)
FEET = [name for name in BODY_27.joints if "toe" in name or "heel" in name]
FACE = ["nose", "left_eye", "right_eye", "left_ear", "right_ear"]
every_kind = pytest.mark.parametrize("kind", DETECTORS)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def kind_of(name, count=1):
    return torch.full((count,), list(DETECTORS).index(name))


def windows(person, count=1, frames=4):
    """Windows (B, T, 27, 3) of a person who stands five metres before the camera, and all of whose joints are known."""
    points = torch.from_numpy(person @ np.float32([[1, 0, 0], [0, 0, 1], [0, -1, 0]]) + np.float32([0, 0, 5]))
    return points.expand(count, frames, -1, -1), torch.ones((count, 27), dtype=torch.bool)


def test_the_axes_of_the_head_are_left_up_and_front(person):
    left, up, front = head_axes(torch.from_numpy(person)[None, None])[0, 0].numpy()
    np.testing.assert_allclose(left, (-1, 0, 0), atol=1e-3)
    np.testing.assert_allclose(front, (0, 1, 0), atol=0.02)
    np.testing.assert_allclose(up, (0, 0, 1), atol=0.02)


def test_detectors_see_the_real_feet_and_the_face_where_it_is(person):
    points, there = windows(person)
    seen = points_seen(points, there, kind_of("BODY_25B"), OFF, generator())[0, 0]
    for name in FEET + ["left_knee", "right_wrist"]:
        assert torch.equal(seen[SEEN.index(name)], points[0, 0, BODY_27.index(name)]), name
    ahead = torch.tensor(FACE_AHEAD) @ head_axes(points)[0, 0]
    for name in FACE:
        torch.testing.assert_close(seen[SEEN.index(name)], points[0, 0, BODY_27.index(name)] + ahead, msg=name)
    neck = points[0, 0, list(BODY_27.indices(("left_shoulder", "right_shoulder")))].mean(0)
    torch.testing.assert_close(seen[SEEN.index("neck")], neck)


def test_a_face_that_is_not_known_is_made_up_and_feet_are_not_found(person):
    points, there = windows(person, 200)
    there[:, 17:] = False
    points = points.clone()
    points[:, :, 17:] = 7.0
    seen = points_seen(points, there, kind_of("BODY_25B", 200), OFF, generator())
    nose = seen[:, :, SEEN.index("nose")] - points[:, :, BODY_27.index("nose")]
    assert (nose.norm(dim=-1) < 0.2).all() and nose[:, 0, 0].std() > 0.01  # heads look this way and that
    _, confidence = detect_body(points, there, kind_of("BODY_25B", 200), OFF, generator())
    assert not confidence[..., list(SEEN.indices(FEET))].any()
    assert (confidence[..., SEEN.index("left_ear")] > 0).all()


@every_kind
def test_a_detector_gives_what_its_kind_looks_for(person, kind):
    """What is simulated converts exactly as keypoints of that detector's own skeleton do."""
    points, there = windows(person)
    xy, confidence = detect_body(points, there, kind_of(kind), OFF, generator())
    detector = DETECTORS[kind]
    assert [name for name, found in zip(SEEN.joints, confidence[0, 0] > 0, strict=True) if found] == list(
        detector.joints
    )
    simulated = convert(Keypoints2D(xy[0].numpy() * 1000, confidence[0].numpy(), SEEN, 50), BODY_27)
    own = np.full((4, len(detector.skeleton), 2), np.nan, np.float32)
    scores = np.zeros((4, len(detector.skeleton)), np.float32)
    for place, name in enumerate(detector.skeleton.joints):
        if (name := name.replace("foot_index", "big_toe")) in SEEN:
            own[:, place] = xy[0, :, SEEN.index(name)].numpy() * 1000
            scores[:, place] = confidence[0, :, SEEN.index(name)].numpy()
    real = convert(Keypoints2D(own, scores, detector.skeleton, 50), BODY_27)
    np.testing.assert_allclose(simulated.xy, real.xy, atol=1e-3)
    np.testing.assert_array_equal(simulated.confidence, real.confidence)


def test_kinds_are_drawn_by_their_shares():
    drawn = torch.bincount(draw_detectors(4000, generator()), minlength=len(DETECTORS)) / 4000
    wanted = torch.tensor([detector.share for detector in DETECTORS.values()])
    torch.testing.assert_close(drawn, wanted / wanted.sum(), rtol=0, atol=0.03)


def test_the_far_side_of_a_head_is_lost(person):
    """Seen from the left the right ear is hidden, from behind nose and eyes are, and from the front nothing is."""
    turned = {"front": np.eye(3), "left": [[0, 1, 0], [-1, 0, 0], [0, 0, 1]], "behind": np.diag([-1, -1, 1])}
    config = dataclasses.replace(OFF, turned_faces=1)
    lost = {}
    for name, turn in turned.items():
        # The person looks along +y and the camera along +y: one who faces it must be turned by half a turn.
        seen_from = (person @ np.diag([-1.0, -1, 1]) @ np.transpose(turn)).astype(np.float32)
        points, there = windows(seen_from, 200)
        _, confidence = detect_body(points, there, kind_of("COCO_17", 200), config, generator())
        share = (confidence < 0.35).float().mean((0, 1))
        lost[name] = {joint: share[SEEN.index(joint)].item() for joint in FACE}
    assert max(lost["front"].values()) < 0.05
    assert min(lost["behind"][joint] for joint in FACE[:3]) > 0.95
    assert max(lost["behind"][joint] for joint in FACE[3:]) < 0.05
    sides = sorted(lost["left"][f"{side}_ear"] for side in ("left", "right"))
    assert sides[0] < 0.05 and sides[1] > 0.9


def test_whole_clips_are_seen_by_each_kind(person):
    points = windows(person, 1, 250)[0][0].numpy()
    one, same = (SimulatedDetector(kind="MEDIAPIPE_33")(points, 50.0, 3) for _ in range(2))
    np.testing.assert_array_equal(one.xy, same.xy)
    assert (
        one.skeleton == SEEN and SimulatedDetector(kind="MEDIAPIPE_33").description == "simulated MEDIAPIPE_33 detector"
    )
    assert one.seen[:, SEEN.index("left_heel")].mean() > 0.5
    assert not one.seen[:, SEEN.index("left_small_toe")].any()
    unknown = points.copy()
    unknown[:, 17:] = np.nan
    seen = SimulatedDetector()(unknown, 50.0, 3)
    assert not seen.seen[:, list(SEEN.indices(FEET))].any() and seen.seen[:, SEEN.index("nose")].any()
    with pytest.raises(RecipeError, match="seen as BODY_25B alone, got COCO_17"):
        SimulatedDetector(kind="COCO_17")(points[:, :17], 50.0, 3)
    with pytest.raises(RecipeError, match="unknown detector 'COCO_71'; did you mean 'COCO_17'"):
        SimulatedDetector(kind="COCO_71")


def test_hips_of_a_kind_lie_where_it_says(person):
    points, there = windows(person)
    here = {name: points_seen(points, there, kind_of(name), OFF, generator())[0, 0] for name in DETECTORS}
    for name, detector in DETECTORS.items():
        moved = here[name][SEEN.index("left_hip")] - points[0, 0, H36M_17.index("left_hip")]
        outward, up = detector.hips
        torch.testing.assert_close(moved.norm(), torch.tensor([outward, up]).norm(), rtol=0, atol=1e-5)


def test_a_projection_of_what_is_seen_is_what_is_found(person):
    points, there = windows(person, 3)
    kinds = kind_of("BODY_25B", 3)
    xy, confidence = detect_body(points, there, kinds, OFF, generator(1))
    wanted = project(points_seen(points, there, kinds, OFF, generator(1)))
    found = confidence > 0
    torch.testing.assert_close(xy[found], wanted[found])
