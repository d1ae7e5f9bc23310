import numpy as np
import pytest

from poselift.datasets.upright import AXES, guess_up, standing_axis, z_up_from
from poselift.errors import FormatError


def lying(xyz: np.ndarray) -> np.ndarray:
    """The same on its back on the floor, the head along -y; z up."""
    turned = np.stack([xyz[..., 0], -xyz[..., 2], xyz[..., 1]], axis=-1)
    return turned - [0, 0, turned[..., 2].min()]


def of_z_up(xyz: np.ndarray, up: str) -> np.ndarray:
    """What `z_up_from` makes z-up points of again."""
    turn = z_up_from(np.eye(3), up)
    back = xyz @ turn.T
    np.testing.assert_allclose(z_up_from(back, up), xyz, atol=1e-6)
    return back


def test_y_up_pinned():
    np.testing.assert_array_equal(z_up_from(np.eye(3), "y"), [[1, 0, 0], [0, 0, 1], [0, -1, 0]])
    assert z_up_from(np.ones((2, 3), np.float32), "z").dtype == np.float32


@pytest.mark.parametrize("up", AXES)
def test_turns_are_no_mirrors_and_put_up_up(up):
    turn = z_up_from(np.eye(3), up)
    assert np.linalg.det(turn) == 1
    np.testing.assert_array_equal(z_up_from(AXES[up], up), [0, 0, 1])


def test_an_unknown_axis_is_refused():
    with pytest.raises(FormatError, match=r"\(up, --up\), got 'Y'; did you mean|known: y, z"):
        z_up_from(np.zeros(3), "Y")


@pytest.mark.parametrize("up", AXES)
def test_the_axis_a_pose_stands_along(up):
    assert standing_axis(0.5 * AXES[up], 0.9 * AXES[up]) == up
    assert standing_axis(AXES[up], -AXES[up]) is None
    assert standing_axis(AXES[up], np.zeros(3)) is None


@pytest.mark.parametrize("up", ["y", "z", "-y", "-z"])
def test_rest_pose_and_motion_agree(body, walk, up):
    xyz, rest = of_z_up(walk(30).xyz, up), of_z_up(body, up)
    assert guess_up(xyz, rest, xyz) == (up, "rest pose and motion", True)


@pytest.mark.parametrize(("up", "rest"), [("z", "y"), ("y", "z"), ("-y", "y")])
@pytest.mark.parametrize("in_place", [False, True])
def test_the_motion_overrules_a_rest_pose_of_other_axes(body, walk, up, rest, in_place):
    xyz = of_z_up(walk(30).xyz, up)
    xyz = xyz - xyz[:, :1] if in_place else xyz
    assert guess_up(xyz, of_z_up(body, rest), xyz) == (up, "motion against the rest pose", False)


@pytest.mark.parametrize("up", ["y", "z"])
@pytest.mark.parametrize("where", [0, 3])
def test_a_person_on_the_floor_stays_there(body, walk, up, where):
    """On the back for most frames: with the feet near 0 the frames on foot tell, elsewhere the missing floor."""
    down = lying(walk(30).xyz) + [0, where, 0]
    xyz = of_z_up(np.concatenate([walk(5).xyz, down]) if where == 0 else down, up)
    evidence = "rest pose and floor"
    assert guess_up(xyz, of_z_up(body, up), xyz) == (up, evidence, False)


def test_without_a_rest_pose_that_stands_the_motion_tells(body, walk):
    folded = np.zeros_like(body)
    for up, certain in (("y", True), ("z", False)):
        xyz = of_z_up(walk(30).xyz, up)
        assert guess_up(xyz, folded, xyz) == (up, "motion", certain)


def test_without_any_sign_it_is_y(body, walk):
    along_x = walk(30).xyz[..., [2, 0, 1]]
    assert guess_up(along_x, np.zeros_like(body), along_x) == ("y", "convention", False)
    assert guess_up(along_x, of_z_up(body, "z"), along_x) == ("z", "rest pose", False)
