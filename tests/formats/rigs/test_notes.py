"""What files of figures say about the figure."""

import logging
from dataclasses import replace

import pytest

from poselift.formats import save_poses


def test_what_constant_bones_cost_is_logged_once_for_a_figure(tmp_path, acrobat, caplog: pytest.LogCaptureFixture):
    poses, _ = acrobat(0, 5)
    with caplog.at_level(logging.INFO, logger="poselift"):
        for name in ("a.bvh", "a.glb", "b.bvh"):
            save_poses(poses, tmp_path / name)
        assert caplog.text.count("the bones of the poselift figure") == 1
        save_poses(poses, tmp_path / "c.bvh", rig="mixamo")
        assert caplog.text.count("the bones of the mixamo figure") == 1
        save_poses(replace(poses, person=2), tmp_path / "d.bvh")  # somebody else
        assert caplog.text.count("the bones of the poselift figure") == 2
