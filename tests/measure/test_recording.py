import numpy as np
import pytest

from poselift.errors import DatasetError, MissingData
from poselift.measure.recording import Recording, limb_errors
from poselift.sequence import Poses3D
from poselift.skeleton import BODY_25B, H36M_17

RNG = np.random.default_rng(0)
LIMBS = [joint for limb in H36M_17.limbs for joint in limb]


@pytest.fixture
def arrays():
    found = np.concatenate([RNG.uniform(100, 500, (2, 6, 25, 2)), np.ones((2, 6, 25, 1))], -1)
    valid = np.ones((6, 17), bool)
    valid[0, LIMBS[:4]] = False  # eight left
    truth = RNG.normal(size=(6, 17, 3))
    return {"kp2d_body25b": found, "cameras": np.array([1, 3]), "X3d17": truth, "valid": valid, "fps": 50.0}


def test_a_recording_is_scored_camera_by_camera(arrays, fake_lifter, tmp_path):
    np.savez(tmp_path / "two.npz", **arrays)
    recording = Recording(tmp_path / "two.npz")
    assert list(recording.people) == ["1", "3"]
    assert recording.people["3"].skeleton is BODY_25B
    one, other = (recording.score(fake_lifter(), camera) for camera in ("1", "3"))
    assert (one.data, one.frames, one.protocol["camera"]) == ("two.npz", 5, "1")
    assert one.mean["p_mpjpe"] > 0 and one.mean != other.mean
    assert recording.score(fake_lifter(), "1", flip_average=True).protocol["flip_average"]
    with pytest.raises(DatasetError, match="no camera '2'; it has 1, 3"):
        recording.score(fake_lifter(), "2")


def test_what_is_no_recording_is_told(arrays, tmp_path):
    del arrays["valid"]
    np.savez(tmp_path / "lacking.npz", **arrays)
    with pytest.raises(DatasetError, match="lacks valid"):
        Recording(tmp_path / "lacking.npz")
    with pytest.raises(MissingData, match="none.npz"):
        Recording(tmp_path / "none.npz")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fps": np.ones(2)}, r"fps: wanted numbers of shape \(\), got float64 \(2,\)"),
        ({"fps": 0.0}, "wanted a frame rate"),
        ({"kp2d_body25b": np.zeros(())}, r"kp2d_body25b: wanted numbers of shape \(2, 6, 25, 3\)"),
        ({"kp2d_body25b": np.ones((0, 6, 25, 3))}, r"kp2d_body25b: wanted .* got float64 \(0, 6, 25, 3\)"),
        ({"kp2d_body25b": np.ones((2, 5, 25, 3))}, "kp2d_body25b: wanted"),
        ({"kp2d_body25b": np.full((2, 6, 25, 3), np.inf)}, "infinite"),
        ({"cameras": np.ones((2, 1))}, r"cameras: wanted numbers of shape \(2,\)"),
        ({"X3d17": np.array("none")}, r"X3d17: wanted numbers of shape \(1, 17, 3\), got <U4"),
        ({"valid": np.ones((6, 16), bool)}, r"valid: wanted numbers of shape \(6, 17\)"),
        ({"valid": np.zeros((6, 17), bool)}, "no frame has 9 valid limb joints"),
    ],
)
def test_arrays_that_do_not_fit_together_are_named(arrays, tmp_path, changes, message):
    np.savez(tmp_path / "odd.npz", **arrays | changes)
    with pytest.raises(DatasetError, match=f"odd.npz.*{message}"):
        Recording(tmp_path / "odd.npz")


def test_several_detectors_are_views_of_their_own(arrays, fake_lifter, tmp_path):
    arrays["kp2d_coco17_alphapose"] = arrays["kp2d_body25b"][:, :, :17]
    np.savez(tmp_path / "both.npz", **arrays)
    recording = Recording(tmp_path / "both.npz")
    assert list(recording.people) == ["1 BODY_25B", "3 BODY_25B", "1 COCO_17", "3 COCO_17"]
    assert recording.score(fake_lifter(), "3 COCO_17").protocol["keypoints"].startswith("COCO_17")


def limbs(poses, truth, valid):
    return limb_errors(Poses3D(poses.astype(np.float32), H36M_17, 50.0), truth, valid)


def test_only_valid_limb_joints_count():
    truth = RNG.normal(size=(3, 17, 3))
    valid = np.ones((3, 17), bool)
    moved = truth * 2 + 1  # Procrustes takes this out
    assert limbs(moved, truth, valid) == {
        "p_mpjpe": pytest.approx(0, abs=1e-2),
        "bone_direction_aligned": pytest.approx(0, abs=1e-3),
    }
    moved[:, H36M_17.index("nose")] += 5
    valid[1, LIMBS[0]] = False
    moved[1, LIMBS[0]] += 5
    assert max(limbs(moved, truth, valid).values()) < 1e-2
    valid[1, LIMBS[0]] = True
    assert limbs(moved, truth, valid)["p_mpjpe"] > 10
    assert limbs(moved, truth, valid)["bone_direction_aligned"] > 1


def test_bones_are_those_of_arms_and_legs():
    """A forearm that is turned by 90 degrees is one of eight bones."""
    truth = np.zeros((1, 17, 3))
    for limb, at in zip(H36M_17.limbs, np.eye(3)[[0, 1, 2, 0]] * 1e3, strict=True):  # far apart: no rotation to gain
        truth[0, list(limb)] = at * (1 if limb is not H36M_17.limbs[3] else -1) + np.arange(3)[:, None] * [0, 0, 0.3]
    moved = truth.copy()
    last = H36M_17.limbs[0][2]
    moved[0, last] = moved[0, last - 1] + [0, 0.3, 0]
    assert limbs(moved, truth, np.ones((1, 17), bool))["bone_direction_aligned"] == pytest.approx(90 / 8, abs=0.01)
