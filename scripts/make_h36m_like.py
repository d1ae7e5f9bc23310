"""Write motion capture as if it were Human3.6M: the same three archives, seen by the data set's own four cameras.

    python scripts/make_h36m_like.py mocap17.npz --out h36m_like

They let those who do not have Human3.6M try the recipes and the evaluation. Numbers measured on them say nothing about
Human3.6M: people, motions and joints are different, the actions are names only, and the "detector" is noise.

The dev subjects become S9 and S11, the others S1, S5, S6, S7 and S8. Recordings are cut where people leave the space
that all four cameras see; each piece is moved to the middle of that space and turned to a random heading.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from poselift.datasets.clip import MocapClip
from poselift.datasets.h36m import ACTIONS, JOINTS_32, KEPT, TEST, TRAIN, project_h36m
from poselift.datasets.mocap import load_mocap
from poselift.files import written_whole
from poselift.geometry.camera import Camera
from poselift.geometry.studio import studio_cameras
from poselift.skeleton import H36M_17

REACH_M = 1.0
"""Greatest distance of the pelvis from the middle, in metres."""
SHORTEST = 50
"""Frames of the shortest piece that is kept."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mocap", type=Path, help="an archive like mocap17.npz, 50 fps, with the splits train and dev")
    parser.add_argument("--out", type=Path, required=True, help="folder for the three archives")
    parser.add_argument("--noise", type=float, default=5.0, help="pixels, standard deviation of the detector's errors")
    parser.add_argument("--frames", type=int, default=None, help="at most this many frames of each subject")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    world = cast(options.mocap, options.frames, options.seed)
    exact, found = observe(world, options.noise, options.seed)
    full = {s: {name: as_32(xyz) for name, xyz in recordings.items()} for s, recordings in world.items()}
    sides = [[left for left, _ in H36M_17.pairs], [right for _, right in H36M_17.pairs]]
    metadata = {"num_joints": len(H36M_17), "keypoints_symmetry": sides}
    save(options.out / "data_3d_h36m.npz", positions_3d=full)
    save(options.out / "data_2d_h36m_gt.npz", positions_2d=exact, metadata=metadata)
    metadata = {"layout_name": "h36m"} | metadata
    save(options.out / "data_2d_h36m_cpn_ft_h36m_dbb.npz", positions_2d=found, metadata=metadata)
    for subject, recordings in world.items():
        print(f"{subject}: {len(recordings)} recordings, {sum(map(len, recordings.values()))} frames")


def cast(mocap: Path, most_frames: int | None, seed: int) -> dict[str, dict[str, np.ndarray]]:
    """Return world joints (T, 17, 3), metres, by subject and recording of Human3.6M: our people in those roles."""
    rng = np.random.default_rng(seed)
    cameras = studio_cameras("h36m")
    world: dict[str, dict[str, np.ndarray]] = {}
    for split, roles in (("train", TRAIN), ("dev", TEST)):
        clips = load_mocap(mocap, split=split)
        frames = dict.fromkeys(roles, 0)
        for person, role in share(clips, roles).items():
            recordings = world.setdefault(role, {})
            for clip in clips:
                if clip.subject != person:
                    continue
                for piece in pieces(clip.xyz, cameras[role], rng):
                    if most_frames is None or frames[role] + len(piece) <= most_frames:
                        round_, action = divmod(len(recordings), len(ACTIONS))
                        recordings[f"{ACTIONS[action]} {round_}" if round_ else ACTIONS[action]] = piece
                        frames[role] += len(piece)
    return world


def share(clips: list[MocapClip], roles: tuple[str, ...]) -> dict[str, str]:
    """Return the role of each person: the longest recorded come first, each gets the role with the fewest frames."""
    total: dict[str, int] = {}
    for clip in clips:
        total[clip.subject] = total.get(clip.subject, 0) + len(clip)
    taken = dict.fromkeys(roles, 0)
    given = {}
    for person in sorted(total, key=lambda name: (-total[name], name)):
        given[person] = min(roles, key=lambda role: taken[role])
        taken[given[person]] += total[person]
    return given


def pieces(xyz: np.ndarray, cameras: tuple[Camera, ...], rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield pieces of a recording that stay within `REACH_M`, moved to the studio's middle and randomly turned."""
    start = 0
    ground = xyz[:, H36M_17.root, :2].astype(np.float64)
    while start < len(xyz):
        low = np.minimum.accumulate(ground[start:])
        high = np.maximum.accumulate(ground[start:])
        far = np.linalg.norm(high - low, axis=-1) > 2 * REACH_M
        stop = start + (int(far.argmax()) if far.any() else len(far))
        if stop - start >= SHORTEST:
            middle = (low[stop - start - 1] + high[stop - start - 1]) / 2
            angle = rng.uniform(-np.pi, np.pi)
            turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
            piece = xyz[start:stop].astype(np.float64)
            piece[..., :2] = (piece[..., :2] - middle) @ turn
            if all(sees(camera, piece) for camera in cameras):
                yield piece.astype(np.float32)
        start = stop


def sees(camera: Camera, world: np.ndarray) -> bool:
    """Return whether all joints of all frames are in the camera's picture."""
    points = camera.to_camera(world)
    pixels = project_h36m(points, camera)
    return bool((points[..., 2] > 1).all() and (pixels >= 0).all() and (pixels < camera.image_size).all())


def observe(world: dict[str, dict[str, np.ndarray]], noise_px: float, seed: int) -> tuple[dict, dict]:
    """Return exact and noisy keypoints by subject and recording: for each camera (T, 17, 2), pixels."""
    rng = np.random.default_rng((seed, 1))
    cameras = studio_cameras("h36m")
    exact: dict[str, dict[str, list[np.ndarray]]] = {}
    found: dict[str, dict[str, list[np.ndarray]]] = {}
    for subject, recordings in world.items():
        exact[subject], found[subject] = {}, {}
        for name, xyz in recordings.items():
            pixels = [project_h36m(camera.to_camera(xyz), camera) for camera in cameras[subject]]
            exact[subject][name] = [xy.astype(np.float32) for xy in pixels]
            found[subject][name] = [(xy + rng.normal(0, noise_px, xy.shape)).astype(np.float32) for xy in pixels]
    return exact, found


def as_32(xyz: np.ndarray) -> np.ndarray:
    """Return Human3.6M's 32 joints (T, 32, 3) of 17 joints (T, 17, 3); the unused ones are at the pelvis."""
    full = np.repeat(xyz[:, H36M_17.root, None], len(JOINTS_32), axis=1)
    full[:, list(KEPT)] = xyz
    return full


def save(path: Path, **content: object) -> None:
    with written_whole(path, overwrite=True) as temporary:
        np.savez_compressed(temporary, **content)


if __name__ == "__main__":
    main()
