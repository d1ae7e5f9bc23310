import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poselift.prepare.flip import flip
from poselift.skeleton import COCO_17, H36M_17, SKELETONS


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)
@given(seed=st.integers(0, 2**32 - 1), lead=st.sampled_from([(), (1,), (2, 3)]), channels=st.sampled_from([2, 3]))
def test_twice_is_the_identity(skeleton, seed, lead, channels):
    array = np.random.default_rng(seed).normal(size=(*lead, len(skeleton), channels))
    kept = array.copy()
    mirrored = flip(array, skeleton)
    np.testing.assert_array_equal(array, kept)
    assert not np.array_equal(mirrored, array)
    np.testing.assert_array_equal(flip(mirrored, skeleton), array)


def test_x_changes_sign_and_left_and_right_exchange():
    array = np.arange(51.0).reshape(17, 3)
    mirrored = flip(array, H36M_17)
    assert mirrored[0].tolist() == [0, 1, 2]  # the pelvis at x = 0
    assert mirrored[1].tolist() == [-12, 13, 14]  # right hip from left hip
    assert mirrored[4].tolist() == [-3, 4, 5]
    assert mirrored[10].tolist() == [-30, 31, 32]  # crown
    assert mirrored[13].tolist() == [-48, 49, 50]  # left wrist from right wrist
    assert flip(array, COCO_17)[1].tolist() == [-6, 7, 8]  # left eye from right eye


def test_torch_gives_the_same():
    torch = pytest.importorskip("torch")
    array = np.random.default_rng(0).normal(size=(2, 5, 17, 3)).astype(np.float32)
    np.testing.assert_array_equal(flip(torch.from_numpy(array), H36M_17).numpy(), flip(array, H36M_17))
