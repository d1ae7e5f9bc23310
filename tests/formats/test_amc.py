import numpy as np
import pytest

from poselift.errors import FormatError
from poselift.formats.amc import read_amc

ASF = """# a figure of two bones
:version 1.10
:units
  mass 1.0
  length 0.5
  angle deg
:root
  order TX TY TZ RX RY RZ
  axis XYZ
  position 0 0 0
  orientation 0 0 0
:bonedata
  begin
    id 1
    name upper
    direction 1 0 0
    length 10
    axis 0 0 90 XYZ
    dof rx rz
    limits (-160.0 20.0)
           (-70.0 70.0)
  end
  begin
    id 2
    name fixed
    direction 0 1 0
    length 5
    axis 0 0 0 XYZ
  end
:hierarchy
  begin
    root upper
    upper fixed
  end
"""
AMC = """#!OML:ASF
:FULLY-SPECIFIED
:DEGREES
1
root 1 2 3 0 0 0
upper 0 0
2
root 1 2 3 0 90 0
upper 90 0
"""


@pytest.fixture
def files(tmp_path):
    (tmp_path / "a.asf").write_text(ASF)
    (tmp_path / "a.amc").write_text(AMC)
    return tmp_path / "a.asf", tmp_path / "a.amc"


def test_positions_pinned(files):
    motion = read_amc(*files)
    assert motion.joints == ("root", "upper", "fixed", "fixed_end")
    assert motion.parents == (-1, 0, 1, 2)
    assert (motion.fps, motion.unit_m) == (None, 0.0254 / 0.5)
    root = [1, 2, 3]
    np.testing.assert_allclose(motion.xyz[0] - root, [[0, 0, 0], [0, 0, 0], [10, 0, 0], [10, 5, 0]], atol=1e-9)
    # the upper bone turns by 90 about its own x, which its axis has put along the world's y; then all by 90 about y
    np.testing.assert_allclose(motion.xyz[1] - root, [[0, 0, 0], [0, 0, 0], [-10, 0, 0], [-10, 5, 0]], atol=1e-9)
    np.testing.assert_array_equal(motion.at_rest().xyz, [[[0, 0, 0], [0, 0, 0], [10, 0, 0], [10, 5, 0]]])


def test_what_the_files_say_of_unit_and_rate(files):
    asf, amc = files
    asf.write_text(ASF.replace("  length 0.5\n", ""))
    amc.write_text(AMC.replace(":DEGREES", ":DEGREES\n:SAMPLES-PER-SECOND 60.0"))
    motion = read_amc(asf, amc)
    assert (motion.fps, motion.unit_m) == (60, None)


def test_angles_go_to_the_channels_the_skeleton_lists(files):
    asf, amc = files
    amc.write_text(AMC.replace("upper 90 0", "upper 0 90"))
    turned = read_amc(asf, amc).xyz
    asf.write_text(ASF.replace("dof rx rz", "dof rz rx"))
    amc.write_text(AMC.replace("upper 90 0", "upper 90 0"))
    np.testing.assert_allclose(read_amc(asf, amc).xyz[1], turned[1], atol=1e-12)
    assert not np.allclose(turned[1, 2], [1, 2, 3])


def test_bones_may_come_in_any_order(files):
    asf, amc = files
    wanted = read_amc(asf, amc)
    first, second = ASF.index("  begin\n    id 1"), ASF.index("  begin\n    id 2")
    end = ASF.index(":hierarchy")
    asf.write_text(ASF[:first] + ASF[second:end] + ASF[first:second] + ASF[end:])
    np.testing.assert_array_equal(read_amc(asf, amc).xyz, wanted.xyz)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (ASF, "", "a.asf:0: wanted bones"),
        ("length 10", "length ten", "a.asf:17: wanted 1 finite numbers for length, got 'ten'"),
        ("direction 1 0 0", "direction 1 0 nan", "a.asf:16: wanted 3 finite numbers for direction"),
        ("axis 0 0 90 XYZ", "axis 0 0 90", "a.asf:18: wanted an axis"),
        ("dof rx rz", "dof rx rw", "a.asf:19: wanted degrees of freedom"),
        ("dof rx rz", "dof rx rx", "a.asf:19: wanted degrees of freedom"),
        ("name upper", "", "a.asf:22: wanted a bone with a name of its own"),
        ("name upper", "name root", "a.asf:22: wanted a bone with a name of its own, got 'root'"),
        ("name fixed", "name upper", "a.asf:29: wanted a bone with a name of its own, got 'upper'"),
        ("upper fixed", "upper fixt", "a.asf:33: wanted the name of a bone, got 'fixt'; did you mean 'fixed'"),
        ("    upper fixed\n", "", "a.asf:33: wanted every bone in the :hierarchy, below the root, got none for fixed"),
        ("upper fixed", "fixed upper", "a.asf:33: wanted one parent for each bone, got another for 'upper'"),
        ("angle deg", "angle rad", "a.asf:6: wanted angles in degrees"),
        ("length 0.5", "length 0", "a.asf:34: wanted .* length 0"),
        ("orientation 0 0 0", "orientation 0 90 0", "a.asf:11: wanted a root of zero orientation"),
    ],
)
def test_broken_skeletons_are_named_with_their_line(files, old, new, message):
    assert old in ASF
    files[0].write_text(ASF.replace(old, new, 1))
    with pytest.raises(FormatError, match=message):
        read_amc(*files)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (AMC, "", "a.amc:0: wanted at least one frame"),
        (":DEGREES", ":RADIANS", "a.amc:3: wanted angles in degrees"),
        ("upper 90 0\n", "", "a.amc:8: wanted all moving bones in frame 2, got none for upper"),
        ("upper 0 0\n", "", "a.amc:6: wanted all moving bones in frame 1, got none for upper"),
        ("upper 90 0", "upper 90", "a.amc:9: wanted 2 finite numbers for bone upper"),
        ("upper 90 0", "upper 90 nan", "a.amc:9: wanted 2 finite numbers for bone upper"),
        ("upper 90 0", "fixed 90 0", "a.amc:9: wanted each moving bone"),
        ("upper 90 0", "lower 90 0", "a.amc:9: wanted each moving bone"),
        ("upper 90 0", "upper 90 0\nupper 90 0", "a.amc:10: wanted each moving bone .* got 'upper'"),
        ("\n2\n", "\n3\n", "a.amc:7: wanted frame 2, got frame 3"),
        ("\n1\n", "\n", "a.amc:4: wanted each moving bone"),
        ("\n1\n", "\n\u00b2\n", "a.amc:4: wanted each moving bone"),
        ("\n1\n", "\n" + "9" * 5000 + "\n", "a.amc:4: wanted each moving bone"),
        (":DEGREES", ":SAMPLES-PER-SECOND 0", "a.amc:9: wanted a positive number of samples"),
    ],
)
def test_broken_motions_are_named_with_their_line(files, old, new, message):
    assert old in AMC
    files[1].write_text(AMC.replace(old, new, 1))
    with pytest.raises(FormatError, match=message):
        read_amc(*files)


@pytest.mark.parametrize("which", [0, 1])
def test_a_missing_file_is_named(files, which):
    files[which].unlink()
    with pytest.raises(FormatError, match=f"cannot read .*{files[which].name}"):
        read_amc(*files)


def test_a_real_walk(shared):
    folder = shared / "data" / "cmu_samples"
    motion = read_amc(folder / "02.asf", folder / "02_01.amc")
    assert motion.xyz.shape == (343, 31 + 7, 3)
    at = motion.joints.index
    xyz = motion.xyz * motion.unit_m
    assert motion.unit_m == 0.0254 / 0.45
    np.testing.assert_allclose(motion.xyz[0, at("root")], [10.4194, 16.7048, -30.1003], atol=1e-6)
    knee_to_ankle = np.linalg.norm(xyz[:, at("lfoot")] - xyz[:, at("ltibia")], axis=-1)
    np.testing.assert_allclose(knee_to_ankle, 7.28717 * 0.0254 / 0.45, atol=1e-6)
    toes = xyz[:, [at("ltoes_end"), at("rtoes_end")], 1].min(axis=1)
    assert np.abs(toes).max() < 0.1  # one foot is always on the ground, at height 0
    assert (xyz[:, at("head_end"), 1] > 1.5).all()
