import pytest

from poselift.errors import FormatError
from poselift.formats.rigs import RIGS, get_rig

PATTERNS = ("clavicle", "upper_arm", "lower_arm", "hand", "upper_leg", "lower_leg", "foot")


@pytest.mark.parametrize("rig", RIGS.values(), ids=list(RIGS))
def test_rigs_are_complete(rig):
    assert all(getattr(rig, part).count("{}") == 1 for part in PATTERNS)
    assert 1.0 in [height for _, height in rig.trunk]  # the spine of the poses is one of the joints
    heights = [height for _, height in rig.trunk]
    assert heights == sorted(heights) and 0 < heights[0] and heights[-1] <= 2
    assert rig.sides[0] != rig.sides[1]


def test_names_pinned():
    """The spellings that the programs' own figures have."""
    assert get_rig("mixamo").upper_leg.format("Left") == "mixamorig:LeftUpLeg"
    assert get_rig("vrm").lower_arm.format(get_rig("vrm").sides[1]) == "rightLowerArm"
    assert get_rig("unity").lower_arm.format(get_rig("unity").sides[1]) == "RightLowerArm"
    assert get_rig("unreal").upper_leg.format(get_rig("unreal").sides[0]) == "thigh_l"
    assert get_rig("rokoko").lower_leg.format("Left") == "LeftShin"
    assert get_rig("cmu").hip_joint.format("Left") == "LeftHipJoint"


def test_an_unknown_rig():
    with pytest.raises(FormatError, match="unknown rig 'maya'; known: poselift, mixamo"):
        get_rig("maya")
