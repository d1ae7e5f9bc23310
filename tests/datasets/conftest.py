import pytest

from poselift.datasets.mocap import load_mocap


@pytest.fixture
def load(figures, tmp_path):
    """Writes a figure as BVH and reads it again."""

    def load(pose=None, /, *frames, scale=1.0, rest=None, **options):
        text = figures.bvh(pose or figures.figure(), frames or ("0 85 0 0 0 0",), scale=scale, rest=rest)
        (tmp_path / "s1_walk.bvh").write_text(text)
        (clip,) = load_mocap(tmp_path / "s1_walk.bvh", **options)
        return clip

    return load
