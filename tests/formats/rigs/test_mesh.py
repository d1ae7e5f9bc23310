import numpy as np
import pytest

from poselift.formats.rigs import RIGS
from poselift.formats.rigs.figure import pose_rig
from poselift.formats.rigs.mesh import GROUPS, body_mesh
from poselift.skeleton import BODY_27


@pytest.mark.parametrize("rig", RIGS.values(), ids=list(RIGS))
def test_the_body_is_closed_and_shows_its_outside(acrobat, rig):
    figure = pose_rig(acrobat(1, 5, BODY_27)[0], rig)
    mesh = body_mesh(figure)
    assert set(mesh.triangles) == set(GROUPS)
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(mesh.weights.sum(1), 1, atol=1e-6)
    assert mesh.joints.max() < len(figure.joints)
    assert (mesh.joints[mesh.weights == 0] == 0).all()  # as glTF wants it
    for corners in mesh.triangles.values():
        a, b, c = (mesh.points[corners[:, corner]].astype(float) for corner in range(3))
        facing = np.cross(b - a, c - a)
        real = np.linalg.norm(facing, axis=1) > 1e-9  # at the tips of the limbs, two corners are at one place
        along = (facing * mesh.normals[corners].mean(1)).sum(1)
        assert (along[real] > 0).all()
        assert real.mean() > 0.8


def test_the_body_is_as_large_as_the_person(acrobat):
    figure = pose_rig(acrobat(1, 5, BODY_27)[0], RIGS["mixamo"])
    mesh = body_mesh(figure)
    top = max(joint.rest[1] + joint.end[1] for joint in figure.joints if joint.part == "head")
    assert mesh.points[:, 1].max() == pytest.approx(top, abs=0.06)
    assert -0.03 < mesh.points[:, 1].min() < 0.02  # soles
    for part, group in ((1, "left"), (-1, "right")):
        assert (part * mesh.points[np.unique(mesh.triangles[group]), 0]).min() > -0.08
