"""Rigs: names, chains and rest poses of the figures that animation programs know, as data.

`poselift.formats.rigs.figure` puts a person's motion into any of them.
"""

from dataclasses import dataclass, replace

from poselift.errors import FormatError, did_you_mean


@dataclass(frozen=True, kw_only=True)
class Rig:
    """The names of a figure's joints, and how it stands at rest: upright, facing +z, feet level, arms out."""

    name: str
    """What `--rig` calls it."""
    about: str
    """Programs that know it."""
    sides: tuple[str, str] = ("Left", "Right")
    """What replaces `{}` in the names of joints on the left and on the right."""
    root: str | None = None
    """A joint on the ground that carries the hips and their path; the hips carry it when None."""
    hips: str
    """The joint between the hips; a name of our own skeletons stands for itself."""
    trunk: tuple[tuple[str, float], ...]
    """Joints from the hips to the chest, and how high each is: 0 is the pelvis, 1 the spine (one joint must be there),
    2 the thorax between the shoulders. The last one carries neck and clavicles."""
    neck: tuple[str, ...]
    """Joints from the base of the neck up to the head."""
    head: str
    clavicle: str
    upper_arm: str
    lower_arm: str
    hand: str
    hip_joint: str | None = None
    """A joint between the hips and an upper leg, where the rig has one."""
    upper_leg: str
    lower_leg: str
    foot: str
    toes: str | None
    arms_down_deg: float = 0.0
    """How far the arms hang down at rest: 0 is a T pose, 45 an A pose."""
    points: bool = False
    """Whether the other joints of the poses (face, toes, heels) are joints of the figure too."""


_POSELIFT = Rig(
    name="poselift", about="our own joint names, all of them: for poselift and for scripts",
    sides=("left", "right"), hips="pelvis", trunk=(("spine", 1.0), ("thorax", 2.0)), neck=("lower_neck",), head="skull",
    clavicle="{}_clavicle", upper_arm="{}_shoulder", lower_arm="{}_elbow", hand="{}_wrist",
    upper_leg="{}_hip", lower_leg="{}_knee", foot="{}_ankle", toes=None, points=True,
)  # fmt: skip
_MIXAMO = Rig(
    name="mixamo", about="Mixamo and its characters; also MotionBuilder, with its prefix taken off",
    hips="mixamorig:Hips", trunk=(("mixamorig:Spine", 0.35), ("mixamorig:Spine1", 1.0), ("mixamorig:Spine2", 1.5)),
    neck=("mixamorig:Neck",), head="mixamorig:Head",
    clavicle="mixamorig:{}Shoulder", upper_arm="mixamorig:{}Arm", lower_arm="mixamorig:{}ForeArm",
    hand="mixamorig:{}Hand", upper_leg="mixamorig:{}UpLeg", lower_leg="mixamorig:{}Leg", foot="mixamorig:{}Foot",
    toes="mixamorig:{}ToeBase",
)  # fmt: skip
_VRM = Rig(
    name="vrm", about="VRM 1.0 humanoids, as their specification spells the bones",
    sides=("left", "right"), hips="hips", trunk=(("spine", 0.35), ("chest", 1.0), ("upperChest", 1.5)),
    neck=("neck",), head="head", clavicle="{}Shoulder", upper_arm="{}UpperArm", lower_arm="{}LowerArm", hand="{}Hand",
    upper_leg="{}UpperLeg", lower_leg="{}LowerLeg", foot="{}Foot", toes="{}Toes",
)  # fmt: skip
_UNITY = replace(
    _VRM, name="unity", about="Unity's humanoid, as HumanBodyBones spells the bones", sides=("Left", "Right"),
    hips="Hips", trunk=(("Spine", 0.35), ("Chest", 1.0), ("UpperChest", 1.5)), neck=("Neck",), head="Head",
)  # fmt: skip
_UNREAL = Rig(
    name="unreal", about="Unreal Engine 5's mannequins Manny and Quinn",
    sides=("l", "r"), root="root", hips="pelvis",
    trunk=(("spine_01", 0.25), ("spine_02", 0.6), ("spine_03", 1.0), ("spine_04", 1.35), ("spine_05", 1.7)),
    neck=("neck_01", "neck_02"), head="head",
    clavicle="clavicle_{}", upper_arm="upperarm_{}", lower_arm="lowerarm_{}", hand="hand_{}",
    upper_leg="thigh_{}", lower_leg="calf_{}", foot="foot_{}", toes="ball_{}", arms_down_deg=45.0,
)  # fmt: skip
_CMU = Rig(
    name="cmu", about="the CMU motion capture library as BVH, in the names of MotionBuilder",
    hips="Hips", trunk=(("LowerBack", 0.35), ("Spine", 1.0), ("Spine1", 1.5)), neck=("Neck", "Neck1"), head="Head",
    clavicle="{}Shoulder", upper_arm="{}Arm", lower_arm="{}ForeArm", hand="{}Hand", hip_joint="{}HipJoint",
    upper_leg="{}UpLeg", lower_leg="{}Leg", foot="{}Foot", toes="{}ToeBase",
)  # fmt: skip
_ROKOKO = Rig(
    name="rokoko", about="Rokoko Studio's own skeleton",
    hips="Hips", trunk=(("Spine1", 0.25), ("Spine2", 0.6), ("Spine3", 1.0), ("Spine4", 1.5)), neck=("Neck",),
    head="Head", clavicle="{}Shoulder", upper_arm="{}Arm", lower_arm="{}ForeArm", hand="{}Hand",
    upper_leg="{}Thigh", lower_leg="{}Shin", foot="{}Foot", toes="{}Toe",
)  # fmt: skip

RIGS: dict[str, Rig] = {
    rig.name: rig for rig in (_POSELIFT, _MIXAMO, _VRM, _UNITY, _UNREAL, _CMU, _ROKOKO)
}  # fmt: skip
"""Every rig by name."""


def get_rig(name: str) -> Rig:
    """Return the rig of a name.

    Raises:
        FormatError: There is no rig of this name.
    """
    if name not in RIGS:
        raise FormatError(f"unknown rig '{name}'; {did_you_mean(name, tuple(RIGS))}")
    return RIGS[name]
