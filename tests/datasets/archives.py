"""Small archives in exactly the public layouts: same keys, nesting, dtypes and pickling.

Every writer draws smooth motion of bodies with constant bone lengths from a seed and returns what it wrote, so that a
loader's result can be compared with it. Recordings are {name: frames}.
"""

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from poselift.datasets.h36m import JOINTS_32, KEPT, project_h36m
from poselift.geometry.studio import studio_cameras
from poselift.skeleton import COCO_17, H36M_17, HUMANEVA_15, MPI_INF_3DHP_17, Skeleton

# Metres; x to the left of the person, y backwards, z up. The middle, then a left side.
_MIDDLE = {
    "pelvis": (0, 0, 0.92),
    "spine": (0, 0.02, 1.16),
    "thorax": (0, 0, 1.42),
    "neck": (0, 0, 1.42),
    "nose": (0, -0.08, 1.54),
    "head": (0, 0, 1.56),
    "head_top": (0, 0, 1.7),
}
_LEFT = {
    "hip": (0.13, 0, 0.92),
    "knee": (0.14, -0.03, 0.5),
    "ankle": (0.14, 0.03, 0.08),
    "shoulder": (0.17, 0, 1.4),
    "elbow": (0.24, 0.03, 1.12),
    "wrist": (0.26, -0.08, 0.9),
    "eye": (0.03, -0.08, 1.58),
    "ear": (0.07, 0, 1.57),
}
_FIGURE = _MIDDLE | {f"left_{joint}": place for joint, place in _LEFT.items()}
_FIGURE |= {f"right_{joint}": (-x, y, z) for joint, (x, y, z) in _LEFT.items()}
H36M_RECORDINGS = {"Walking": 9, "Walking 1": 12, "Photo": 7, "SittingDown 2": 6}
HUMANEVA_RECORDINGS = {"Walking 1 chunk0": 8, "Walking 1 chunk2": 5, "Jog 1 chunk1": 6, "Box 1 chunk0": 2}


def motion(frames: int, seed: int, skeleton: Skeleton = H36M_17) -> np.ndarray:
    """(T, J, 3) metres, z up: someone who sways and walks about within a metre of the origin."""
    rng = np.random.default_rng(seed)
    time = np.arange(frames)[:, None] / 25
    xyz = np.zeros((frames, len(skeleton), 3))
    turns: dict[int, Rotation] = {}
    for joint in skeleton.topological:
        rate, phase, size = rng.uniform(1, 4, (2, 3)), rng.uniform(0, 6.3, (2, 3)), rng.uniform(0.05, 0.2, (2, 3))
        swing = Rotation.from_rotvec((size[:, None] * np.sin(rate[:, None] * time + phase[:, None])).sum(0))
        parent = skeleton.parents[joint]
        figure = np.array(_FIGURE[skeleton.joints[joint]], float)
        if parent < 0:
            path = 0.4 * np.sin(0.5 * rate[0] * time + phase[0]) * (1, 1, 0.05)
            xyz[:, joint] = path + figure
            turns[joint] = Rotation.from_euler("z", rng.uniform(0, 6.3)) * swing
            continue
        bone = figure - np.array(_FIGURE[skeleton.joints[parent]], float)
        turns[joint] = turns[parent] * swing
        xyz[:, joint] = xyz[:, parent] + turns[parent].apply(bone)
    return xyz.astype(np.float32)


def symmetry(skeleton: Skeleton) -> list[list[int]]:
    """Left and right joints, as the archives' metadata has them."""
    return [[left for left, _ in skeleton.pairs], [right for _, right in skeleton.pairs]]


def save(path: Path, **content: object) -> None:
    """What the converters call."""
    np.savez_compressed(path, **content)


def longer(xy: np.ndarray, extra: int) -> np.ndarray:
    """The video runs on: the last frame again."""
    return np.concatenate([xy, np.repeat(xy[-1:], extra, 0)])


def as_32(xyz: np.ndarray) -> np.ndarray:
    """(T, 32, 3) Human3.6M's joints of (T, 17, 3); those that no one uses are far off."""
    full = np.full((len(xyz), len(JOINTS_32), 3), 99, np.float32)
    full[:, list(KEPT)] = xyz
    return full


def write_h36m(
    folder: Path,
    *,
    people: dict[str, dict[str, int]] | None = None,
    noise_px: float = 2.0,
    detector: str = "cpn_ft_h36m_dbb",
) -> dict[str, dict[str, np.ndarray]]:
    """Human3.6M: 3D, exact 2D, and a detector's 2D, which also has S2. World joints by subject and recording."""
    people = people or {name: dict(H36M_RECORDINGS) for name in ("S1", "S5", "S6", "S7", "S8", "S9", "S11")}
    cameras = studio_cameras("h36m")
    rng = np.random.default_rng(0)
    world = {
        subject: {
            name: motion(frames, 100 * int(subject[1:]) + number)
            for number, (name, frames) in enumerate(recordings.items())
        }
        for subject, recordings in people.items()
    }
    exact = {
        subject: {
            name: [
                longer(project_h36m(camera.to_camera(xyz), camera).astype(np.float32), number % 3)
                for number, camera in enumerate(cameras[subject])
            ]
            for name, xyz in recordings.items()
        }
        for subject, recordings in world.items()
    }
    found = {
        subject: {
            name: [(xy + rng.normal(0, noise_px, xy.shape)).astype(np.float32) for xy in views]
            for name, views in recordings.items()
        }
        for subject, recordings in exact.items()
    }
    found["S2"] = {"Walking": [np.zeros((5, 17, 2), np.float32)] * 4}
    positions = {s: {n: as_32(xyz) for n, xyz in recordings.items()} for s, recordings in world.items()}
    metadata: dict[str, object] = {"num_joints": 17, "keypoints_symmetry": symmetry(H36M_17)}
    save(folder / "data_3d_h36m.npz", positions_3d=positions)
    save(folder / "data_2d_h36m_gt.npz", positions_2d=exact, metadata=metadata)
    metadata = {"layout_name": "h36m"} | metadata
    save(folder / f"data_2d_h36m_{detector}.npz", positions_2d=found, metadata=metadata)
    return world


def write_humaneva(
    folder: Path, *, recordings: dict[str, int] | None = None, raw: np.ndarray | None = None
) -> dict[str, dict[str, np.ndarray]]:
    """HumanEva-I: 3D, exact 2D, and COCO detections with unlabeled recordings. World joints by subject and chunk.

    The pinhole is made up: the archives have none.
    """
    cameras = studio_cameras("humaneva")
    people = [f"{split}/{subject}" for split in ("Train", "Validate") for subject in ("S1", "S2", "S3")]
    world: dict[str, dict[str, np.ndarray]] = {}
    for place, person in enumerate(people):
        world[person] = {
            name: motion(frames, 1000 + 10 * place + number, HUMANEVA_15)
            for number, (name, frames) in enumerate((recordings or HUMANEVA_RECORDINGS).items())
        }
        if raw is not None:
            world[person]["Walking 1"] = raw
        if not person.endswith("S3"):
            world[person]["ThrowCatch 1 chunk0"] = motion(4, 2000 + place, HUMANEVA_15)

    def pixels(xyz: np.ndarray, person: str) -> list[np.ndarray]:
        points = [camera.to_camera(xyz) for camera in cameras[person.split("/")[1]]]
        return [(700 * p[..., :2] / p[..., 2:] + (320, 240)).astype(np.float32) for p in points]

    exact = {person: {n: pixels(xyz, person) for n, xyz in parts.items()} for person, parts in world.items()}
    found = {
        person: {name: [_coco(xy) for xy in views] for name, views in parts.items()} for person, parts in exact.items()
    }
    unlabeled = [np.zeros((3, 17, 2), np.float32)] * 3
    found |= {"Unlabeled/Validate/S1": {"ThrowCatch 1 chunk0": unlabeled}, "Unlabeled/S4": {"Box 2": unlabeled}}
    save(folder / "data_3d_humaneva15.npz", positions_3d=world)
    for suffix, positions, skeleton, layout in (
        ("gt", exact, HUMANEVA_15, "humaneva15"),
        ("detectron_pt_coco", found, COCO_17, "coco"),
    ):
        metadata = {"layout_name": layout, "num_joints": len(skeleton), "keypoints_symmetry": symmetry(skeleton)}
        save(folder / f"data_2d_humaneva15_{suffix}.npz", positions_2d=positions, metadata=metadata)
    return world


def _coco(xy: np.ndarray) -> np.ndarray:
    """COCO's joints from HumanEva's (T, 15, 2); the face is the head."""
    names = [joint if joint in HUMANEVA_15 else "head" for joint in COCO_17.joints]
    return xy[:, list(HUMANEVA_15.indices(names))]


def _before_camera(frames: int, seed: int, skeleton: Skeleton, image: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Camera-axes joints (T, J, 3) metres, 3 m off, and their pixels, float64."""
    xyz = motion(frames, seed, skeleton).astype(float) - (0, 0, 0.9)
    points = np.stack([xyz[..., 0], -xyz[..., 2], xyz[..., 1] + 3], -1)
    focal = 0.7 * image[1]
    return points, focal * points[..., :2] / points[..., 2:] + np.divide(image, 2)


def write_3dhp_p_stmo(folder: Path, *, sequences: tuple[str, ...] = ("S1 Seq1", "S1 Seq2", "S2 Seq1")) -> dict:
    """MPI-INF-3DHP as P-STMO has it, 3D in mm. The two dicts {key: content}, train and test."""
    train = {}
    for number, key in enumerate(sequences):
        cameras = {}
        for camera in "01245678":
            xyz, xy = _before_camera(6 + number, 10 * number + int(camera), MPI_INF_3DHP_17, (2048, 2048))
            cameras[camera] = {"data_2d": xy, "data_3d": 1000 * xyz}
        train[key] = [cameras, 50 if key == "S1 Seq2" else 25]
    test = {}
    for number in range(1, 7):
        frames = 10 + number
        size = (1920, 1080) if number > 4 else (2048, 2048)
        xyz, xy = _before_camera(frames, 300 + number, MPI_INF_3DHP_17, size)
        valid = np.ones(frames)
        valid[[0, 4, -1]] = 0
        test[f"TS{number}"] = {"data_2d": xy, "data_3d": 1000 * xyz, "valid": valid}
    save(folder / "data_train_3dhp.npz", data=train)
    save(folder / "data_test_3dhp.npz", data=test)
    return {"train": train, "test": test}


def write_3dhp_posessm(folder: Path) -> dict[str, dict[str, list[np.ndarray]]]:
    """MPI-INF-3DHP as PoseSSM has it. The camera-axes joints by subject and sequence, a list over cameras."""
    truth: dict[str, dict[str, list[np.ndarray]]] = {}
    pixels: dict[str, dict[str, list[np.ndarray]]] = {}
    people = [*((f"S{k}", ("Seq1", "Seq2"), 8) for k in range(1, 9)), *((f"TS{k}", ("Seq1",), 1) for k in range(1, 7))]
    for place, (person, sequences, cameras) in enumerate(people):
        size = (1920, 1080) if person in ("TS5", "TS6") else (2048, 2048)
        truth[person], pixels[person] = {}, {}
        for sequence in sequences:
            made = [_before_camera(5 + place, 1000 * place + camera, H36M_17, size) for camera in range(cameras)]
            truth[person][sequence] = [xyz.astype(np.float32) for xyz, _ in made]
            pixels[person][sequence] = [longer(xy, 1).astype(np.float32) for _, xy in made]
    save(folder / "data_3d_3dhp.npz", positions_3d=truth)
    save(folder / "data_2d_3dhp.npz", positions_2d=pixels)
    return truth
