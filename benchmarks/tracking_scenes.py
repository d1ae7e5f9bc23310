"""Scenes with several people for benchmarks/tracking.py: motion capture in one room, one camera, a detector's errors.

People walk through a room of 8 by 6 m or move about in it, cross each other's paths, turn round, and some leave the
picture and return. A nearer body hides the joints behind it. What the detector makes of that is drawn for each meeting:
it loses the hidden person, puts both into one detection, finds the nearer person twice (the crop jumped), or finds the
joints that it can see. Besides, it flickers and finds ghosts. Everything follows from a seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d

from poselift.datasets.clip import MocapClip
from poselift.geometry.camera import Camera
from poselift.lab.observe.noise import DETECTOR_SKELETON, NoiseConfig, corrupt, detector_joints, hide_faces
from poselift.skeleton import COCO_17, H36M_17

GHOST, UNCLEAR = -1, -2
"""Owners of detections that show nobody, or that show two people."""
NOISE = NoiseConfig(cuts=0.03, blackouts=0.03)
_ROOM = np.array([[-3.2, 3.2], [3.2, 9.0]])
"""Metres: from left to right, and away from the camera."""
_CHUNK_S = 2.0
"""The simulated detector draws its errors anew after this time."""


@dataclass
class Scene:
    """What a detector finds, and who it was."""

    detections: list[np.ndarray]
    """For each frame (P, 17, 3) keypoints in the order of COCO_17, people in random order."""
    owners: list[np.ndarray]
    """For each frame (P,) number of the person that a detection shows, `GHOST` or `UNCLEAR`."""
    times_s: np.ndarray
    """(T,) seconds."""
    people: int
    """Number of people."""
    xy: np.ndarray
    """(N, T, 17, 2) true joints in pixels."""
    depth: np.ndarray
    """(N, T) metres from the camera's plane."""
    inside: np.ndarray
    """(N, T) bool: whether the person is in the picture."""
    image_size: tuple[int, int]
    """(width, height) in pixels."""
    events: list[tuple[int, int, int, int, str]] = field(default_factory=list)
    """(hidden person, nearer person, first frame, frame after the last, what the detector did)."""

    @property
    def fps(self) -> float:
        """Frames per second."""
        return 1 / float(self.times_s[1])


def scene(clips: Sequence[MocapClip], seed: int, *, seconds: float = 14.0, people: int | None = None) -> Scene:
    """Build a scene.

    Args:
        clips: Motion capture to draw from.
        seed: The same seed gives the same scene.
        seconds: Length of the scene.
        people: Number of people; None draws it from two to six.
    """
    rng = np.random.default_rng(seed)
    drawn, fps = int(rng.integers(2, 7)), float(rng.choice([25, 30, 50, 60]))
    people = people or drawn
    frames = round(seconds * fps)
    subjects = sorted({clip.subject for clip in clips})
    chosen = rng.permutation(subjects)[:people] if len(subjects) >= people else rng.choice(subjects, people)
    bodies = [_body([clip for clip in clips if clip.subject == subject], frames, fps, rng) for subject in chosen]
    places = _kept_apart(np.stack([place for _, place in bodies]), fps)
    world = np.stack([body for body, _ in bodies])
    world[..., :2] += places[:, :, None]
    camera = _camera(rng)
    points = camera.to_camera(world)
    width, height = camera.image_size
    xy = camera.pixels(points)
    seen = ((xy >= 0) & (xy < [width, height])).all(-1)
    found, confidence = _detected(points, camera, fps, seed)
    made = Scene(
        [], [], np.arange(frames) / fps, people, xy, points[:, :, H36M_17.root, 2], seen.mean(-1) > 0.5,
        (width, height),
    )  # fmt: skip
    confidence = confidence * ((found >= -0.02 * width) & (found <= [1.02 * width, 1.02 * height])).all(-1)
    _observe(made, np.concatenate([found, confidence[..., None]], -1).astype(np.float32), rng)
    return made


def _body(clips: list[MocapClip], frames: int, fps: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return a moving body about its place (T, 17, 3), and its place on the floor (T, 2), both in metres."""
    clip = clips[rng.integers(len(clips))]
    xyz = clip.xyz.astype(np.float64)
    root = xyz[:, H36M_17.root, :2]
    speed = np.linalg.norm(root[-1] - root[0]) / (len(clip) / clip.fps)
    walks = speed > 0.7 and len(clip) > clip.fps
    time = np.arange(frames) / fps * clip.fps + rng.uniform(0, len(clip))
    back = time % (2 * (len(clip) - 1))  # forwards and backwards: a loop would jump
    row = np.minimum(back, 2 * (len(clip) - 1) - back)
    path = _path(frames, fps, float(np.clip(speed, 0.7, 1.8)) if walks else rng.uniform(0.3, 0.9), rng)
    if walks:
        heading = np.unwrap(np.arctan2(*np.gradient(path, axis=0).T[::-1]))
        own = np.arctan2(*(root[-1] - root[0])[::-1])
        local = xyz - np.concatenate([root, np.zeros((len(root), 1))], 1)[:, None]
        return _turned(_sampled(local, row), gaussian_filter1d(heading, 0.15 * fps, mode="nearest") - own), path
    centred = xyz - np.append(np.median(root, axis=0), 0)
    return _turned(_sampled(centred, row), np.full(frames, rng.uniform(0, 2 * np.pi))), path


def _sampled(xyz: np.ndarray, row: np.ndarray) -> np.ndarray:
    before = np.floor(row).astype(int)
    share = (row - before)[:, None, None]
    return (1 - share) * xyz[before] + share * xyz[np.minimum(before + 1, len(xyz) - 1)]


def _turned(xyz: np.ndarray, angle_rad: np.ndarray) -> np.ndarray:
    cos, sin = np.cos(angle_rad)[:, None], np.sin(angle_rad)[:, None]
    x, y = xyz[..., 0], xyz[..., 1]
    return np.stack([x * cos - y * sin, x * sin + y * cos, xyz[..., 2]], -1)


def _path(frames: int, fps: float, speed: float, rng: np.random.Generator) -> np.ndarray:
    """Return a path (T, 2) from one side of the room to the other and back; some ways end half-way or outside."""
    side, here, path = rng.choice([-1, 1]), None, []
    while sum(map(len, path)) < frames:
        reach = rng.choice([0.2, 1.0, 2.2], p=[0.2, 0.6, 0.2])  # turn round in the middle, at the side, or outside
        target = np.array([side * reach * _ROOM[0, 1], rng.uniform(*_ROOM[1])])
        side = -side if reach > 0.5 or rng.random() < 0.5 else side
        if here is None:
            here = np.array([rng.uniform(*_ROOM[0]), rng.uniform(*_ROOM[1])])
        steps = max(round(np.linalg.norm(target - here) / speed * fps), 2)
        path.append(here + (target - here) * np.linspace(0, 1, steps)[:, None])
        here = target
    return gaussian_filter1d(np.concatenate(path)[:frames], 0.25 * fps, axis=0, mode="nearest")


def _kept_apart(places: np.ndarray, fps: float, nearest: float = 0.6) -> np.ndarray:
    """Push people (N, T, 2) who would walk through each other apart, so that they pass at `nearest` metres or so."""
    for _ in range(12):
        push = np.zeros_like(places)
        for i, one in enumerate(places):
            for j, other in enumerate(places):
                if i != j:
                    away = one - other
                    away[:, 1] += 1e-3 * (i - j)
                    gap = np.linalg.norm(away, axis=-1, keepdims=True).clip(min=1e-6)
                    push[i] += 0.5 * away / gap * (nearest - gap).clip(min=0)
        if np.abs(push).max() < 0.02:
            break
        places = places + 1.5 * gaussian_filter1d(push, 0.3 * fps, axis=1, mode="nearest")
    return places


def _camera(rng: np.random.Generator) -> Camera:
    """Draw a camera at the room's front, which looks into it."""
    width, height = (1280, 720) if rng.random() < 0.5 else (1920, 1080)
    focal, tall, tilt, roll = width * rng.uniform(0.75, 1.0), rng.uniform(1.0, 2.6), 0.0, rng.normal(0, 0.03)
    tilt = np.arctan2(tall - 0.95, 5.5) + rng.normal(0, 0.03)
    level = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], float)  # the camera looks along the world's y
    nod = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    bank = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    rotation = bank @ nod @ level
    intrinsics = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
    return Camera(rotation, -rotation @ [0, 0, tall], intrinsics, image_size=(width, height))


def _detected(points: np.ndarray, camera: Camera, fps: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what the project's simulated detector finds: (N, T, 17, 2) pixels and (N, T, 17) confidence, COCO_17."""
    generator = torch.Generator().manual_seed(seed)
    bodies = torch.from_numpy(points.astype(np.float32))
    joints = detector_joints(bodies, NOISE, generator)
    scale = camera.K[0, 0]
    found = []
    chunk = round(_CHUNK_S * fps)
    for start in range(0, bodies.shape[1], chunk):
        part, ours = joints[:, start : start + chunk], bodies[:, start : start + chunk]
        xy = part[..., :2] / part[..., 2:].clip(min=0.3)
        metre = 1 / ours[:, :, H36M_17.root, 2].mean(1).clip(min=0.3)
        xy, confidence = corrupt(xy, metre, DETECTOR_SKELETON, NOISE, generator)
        found.append((xy, hide_faces(confidence, ours, DETECTOR_SKELETON, NOISE, generator)))
    xy, confidence = (torch.cat(parts, 1).numpy() for parts in zip(*found, strict=True))
    joints = list(DETECTOR_SKELETON.indices(COCO_17.joints))
    return (scale * xy + camera.K[:2, 2])[:, :, joints], confidence[:, :, joints]


_SEGMENTS = [(joint, parent) for joint, parent in enumerate(H36M_17.parents) if parent >= 0]
_THICK = np.array(
    [0.16 if {H36M_17.joints[a], H36M_17.joints[b]} & {"spine", "thorax"} else 0.08 for a, b in _SEGMENTS]
)
"""Metres: half the width of a trunk, and of a limb."""


def _hidden(scene: Scene, found: np.ndarray, back: int, front: int) -> np.ndarray:
    """Return (T, 17) bool: the joints found of one person that lie behind another."""
    metre = np.ptp(scene.xy[front], axis=1).max(-1) / 1.7
    start, end = (scene.xy[front][:, [pair[side] for pair in _SEGMENTS]] for side in (0, 1))  # (T, S, 2)
    along = (end - start)[:, None]
    offset = found[back, :, :, None, :2] - start[:, None]
    share = ((offset * along).sum(-1) / (along**2).sum(-1).clip(min=1e-9)).clip(0, 1)
    distance = np.linalg.norm(offset - share[..., None] * along, axis=-1)
    covered = (distance < _THICK * metre[:, None, None]).any(-1)
    return covered & (scene.depth[back] > scene.depth[front])[:, None]


def _observe(scene: Scene, found: np.ndarray, rng: np.random.Generator) -> None:
    """Turn each person's keypoints (N, T, 17, 3) into the detections of each frame, with the errors of meetings."""
    people, frames = found.shape[:2]
    exact = found.copy()
    lost, owner = np.zeros((people, frames), bool), np.repeat(np.arange(people)[:, None], frames, 1)
    for back in range(people):
        for front in range(people):
            if back == front:
                continue
            hidden = _hidden(scene, exact, back, front)
            guessed = hidden & (rng.random(17) < 0.4)
            spread = 0.06 * np.ptp(scene.xy[back], axis=1).max(-1)[:, None, None]
            drift = gaussian_filter1d(rng.normal(size=(frames, 17, 2)), 4, axis=0) * 4
            found[back, ..., :2] += np.where(guessed[..., None], spread * drift, 0)
            found[back, ..., 2] *= np.where(guessed, 0.4, ~hidden)
            for first, last in stretches(hidden.mean(-1) > 0.5, round(0.25 * scene.fps)):
                last = min(last + round(rng.uniform(0, 0.25) * scene.fps), frames)
                kind = str(rng.choice(["lost", "merged", "doubled", "seen", "front lost"], p=[0.4, 0.2, 0.2, 0.1, 0.1]))
                scene.events.append((back, front, first, last, kind))
    for back, front, first, last, kind in scene.events:
        span = slice(first, last)
        if kind == "lost":
            lost[back, span] = True
        elif kind == "front lost":
            lost[front, span] = True
        elif kind == "merged":
            taken = rng.random(17) < rng.uniform(0, 0.5)
            found[front, span, taken] = exact[back, span, taken]
            lost[back, span], owner[front, span] = True, UNCLEAR
        elif kind == "doubled":
            size = np.ptp(scene.xy[front], axis=1).max(-1)[span, None, None]
            found[back, span] = found[front, span]
            found[back, span, :, :2] += 0.01 * size * rng.normal(size=(last - first, 17, 2))
            owner[back, span] = owner[front, span]  # both detections show the nearer person
    _list_detections(scene, found, lost | _flicker(people, frames, scene.fps, rng), owner, rng)


def stretches(mask: np.ndarray, pause: int) -> list[tuple[int, int]]:
    """Return (first, after the last) of each stretch of true values; pauses of up to `pause` values do not end one."""
    rows = np.flatnonzero(mask)
    if not len(rows):
        return []
    breaks = np.flatnonzero(np.diff(rows) > pause + 1)
    firsts, lasts = rows[np.r_[0, breaks + 1]], rows[np.r_[breaks, len(rows) - 1]]
    return [(int(first), int(last) + 1) for first, last in zip(firsts, lasts, strict=True)]


def _flicker(people: int, frames: int, fps: float, rng: np.random.Generator) -> np.ndarray:
    """Draw (N, T) bool: every three seconds or so, each person is not found for one to four frames."""
    starts = rng.random((people, frames)) < 0.33 / fps
    lengths = rng.integers(1, 5, (people, frames))
    lost = np.zeros((people, frames), bool)
    for person, frame in np.argwhere(starts):
        lost[person, frame : frame + lengths[person, frame]] = True
    return lost


def _list_detections(
    scene: Scene, found: np.ndarray, lost: np.ndarray, owner: np.ndarray, rng: np.random.Generator
) -> None:
    ghosts = _ghosts(scene, found, rng)
    enough = (found[..., 2] > 0).sum(-1) >= 6
    for frame in range(found.shape[1]):
        shown = np.flatnonzero(enough[:, frame] & ~lost[:, frame] & scene.inside[:, frame])
        owners = owner[shown, frame].tolist()
        poses = [found[person, frame] for person in shown] + ghosts[frame]
        owners += [GHOST] * len(ghosts[frame])
        order = rng.permutation(len(poses))
        pose = np.stack([poses[i] for i in order]) if poses else np.empty((0, 17, 3), np.float32)
        pose = np.where(pose[..., 2:] > 0, pose, 0).astype(np.float32)
        scene.detections.append(pose)
        scene.owners.append(np.array([owners[i] for i in order], int))


def _ghosts(scene: Scene, found: np.ndarray, rng: np.random.Generator) -> list[list[np.ndarray]]:
    """Draw people who are not there, one every four seconds or so for up to 0.25 s; a third of them near somebody."""
    frames = found.shape[1]
    ghosts: list[list[np.ndarray]] = [[] for _ in range(frames)]
    for start in np.flatnonzero(rng.random(frames) < 0.25 / scene.fps):
        person = rng.integers(scene.people)
        pose = found[person, rng.integers(frames)].copy()
        where = rng.uniform(0, 1, 2) * scene.image_size
        if rng.random() < 0.33:
            where = scene.xy[person, start].mean(0) + rng.normal(0, 60, 2)
        pose[:, :2] += where - np.nanmean(pose[:, :2], axis=0)
        pose[:, 2] *= 0.4
        for frame in range(start, min(start + rng.integers(1, 1 + round(0.25 * scene.fps)), frames)):
            ghosts[frame].append(pose + np.append(rng.normal(0, 3, 2), 0).astype(np.float32))
    return ghosts
