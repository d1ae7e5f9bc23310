import numpy as np
import pytest

from poselift.refine.costs import Planted, Reprojection, Smoothness
from poselift.refine.gravity import Feet, Ground
from poselift.refine.path import Seen, cost, find_path, first_guess, normal_equations, solve_path

K = np.array([[1000.0, 0, 500], [0, 1000, 500], [0, 0, 1]])
FPS = 50.0


def walker(frames: int = 60, noise_px: float = 0.0, seed: int = 0) -> tuple[Seen, np.ndarray, Feet]:
    """Somebody of 17 points who walks across and away; one foot stands, as it is held where it first was."""
    rng = np.random.default_rng(seed)
    body = rng.uniform((-0.3, -0.7, -0.2), (0.3, 0.9, 0.2), (17, 3))
    times = np.arange(frames) / FPS
    path = np.stack([times - 0.5, 0.02 * np.sin(9 * times), 4 + 0.8 * times], 1)
    joints = body + 0.1 * np.sin(times[:, None, None] * 7 + rng.uniform(0, 6, (1, 17, 3)))
    joints[:, 0] = 0
    joints[:, 16] = path[0] + (0.1, 0.9, 0) - path
    there = path[:, None] + joints
    pixels = there[..., :2] / there[..., 2:] * 1000 + 500 + rng.normal(0, noise_px, (frames, 17, 2))
    feet = Feet(joints[:, 16:], np.ones((frames, 1)), np.zeros(1), True)
    return Seen(joints, pixels, np.ones((frames, 17)), None, K, FPS), path, feet


def test_exact_keypoints_give_the_exact_path():
    seen, path, feet = walker()
    weak = solve_path([Reprojection(seen.joints, seen.pixels, np.ones((60, 17)), K)], first_guess(seen))
    np.testing.assert_allclose(weak, path, atol=1e-6)
    np.testing.assert_allclose(find_path(seen, feet), path, atol=0.01)


def test_the_banded_solution_is_that_of_the_whole_matrix():
    seen, path, feet = walker(12, noise_px=5)
    size = np.full((12, 17), 3.0)
    terms = [
        Reprojection(seen.joints, seen.pixels, size, K, tail=None),
        Smoothness(FPS, 3.0),
        Planted(feet.points, np.full((11, 1), 0.2), FPS, tail=None),
    ]
    bands, gradient = normal_equations(terms, path)
    whole = np.zeros((36, 36))
    for apart in range(len(bands)):
        for frame in range(12 - apart):
            block, row, column = bands[apart, frame], 3 * frame, 3 * (frame + apart)
            whole[row : row + 3, column : column + 3] = block
            whole[column : column + 3, row : row + 3] = block.T
    rows = []
    for term in terms:
        for block in range(len(term.error(path))):
            dense = np.zeros((*term.error(path)[block].shape, 36))
            for offset, part in enumerate(term.jacobian(path)):
                dense[..., 3 * (block + offset) : 3 * (block + offset) + 3] += part[block]
            rows.append(dense.reshape(-1, 36))
    dense = np.concatenate(rows)
    np.testing.assert_allclose(whole, dense.T @ dense, rtol=1e-9, atol=1e-6)
    errors = np.concatenate([term.error(path).ravel() for term in terms])
    np.testing.assert_allclose(gradient.ravel(), dense.T @ errors, rtol=1e-9, atol=1e-6)


def test_the_solution_is_a_minimum():
    seen, _, feet = walker(30, noise_px=6)
    terms = [
        Reprojection(seen.joints, seen.pixels, np.full((30, 17), 6.0), K),
        Smoothness(FPS, 3.0),
        Planted(feet.points, np.full((29, 1), 0.1), FPS),
    ]
    found = solve_path(terms, first_guess(seen))
    least = cost(terms, found)
    rng = np.random.default_rng(1)
    assert all(cost(terms, found + rng.normal(0, 0.003, found.shape)) > least for _ in range(20))


def test_noise_averages_out_and_does_not_pull_the_person_in():
    """The linear form would place somebody at 4 m about 300 mm too near at 12 px of noise."""
    found = []
    for seed in range(8):
        seen, path, _ = walker(100, noise_px=12, seed=seed)
        found.append(find_path(seen) - path)
    depth = np.array(found)[..., 2]
    assert abs(depth.mean()) < 0.03
    assert np.sqrt((depth**2).mean()) < 0.1
    assert np.abs(np.array(found)[..., :2]).mean() < 0.015


def test_outliers_do_not_count():
    seen, path, _ = walker(80, noise_px=2)
    pixels = seen.pixels.copy()
    wrong = np.random.default_rng(2).random((80, 17)) < 0.15
    pixels[wrong] += 200
    found = find_path(Seen(seen.joints, pixels, seen.confidence, None, K, FPS))
    assert np.abs(found - path).max() < 0.15


def test_planted_feet_keep_the_body_in_place():
    seen, path, feet = walker(100, noise_px=25)
    slides = [
        np.linalg.norm(np.diff(found + feet.points[:, 0], axis=0), axis=1).mean()
        for found in (find_path(seen), find_path(seen, feet))
    ]
    assert slides[1] < slides[0] / 2
    assert np.abs(find_path(seen, feet) - path)[:, 2].mean() < np.abs(find_path(seen) - path)[:, 2].mean()


def test_the_floor_holds_the_feet():
    seen, path, feet = walker(100, noise_px=25)
    up = np.array([0, -1.0, 0])
    ground = Ground(up, float((path[0] + feet.points[0, 0]) @ up), 1.0, "known")
    off = [np.abs(ground.above(found + feet.points[:, 0])).mean() for found in
           (find_path(seen, feet), find_path(seen, feet, ground))]  # fmt: skip
    assert off[1] < off[0]


def test_a_jump_stays_a_jump():
    """Half a second in the air, 0.3 m high: the smoothness must not flatten it."""
    seen, path, _ = walker(100, noise_px=3)
    flight = np.clip(np.arange(100) - 40, 0, 25) / FPS
    path[:, 1] -= 9.81 / 2 * flight * (0.5 - flight)
    there = path[:, None] + seen.joints
    pixels = there[..., :2] / there[..., 2:] * 1000 + 500
    found = find_path(Seen(seen.joints, pixels, seen.confidence, None, K, FPS))
    assert np.ptp(found[:, 1]) == pytest.approx(np.ptp(path[:, 1]), rel=0.05)
    assert np.ptp(path[:, 1]) > 0.28


def test_frames_that_show_nobody_are_bridged():
    seen, path, _ = walker(100, noise_px=2)
    confidence = seen.confidence.copy()
    confidence[40:55] = 0
    pixels = np.where(confidence[..., None] > 0, seen.pixels, 0)
    found = find_path(Seen(seen.joints, pixels, confidence, None, K, FPS))
    assert np.abs(found - path)[38:57].max() < 0.12


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_clips_of_very_few_frames(frames):
    seen, path, feet = walker(frames, noise_px=1)
    ground = Ground(np.array([0, -1.0, 0]), -0.9, 1.0, "known")
    assert np.abs(find_path(seen, feet, ground) - path)[:, 2].max() < 0.5
