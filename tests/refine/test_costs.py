import numpy as np
import pytest

from poselift.refine.costs import OnFloor, Planted, Reprojection, Smoothness

RNG = np.random.default_rng(0)
FRAMES, JOINTS, FPS = 7, 5, 30.0
PATH = RNG.normal(0, 0.3, (FRAMES, 3)) + (0.2, -0.1, 4)
POINTS = RNG.normal(0, 0.4, (FRAMES, JOINTS, 3))
K = np.array([[1200.0, 0, 640], [0, 1100, 360], [0, 0, 1]])
UP = np.array([0.1, -0.98, -0.17]) / np.linalg.norm([0.1, -0.98, -0.17])


def size(frames: int) -> np.ndarray:
    """Sizes of which some are infinite, as of joints that are not seen."""
    found = RNG.uniform(0.5, 3, (frames, JOINTS))
    found[1, 2] = np.inf
    return found


TERMS = {
    "reprojection": Reprojection(POINTS, RNG.uniform(0, 700, (FRAMES, JOINTS, 2)), size(FRAMES), K),
    "smoothness": Smoothness(FPS, 3.0),
    "planted": Planted(POINTS, size(FRAMES - 1), FPS),
    "floor": OnFloor(POINTS, size(FRAMES), UP, -1.5, RNG.uniform(0, 0.1, JOINTS)),
}


@pytest.mark.parametrize("name", TERMS)
def test_the_jacobian_is_the_numerical_derivative(name):
    term, tiny = TERMS[name], 1e-6
    parts = term.jacobian(PATH)
    blocks = len(term.error(PATH))
    assert all(part.shape == (*term.error(PATH).shape, 3) for part in parts)
    for frame in range(FRAMES):
        for axis in range(3):
            moved = [PATH.copy(), PATH.copy()]
            moved[0][frame, axis] -= tiny
            moved[1][frame, axis] += tiny
            numerical = (term.error(moved[1]) - term.error(moved[0])) / (2 * tiny)
            analytic = np.zeros_like(numerical)
            for offset, part in enumerate(parts):
                if 0 <= frame - offset < blocks:
                    analytic[frame - offset] += part[frame - offset, ..., axis]
            np.testing.assert_allclose(analytic, numerical, rtol=1e-5, atol=1e-5 * np.abs(numerical).max() + 1e-7)


@pytest.mark.parametrize("name", [name for name in TERMS if name != "smoothness"])
def test_what_is_not_seen_or_does_not_stand_has_no_error(name):
    term = TERMS[name]
    assert not term.error(PATH)[1, 2].any()
    assert not any(part[1, 2].any() for part in term.jacobian(PATH))


def test_errors_are_in_ordinary_errors():
    """A joint that is 10 px off, where 5 are expected, is 2 ordinary errors off; one that slides 1 m/s, at 0.1, 10."""
    joints = np.zeros((3, 1, 3))
    path = np.array([[0.0, 0, 4]] * 3)
    seen = np.full((3, 1, 2), (650.0, 360.0))
    np.testing.assert_allclose(Reprojection(joints, seen, np.full((3, 1), 5.0), K).error(path)[0, 0], [-2, 0])
    slides = path + np.arange(3)[:, None] * [0.0, 0, 1 / FPS]
    np.testing.assert_allclose(Planted(joints, np.full((2, 1), 0.1), FPS).error(slides)[0, 0], [0, 0, 10])
    falls = path + 0.5 * (np.arange(3)[:, None] / FPS) ** 2 * [0, 9.81, 0]
    np.testing.assert_allclose(Smoothness(FPS, 9.81).error(falls)[0, 0], [0, 1, 0])
    floor = OnFloor(joints, np.full((3, 1), 0.05), np.array([0, -1.0, 0]), -0.1, np.zeros(1))
    np.testing.assert_allclose(floor.error(path), 2)


def test_a_joint_behind_the_camera_has_a_finite_error():
    term = TERMS["reprojection"]
    behind = PATH - (0, 0, 8)
    assert np.isfinite(term.error(behind)).all()
    assert np.isfinite(term.jacobian(behind)[0]).all()
