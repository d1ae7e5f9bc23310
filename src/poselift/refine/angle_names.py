"""Names of joint angles, what each is, and how far a body reaches."""

FORMULAS = {
    "pelvis_anterior_tilt": "the hips' Z level, the pelvis turned about it: forward is positive (last of Y, X, Z)",
    "pelvis_obliquity": "about the pelvis' X: the right hip higher is positive (second of Y, X, Z; Baker 2001)",
    "pelvis_heading": "about the vertical: to the left is positive, 0 faces the camera, or -y of the world (first)",
    "trunk_lean": "between pelvis to thorax and the vertical, 0 to 180",
    "hip_flexion": "thigh in the pelvis, about Z: the knee forward is positive",
    "hip_adduction": "thigh in the pelvis, about X: the knee inward is positive",
    "hip_rotation": "thigh in the pelvis, about Y, by the knee as a hinge: toes inward is positive; bent knees only",
    "knee_angle": "between thigh and shank, 0 straight, flexion is positive; overextension is not told from flexion",
    "ankle_angle": "90 less the angle between shank and heel to toes: toes up (dorsiflexion) is positive",
    "ankle_inversion": "how far the line of the toes dips outward, seen along the foot: the sole inward is positive",
    "lumbar_extension": "chest in the pelvis, about Z: backward is positive",
    "lumbar_bending": "chest in the pelvis, about X: to the right is positive",
    "lumbar_rotation": "chest in the pelvis, about Y: to the left is positive",
    "neck_flexion": "head (ears to eyes) in the chest, about Z: the chin down is positive",
    "neck_bending": "head in the chest, about X: to the right is positive",
    "neck_rotation": "head in the chest, about Y: to the left is positive",
    "shoulder_elevation": "between upper arm and the chest's -Y: 0 hanging, 90 level, 180 up",
    "shoulder_plane": "plane of elevation about the chest's Y: 0 sideways, 90 forward, -90 backward; raised arms only",
    "arm_flex": "upper arm in the chest, about Z: the elbow forward is positive",
    "arm_add": "upper arm in the chest, about X: the elbow inward is positive",
    "arm_rot": "upper arm in the chest, about Y, by the elbow as a hinge: inward is positive; bent elbows only",
    "elbow_flex": "between upper arm and forearm, 0 straight, flexion is positive",
}
"""Angle: what it is, in degrees. Those of limbs have the ending _r or _l."""
RANGES = {
    "pelvis_anterior_tilt": (-100, 120), "pelvis_obliquity": (-60, 60), "hip_flexion": (-45, 150),
    "hip_adduction": (-75, 50), "hip_rotation": (-65, 65), "knee_angle": (0, 165), "ankle_angle": (-70, 50),
    "ankle_inversion": (-45, 60), "lumbar_extension": (-110, 60), "lumbar_bending": (-60, 60),
    "lumbar_rotation": (-75, 75), "neck_flexion": (-90, 90), "neck_bending": (-60, 60), "neck_rotation": (-100, 100),
    "arm_add": (-90, 75), "arm_rot": (-120, 120), "elbow_flex": (0, 160),
}  # fmt: skip
"""Degrees that a body reaches, with some ten degrees to spare; what is beyond is marked as implausible."""


def general(name: str) -> str:
    """Return the name of an angle without its side: ``hip_flexion`` of ``hip_flexion_r``."""
    return name.removesuffix("_r").removesuffix("_l")
