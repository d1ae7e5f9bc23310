import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from poselift.geometry.rotation import (
    euler_degrees,
    frame_from_axes,
    matrix_from_wxyz,
    shortest_arc,
    unwrap_euler,
    xyzw_path,
)

components = st.floats(-10, 10).map(lambda value: round(value, 3))
vectors = arrays(float, (4, 3), elements=components).filter(lambda v: (np.linalg.norm(v, axis=-1) > 0.1).all())


def unit(v: np.ndarray) -> np.ndarray:
    return v / np.linalg.norm(v, axis=-1, keepdims=True)


def assert_rotations(matrices: np.ndarray) -> None:
    np.testing.assert_allclose(
        matrices @ np.swapaxes(matrices, -1, -2), np.broadcast_to(np.eye(3), matrices.shape), atol=1e-6
    )
    np.testing.assert_allclose(np.linalg.det(matrices), 1, atol=1e-6)


def test_a_mirror_is_no_rotation():
    with pytest.raises(AssertionError):
        assert_rotations(np.diag([1.0, 1.0, -1.0])[None])


def test_quaternions_are_scalar_first():
    np.testing.assert_array_equal(matrix_from_wxyz(np.array([1, 0, 0, 0])), np.eye(3))
    quarter = matrix_from_wxyz(np.array([2, 0, 0, 2]))  # about z, of any length
    np.testing.assert_allclose(quarter @ [1, 0, 0], [0, 1, 0], atol=1e-15)
    assert matrix_from_wxyz(np.ones((2, 5, 4))).shape == (2, 5, 3, 3)


@given(vectors, vectors)
def test_shortest_arc_turns_one_direction_into_the_other_without_twist(a, b):
    turned = shortest_arc(a, b)
    assert_rotations(turned)
    np.testing.assert_allclose(np.einsum("nij,nj->ni", turned, unit(a)), unit(b), atol=1e-6)
    angle = np.arccos(np.clip((unit(a) * unit(b)).sum(-1), -1, 1))
    np.testing.assert_allclose(Rotation.from_matrix(turned).magnitude(), angle, atol=1e-5)


def test_shortest_arc_from_x_to_y_is_a_quarter_turn_about_z():
    np.testing.assert_allclose(shortest_arc([2.0, 0, 0], [0, 3.0, 0]), [[0, -1, 0], [1, 0, 0], [0, 0, 1]], atol=1e-12)


@pytest.mark.parametrize("axis", np.eye(3))
def test_opposite_directions_are_half_a_turn_apart(axis):
    turned = shortest_arc(axis, -axis)
    assert_rotations(turned)
    np.testing.assert_allclose(turned @ axis, -axis, atol=1e-9)


def test_no_direction_is_no_turn():
    np.testing.assert_array_equal(shortest_arc(np.zeros(3), [0, 1, 0]), np.eye(3))
    np.testing.assert_array_equal(shortest_arc([0, 1, 0], np.zeros(3)), np.eye(3))


def test_shortest_arc_takes_any_leading_axes():
    assert shortest_arc(np.ones((2, 5, 3)), np.array([1.0, 0, 0])).shape == (2, 5, 3, 3)


@given(vectors, vectors)
def test_frame_has_x_along_the_first_axis_and_y_on_the_side_of_the_second(a, b):
    frames, exists = frame_from_axes(a, b)
    assert_rotations(frames)
    np.testing.assert_allclose(frames[exists, :, 0], unit(a)[exists], atol=1e-9)
    assert ((frames[..., 1] * b).sum(-1)[exists] > 0).all()
    np.testing.assert_allclose((frames[..., 2] * b).sum(-1)[exists], 0, atol=1e-6)


def test_frame_pinned():
    frames, exists = frame_from_axes(np.array([[0, 0, 2.0]]), np.array([[0, 5.0, 1.0]]))
    assert exists.all()
    np.testing.assert_allclose(frames[0], np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]]).T, atol=1e-12)


def test_no_frame_of_parallel_or_missing_axes():
    frames, exists = frame_from_axes(np.array([[1.0, 0, 0], [0, 0, 0]]), np.array([[2.0, 0, 0], [0, 1.0, 0]]))
    assert not exists.any()
    np.testing.assert_array_equal(frames, [np.eye(3), np.eye(3)])


@pytest.mark.parametrize("order", ["ZXY", "ZYX", "YZX"])
@given(start=arrays(float, 3, elements=st.floats(-3, 3)), speed=arrays(float, 3, elements=st.floats(-0.1, 0.1)))
def test_unwrapped_angles_are_the_same_rotations(order, start, speed):
    turned = Rotation.from_rotvec(start) * Rotation.from_rotvec(np.linspace(0, 60, 61)[:, None] * speed)
    angles = turned.as_euler(order, degrees=True)
    smooth = unwrap_euler(angles[:, None])[:, 0]
    again = Rotation.from_euler(order, smooth, degrees=True)
    np.testing.assert_allclose((again.inv() * turned).magnitude(), 0, atol=1e-6)
    assert np.abs(np.diff(smooth, axis=0)).sum() <= np.abs(np.diff(angles, axis=0)).sum() + 1e-6


def test_unwrapped_angles_pass_the_half_turn_and_the_pole():
    tumbling = np.linspace(0, 720, 145)  # 5 degrees a frame about the middle axis, through the poles
    angles = np.stack([np.full(145, 20.0), tumbling, np.full(145, -30.0)], axis=-1)
    wrapped = Rotation.from_euler("ZXY", angles[[i for i in range(145) if tumbling[i] % 180 != 90]], degrees=True)
    smooth = unwrap_euler(wrapped.as_euler("ZXY", degrees=True))
    assert np.abs(np.diff(smooth, axis=0)).max() < 11
    np.testing.assert_allclose(smooth[-1], [20, 720, -30], atol=1e-6)


def test_unwrapping_leaves_its_input_alone():
    angles = np.array([[0.0, 0, 179], [0, 0, -179]])
    np.testing.assert_array_equal(unwrap_euler(angles), [[0, 0, 179], [0, 0, 181]])
    assert angles[1, 2] == -179


@pytest.mark.parametrize("order", ["XYZ", "YZX", "ZXY", "XZY", "ZYX", "YXZ"])
def test_euler_angles_are_those_of_scipy(order):
    turned = Rotation.random(50, random_state=0)
    angles = euler_degrees(turned.as_matrix(), order)
    np.testing.assert_allclose(angles, turned.as_euler(order, degrees=True), atol=1e-6)


@pytest.mark.parametrize("order", ["XYZ", "YZX", "ZXY", "XZY", "ZYX", "YXZ"])
@pytest.mark.parametrize("middle", [90.0, -90.0])
def test_euler_angles_in_gimbal_lock_give_the_rotation_again(order, middle):
    turned = Rotation.from_euler(order, [[25.0, middle, 40.0], [0.0, middle, 0.0]], degrees=True)
    angles = euler_degrees(turned.as_matrix(), order)
    np.testing.assert_array_equal(angles[:, 2], 0)
    np.testing.assert_allclose(
        (Rotation.from_euler(order, angles, degrees=True).inv() * turned).magnitude(), 0, atol=1e-6
    )


def test_unwrapping_takes_the_nearest_of_all_equal_angles_frame_by_frame():
    """The slow way beside the fast one."""
    rng = np.random.default_rng(0)
    steps = Rotation.from_rotvec(np.cumsum(rng.normal(scale=0.4, size=(200, 3)), axis=0))
    angles = steps.as_euler("ZXY", degrees=True)
    slow = angles.copy()
    for before, now in zip(slow[:-1], slow[1:], strict=True):
        both = np.stack([now, now * (1, -1, 1) + 180])
        both -= 360 * np.round((both - before) / 360)
        now[...] = both[np.abs(both - before).sum(-1).argmin()]
    np.testing.assert_allclose(unwrap_euler(angles), slow, atol=1e-9)


def test_quaternions_stay_on_one_side():
    turned = Rotation.from_euler("y", np.linspace(0, 900, 61)[:, None], degrees=True)
    path = xyzw_path(turned.as_matrix())
    assert ((path[1:] * path[:-1]).sum(-1) > 0.9).all()
    assert path[0, 3] > 0
    np.testing.assert_allclose((Rotation.from_quat(path).inv() * turned).magnitude(), 0, atol=1e-7)
