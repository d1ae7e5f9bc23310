"""The shipped weights: what their cards say holds, on motion capture and on a real recording."""

from pathlib import Path

import numpy as np
import pytest

import poselift as pl
from poselift.lifters.card import INT8
from poselift.lifters.load import DEFAULT_LIFTER, shipped_cards
from poselift.measure.claims import MEASURES, QUICK_FRAMES, Sources, by_detector, check_file, check_scores
from poselift.measure.recording import Recording, limb_errors

ROOT = Path(__file__).parents[2]
WEIGHTS = Path(pl.__file__).parent / "weights"


@pytest.fixture(scope="module")
def lifter():
    return pl.load_lifter(threads=1)


@pytest.fixture(scope="module")
def recording(shared):
    return Recording(shared / "data" / "pose2sim_cams_1_3.npz")


BY_KIND = {by_detector(k) for k in ("COCO_17", "BODY_25B", "BODY_25", "HALPE_26", "COCO_23", "MEDIAPIPE_33")}


@pytest.fixture(scope="module")
def sources(shared):
    """By archive of motion capture: it, the recording, and the simulated detector where there is torch."""
    try:
        from poselift.lab.observe.detector import simulated_detector as detector
    except ModuleNotFoundError:
        detector = None
    recordings = [shared / "data" / name for name in ("pose2sim_cams_1_3.npz", "keraal_ctk.npz")]
    return {name: Sources(shared / "data" / name, recordings, detector) for name in ("mocap17.npz", "mocap27.npz")}


def test_the_default_is_among_them():
    assert DEFAULT_LIFTER in pl.shipped_lifters()


@pytest.mark.parametrize("card", shipped_cards(), ids=lambda card: card.name)
def test_a_card_says_what_one_must_know(card):
    assert (card.skeleton, card.fps, card.in_channels) in (("H36M_17", 50.0, 3), ("BODY_27", 50.0, 3))
    assert card.license.startswith("MIT")
    assert "CMU" in (ROOT / "NOTICE").read_text()
    real = {f"real recording, camera {camera}" for camera in "13"}
    seated = {f"keraal_ctk, camera 0 {skeleton}" for skeleton in ("COCO_17", "COCO_18", "MEDIAPIPE_33")}
    assert set(card.scores) == set(MEASURES) | real | seated | (BY_KIND if card.skeleton == "BODY_27" else set())
    assert min(card.parameters, card.macs, card.speed.frames_per_s) > 0
    assert card.training.recipe["name"] == card.name.removesuffix(INT8)
    assert "/" not in card.training.recipe.get("init", "")
    assert (WEIGHTS / f"{card.name}.onnx").stat().st_size < 7.2e6


@pytest.mark.parametrize("name", pl.shipped_lifters())
def test_a_card_holds(name, sources):
    """Every score over few frames comes out as claimed; `poselift check-card NAME` measures the others too."""
    lifter = pl.load_lifter(name, threads=1)
    sources = sources[lifter.card.scores["exact 2D"].data]
    checks = [*check_file(lifter), *check_scores(lifter, lifter.card, sources, quick=True)]
    assert [check for check in checks if not check.holds] == []
    measured = {check.name.split(":")[0] for check in checks if check.measured is not None}
    quick = {name for name, score in lifter.card.scores.items() if score.frames <= QUICK_FRAMES}
    assert len(quick) == 7
    assert measured == {"sha256"} | quick - (set() if sources.detector else {"quick, detector errors"})


@pytest.mark.parametrize("name", [name for name in pl.shipped_lifters() if name.endswith(INT8)])
def test_int8_is_a_quarter_and_costs_less_than_a_millimetre(name):
    small, whole = pl.load_lifter(name, threads=1), pl.load_lifter(name.removesuffix(INT8), threads=1)
    for score in MEASURES:
        cost = small.card.scores[score].mean["p_mpjpe"] - whole.card.scores[score].mean["p_mpjpe"]
        assert -1 < cost < 1, score
    assert "take 4 bits" in small.card.training.note
    (person,) = pl.read_keypoints(str(Path(pl.__file__).parent / "data" / "demo.npz"))
    moved = np.linalg.norm(pl.lift(person, small).xyz - pl.lift(person, whole).xyz, axis=-1)
    assert 0 < moved.mean() < 0.005
    assert moved.max() < 0.05
    onnx = pytest.importorskip("onnx")
    from poselift.lab.export.int8 import in_full

    assert 4 * small.path.stat().st_size < in_full(onnx.load(whole.path)).ByteSize()


@pytest.mark.parametrize("name", pl.shipped_lifters())
def test_the_sizes_on_a_card_are_those_of_its_recipe(name):
    pytest.importorskip("torch")
    from poselift.lab.export.card import sizes_of

    card = pl.load_lifter(name, threads=1).card
    assert sizes_of(card.training.recipe) == {"parameters": card.parameters, "macs": card.macs}


def test_the_pages_say_what_the_cards_say(load_script):
    script = load_script("weights_table")
    readme, detectors = (path.read_text(encoding="utf-8") for path in (script.README, script.DETECTORS))
    assert script.with_tables(readme, detectors, shipped_cards()) == (readme, detectors), (
        "run python scripts/weights_table.py"
    )
    assert all(f"| `{name}` |" in readme for name in pl.shipped_lifters())
    score = pl.load_lifter(script.DEFAULT, threads=1).card.scores["detector errors, HALPE_26"].mean
    assert f"| {script.KINDS['HALPE_26']} | {score['p_mpjpe']:.1f} | {score['toe_direction_median']:.1f} |" in detectors


@pytest.mark.parametrize(("camera", "bound"), [("1", 61), ("3", 68)])
def test_a_real_recording(recording, camera, bound):
    """Guards what was measured of the weights that suit it (60.1 and 66.6); 57 is not reached, see docs/log.md."""
    lifter = pl.load_lifter("auto", fps=recording.people[camera].fps, length=len(recording.people[camera]), threads=1)
    score = recording.score(lifter, camera)
    assert score.frames > 80
    assert score.mean["p_mpjpe"] < bound


def test_left_is_left_on_a_real_recording(lifter, recording):
    """With the sides of the truth exchanged the error grows by far."""
    poses = pl.lift(recording.people["1"], lifter)
    order = list(pl.H36M_17.flipped)
    right = limb_errors(poses, recording.truth, recording.valid)["p_mpjpe"]
    wrong = limb_errors(poses, recording.truth[:, order], recording.valid[:, order])["p_mpjpe"]
    assert wrong > 1.5 * right


def test_size_and_place_in_the_picture_do_not_matter(lifter, recording):
    keypoints = recording.people["1"]
    poses = pl.lift(keypoints, lifter)
    moved = keypoints.with_frames(keypoints.xy * 0.25 + [300, -40], keypoints.confidence, keypoints.fps)
    np.testing.assert_allclose(pl.lift(moved, lifter).xyz, poses.xyz, atol=2e-3)


def test_a_joint_lost_for_a_while_moves_little(lifter, recording):
    keypoints = recording.people["1"]
    confidence = keypoints.confidence.copy()
    confidence[40:50, pl.BODY_25B.index("left_wrist")] = 0
    lost = keypoints.with_frames(keypoints.xy, confidence, keypoints.fps)
    moved = np.linalg.norm(pl.lift(lost, lifter).xyz - pl.lift(keypoints, lifter).xyz, axis=-1)
    assert moved.mean() < 0.02
    assert np.isfinite(moved).all()


def test_a_single_frame_is_a_standing_person(lifter, recording):
    one = recording.people["1"]
    poses = pl.lift(one.with_frames(one.xy[:1], one.confidence[:1], 30.0), lifter)
    head, ankle = poses.xyz[0, pl.H36M_17.index("head_top")], poses.xyz[0, pl.H36M_17.index("left_ankle")]
    assert poses.xyz.shape == (1, 17, 3)
    assert ankle[1] - head[1] > 0.8  # y points down


def test_bones_and_motion_are_a_persons(lifter, recording):
    poses = pl.lift(recording.people["1"], lifter).xyz
    thigh, shin = (
        np.linalg.norm(poses[:, pl.H36M_17.index(b)] - poses[:, pl.H36M_17.index(a)], axis=-1)
        for a, b in (("left_hip", "left_knee"), ("left_knee", "left_ankle"))
    )
    assert 0.3 < np.median(thigh) < 0.6
    assert 0.3 < np.median(shin) < 0.6
    steps = np.linalg.norm(np.diff(poses, axis=0), axis=-1)
    assert steps.max() < 0.25  # metres in a sixtieth of a second: nothing jumps
