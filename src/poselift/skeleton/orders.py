"""Joint orders of data sets, detectors and lifters, each a `Skeleton`; no other file holds any."""

from poselift.skeleton.tree import Skeleton


def _skeleton(name: str, tree: dict[str, str]) -> Skeleton:
    """Build a skeleton from `{joint: parent name, or ""}` in array order."""
    joints = tuple(tree)
    return Skeleton(name, joints, tuple(joints.index(parent) if parent else -1 for parent in tree.values()))


_BOTH = ("left", "right")
_FACE = {"nose": "", "left_eye": "nose", "right_eye": "nose", "left_ear": "left_eye", "right_ear": "right_eye"}
_COCO_BODY = {
    "left_shoulder": "nose",
    "right_shoulder": "nose",
    "left_elbow": "left_shoulder",
    "right_elbow": "right_shoulder",
    "left_wrist": "left_elbow",
    "right_wrist": "right_elbow",
    "left_hip": "left_shoulder",
    "right_hip": "right_shoulder",
    "left_knee": "left_hip",
    "right_knee": "right_hip",
    "left_ankle": "left_knee",
    "right_ankle": "right_knee",
}


def _leg(side: str, parent: str) -> dict[str, str]:
    return {f"{side}_hip": parent, f"{side}_knee": f"{side}_hip", f"{side}_ankle": f"{side}_knee"}


def _arm(side: str, parent: str) -> dict[str, str]:
    return {f"{side}_shoulder": parent, f"{side}_elbow": f"{side}_shoulder", f"{side}_wrist": f"{side}_elbow"}


def _foot(side: str) -> dict[str, str]:
    return {f"{side}_{part}": f"{side}_ankle" for part in ("big_toe", "small_toe", "heel")}


H36M_17 = _skeleton(
    "H36M_17",
    {"pelvis": ""}
    | _leg("right", "pelvis")
    | _leg("left", "pelvis")
    | {"spine": "pelvis", "thorax": "spine", "nose": "thorax", "head_top": "nose"}
    | _arm("left", "thorax")
    | _arm("right", "thorax"),
)
"""Human3.6M's 17 joints in VideoPose3D's order; every lifter here uses this order. `nose` is its "Neck/Nose"."""

BODY_27 = _skeleton(
    "BODY_27",
    dict(zip(H36M_17.joints, ("", *(H36M_17.joints[parent] for parent in H36M_17.parents[1:])), strict=True))
    | {f"{side}_{part}": "nose" for part in ("eye", "ear") for side in _BOTH}
    | _foot("left")
    | _foot("right"),
)
"""The joints of `H36M_17` in their order, then eyes, ears and feet: the body of the lifters that know feet and head."""

COCO_17 = _skeleton("COCO_17", _FACE | _COCO_BODY)
"""COCO's 17 keypoints, which most 2D detectors give."""

HALPE_26 = _skeleton(
    "HALPE_26",
    _FACE
    | {"nose": "neck"}
    | _COCO_BODY
    | {"left_shoulder": "neck", "right_shoulder": "neck", "left_hip": "pelvis", "right_hip": "pelvis"}
    | {"head_top": "nose", "neck": "pelvis", "pelvis": ""}
    | {f"{side}_{part}": f"{side}_ankle" for part in ("big_toe", "small_toe", "heel") for side in _BOTH},
)
"""Halpe / AlphaPose / RTMPose body with feet: COCO, then head top, neck, pelvis and feet."""

BODY_25 = _skeleton(
    "BODY_25",
    {"nose": "neck", "neck": "pelvis"}
    | _arm("right", "neck")
    | _arm("left", "neck")
    | {"pelvis": ""}
    | _leg("right", "pelvis")
    | _leg("left", "pelvis")
    | {"right_eye": "nose", "left_eye": "nose", "right_ear": "right_eye", "left_ear": "left_eye"}
    | _foot("left")
    | _foot("right"),
)
"""OpenPose's default model."""

BODY_25B = _skeleton(
    "BODY_25B",
    _FACE
    | _COCO_BODY
    | {"left_shoulder": "upper_neck", "right_shoulder": "upper_neck", "nose": "upper_neck"}
    | {"upper_neck": "", "head_top": "nose"}
    | _foot("left")
    | _foot("right"),
)
"""OpenPose's more accurate model: COCO, then upper neck, head top and feet. It has as many joints as BODY_25."""


def _mediapipe() -> dict[str, str]:
    face = {"nose": ""}
    for side in _BOTH:
        face |= {f"{side}_eye_inner": "nose", f"{side}_eye": f"{side}_eye_inner", f"{side}_eye_outer": f"{side}_eye"}
    face |= {f"{side}_ear": f"{side}_eye_outer" for side in _BOTH} | {f"{side}_mouth": "nose" for side in _BOTH}
    arms = {joint: parent for joint, parent in _COCO_BODY.items() if "hip" not in joint and "hip" not in parent}
    arms = {joint: parent for joint, parent in arms.items() if "knee" not in joint and "ankle" not in joint}
    hands = {f"{side}_{finger}": f"{side}_wrist" for finger in ("pinky", "index", "thumb") for side in _BOTH}
    legs = {joint: parent for joint, parent in _COCO_BODY.items() if joint not in arms}
    feet = {f"{side}_{part}": f"{side}_ankle" for part in ("heel", "foot_index") for side in _BOTH}
    return face | arms | hands | legs | feet


MEDIAPIPE_33 = _skeleton("MEDIAPIPE_33", _mediapipe())
"""MediaPipe Pose (BlazePose) landmarks."""

MPI_INF_3DHP_17 = _skeleton(
    "MPI_INF_3DHP_17",
    {"head_top": "head", "neck": "spine"}
    | _arm("right", "neck")
    | _arm("left", "neck")
    | _leg("right", "pelvis")
    | _leg("left", "pelvis")
    | {"pelvis": "", "spine": "pelvis", "head": "neck"},
)
"""MPI-INF-3DHP's 17 "relevant" joints."""

HUMANEVA_15 = _skeleton(
    "HUMANEVA_15",
    {"pelvis": "", "thorax": "pelvis"}
    | _arm("left", "thorax")
    | _arm("right", "thorax")
    | _leg("left", "pelvis")
    | _leg("right", "pelvis")
    | {"head": "thorax"},
)
"""HumanEva-I's 15 joints in VideoPose3D's order."""

JHMDB_15 = _skeleton(
    "JHMDB_15",
    {"neck": "spine", "spine": "", "head": "neck", "right_shoulder": "neck", "left_shoulder": "neck"}
    | {"right_hip": "spine", "left_hip": "spine"}
    | {
        f"{side}_{joint}": f"{side}_{parent}"
        for joint, parent in (("elbow", "shoulder"), ("knee", "hip"), ("wrist", "elbow"), ("ankle", "knee"))
        for side in ("right", "left")
    },
)
"""JHMDB's 15 joints of the puppet: neck, belly (`spine`), face (`head`), then the limbs."""

MPI_15 = _skeleton(
    "MPI_15",
    {"head_top": "neck", "neck": "spine"}
    | _arm("right", "neck")
    | _arm("left", "neck")
    | _leg("right", "spine")
    | _leg("left", "spine")
    | {"spine": ""},
)
"""OpenPose's MPI model: head top and neck, limbs, and the middle of the trunk."""

MPII_16 = _skeleton(
    "MPII_16",
    {"right_ankle": "right_knee", "right_knee": "right_hip", "right_hip": "pelvis"}
    | _leg("left", "pelvis")
    | {"pelvis": "", "thorax": "pelvis", "upper_neck": "thorax", "head_top": "upper_neck"}
    | {"right_wrist": "right_elbow", "right_elbow": "right_shoulder", "right_shoulder": "thorax"}
    | _arm("left", "thorax"),
)
"""MPII Human Pose: its right limbs run from their ends to the trunk."""

COCO_18 = _skeleton(
    "COCO_18",
    {"nose": "neck", "neck": ""}
    | _arm("right", "neck")
    | _arm("left", "neck")
    | _leg("right", "neck")
    | _leg("left", "neck")
    | {"right_eye": "nose", "left_eye": "nose", "right_ear": "right_eye", "left_ear": "left_eye"},
)
"""OpenPose's COCO model: COCO with a neck, the right side first. Kinetics-Skeleton and AlphaPose write it too."""

COCO_23 = _skeleton(
    "COCO_23",
    dict(zip(COCO_17.joints, (COCO_17.joints[p] if p >= 0 else "" for p in COCO_17.parents), strict=True))
    | _foot("left")
    | _foot("right"),
)
"""The body of COCO-WholeBody: COCO, then the feet. RTMW, DWPose and others give it with face and hands."""

COCO_24 = _skeleton(
    "COCO_24",
    dict(zip(COCO_18.joints, (COCO_18.joints[p] if p >= 0 else "" for p in COCO_18.parents), strict=True))
    | _foot("left")
    | _foot("right"),
)
"""The body of COCO-WholeBody in OpenPose's order: OpenPose's COCO, then the feet."""

PANOPTIC_19 = _skeleton(
    "PANOPTIC_19",
    {"neck": "pelvis", "nose": "neck", "pelvis": ""}
    | _arm("left", "neck")
    | _leg("left", "pelvis")
    | _arm("right", "neck")
    | _leg("right", "pelvis")
    | {"left_eye": "nose", "left_ear": "left_eye", "right_eye": "nose", "right_ear": "right_eye"},
)
"""CMU Panoptic's 19 joints."""


def _kinect_limbs(hands: tuple[str, ...], shoulder: str, hip: str) -> dict[str, str]:
    """Limbs of the first two Kinects: the left arm, the right one, then the legs, each with its hand or foot."""
    arms: dict[str, str] = {}
    for side in _BOTH:
        arms |= _arm(side, shoulder) | {f"{side}_{part}": f"{side}_wrist" for part in hands}
    legs: dict[str, str] = {}
    for side in _BOTH:
        legs |= _leg(side, hip) | {f"{side}_foot": f"{side}_ankle"}
    return arms | legs


KINECT_20 = _skeleton(
    "KINECT_20",
    {"pelvis": "", "spine": "pelvis", "thorax": "spine", "head": "thorax"}
    | _kinect_limbs(("hand",), "thorax", "pelvis"),
)
"""Kinect for Windows, SDK 1: its hip, shoulder and head centres are pelvis, thorax and head here."""

KINECT_25 = _skeleton(
    "KINECT_25",
    {"pelvis": "", "spine": "pelvis", "upper_neck": "thorax", "head": "upper_neck"}
    | _kinect_limbs(("hand",), "thorax", "pelvis")
    | {"thorax": "spine"}
    | {f"{side}_{part}": f"{side}_hand" for side in _BOTH for part in ("hand_tip", "thumb")},
)
"""Kinect for Windows, SDK 2: its SpineBase, SpineMid, SpineShoulder and Neck are pelvis, spine, thorax, upper neck."""


def _azure_arm(side: str) -> dict[str, str]:
    hand = {f"{side}_hand_tip": f"{side}_hand", f"{side}_thumb": f"{side}_wrist"}
    return {f"{side}_clavicle": "chest"} | _arm(side, "chest") | {f"{side}_hand": f"{side}_wrist"} | hand


KINECT_32 = _skeleton(
    "KINECT_32",
    {"pelvis": "", "navel": "pelvis", "chest": "navel", "neck": "chest"}
    | _azure_arm("left")
    | _azure_arm("right")
    | _leg("left", "pelvis")
    | {"left_foot": "left_ankle"}
    | _leg("right", "pelvis")
    | {"right_foot": "right_ankle", "head": "neck", "nose": "head"}
    | {"left_eye": "nose", "left_ear": "left_eye", "right_eye": "nose", "right_ear": "right_eye"},
)
"""Azure Kinect's body tracking. Its shoulders hang from the chest here, as the clavicles do; `navel` and `chest` are
other points than `spine` and `thorax`."""

SKELETONS: dict[str, Skeleton] = {
    skeleton.name: skeleton
    for skeleton in (
        *(H36M_17, COCO_17, HALPE_26, BODY_25, BODY_25B, MEDIAPIPE_33, MPI_INF_3DHP_17, HUMANEVA_15),
        *(BODY_27, COCO_18, COCO_23, COCO_24, MPII_16, MPI_15, JHMDB_15, PANOPTIC_19, KINECT_20, KINECT_25, KINECT_32),
    )
}
"""Every skeleton by name."""
