"""Lift 2D keypoints or video to 3D human motion, with small networks, on a laptop.

::

    import poselift as pl

    (person,) = pl.read_keypoints("clip.json")          # xy (T, J, 2) pixels
    poses = pl.lift(person)                             # xyz (T, 27, 3) metres, root-relative, camera axes
    pl.save_poses(poses, "clip.bvh")
"""

from poselift.errors import PoseliftError
from poselift.formats import read_all_poses, read_poses, save_poses
from poselift.formats.angle_table import read_angles, save_angles
from poselift.lifters.contract import Lifter
from poselift.lifters.load import load_lifter, shipped_lifters
from poselift.lifting import lift
from poselift.live import LiveLifter
from poselift.measure.metrics import mpjpe, mpjve, n_mpjpe, p_mpjpe
from poselift.prepare.convert import convert_poses
from poselift.read import read_keypoints
from poselift.refine import Scene, place
from poselift.refine.angles import JointAngles, joint_angles
from poselift.sequence import Keypoints2D, Poses3D
from poselift.skeleton import (
    BODY_25,
    BODY_25B,
    BODY_27,
    COCO_17,
    H36M_17,
    HALPE_26,
    HUMANEVA_15,
    MEDIAPIPE_33,
    MPI_INF_3DHP_17,
    Skeleton,
    get_skeleton,
)
from poselift.version import __version__ as __version__
from poselift.viewer import write_viewer

__all__ = [
    "BODY_25",
    "BODY_25B",
    "BODY_27",
    "COCO_17",
    "H36M_17",
    "HALPE_26",
    "HUMANEVA_15",
    "MEDIAPIPE_33",
    "MPI_INF_3DHP_17",
    "JointAngles",
    "Keypoints2D",
    "Lifter",
    "LiveLifter",
    "Poses3D",
    "PoseliftError",
    "Scene",
    "Skeleton",
    "convert_poses",
    "get_skeleton",
    "joint_angles",
    "lift",
    "load_lifter",
    "mpjpe",
    "mpjve",
    "n_mpjpe",
    "p_mpjpe",
    "place",
    "read_all_poses",
    "read_angles",
    "read_keypoints",
    "read_poses",
    "save_angles",
    "save_poses",
    "shipped_lifters",
    "write_viewer",
]
