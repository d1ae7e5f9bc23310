"""Measure the rotations of animation files on motion capture, and how long such files take to write.

    python benchmarks/rotations.py mocap27.npz [--walk cmu_samples] [--frames 36000]

Printed are, over the dev clips: how far elbows and knees turn off one axis (in the frame of the bone above, while bent
by more than 20 degrees); how far joints turn beyond their bone's change of direction in a frame, and what shows that
turn; how far heads are from the recordings' own, for 27 and for 17 joints; how far the figure is from the joints. With
`--walk`, a folder with 02.asf and 02_01.amc, also how segments turn against the bones of this recording, up to one
constant turn of each. Then the time and the size of animation files.
"""

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from poselift.formats import save_poses
from poselift.formats.amc import read_amc
from poselift.formats.rigs import RIGS
from poselift.formats.rigs.figure import Figure, pose_rig
from poselift.geometry.body import body_of
from poselift.sequence import Poses3D
from poselift.skeleton import BODY_27, H36M_17

AXES = np.array([1.0, -1.0, -1.0])
"""From y up to the axes of a camera."""
WALK, WALK_FPS = "cmua_02_01", 120.0
SEGMENTS = {
    "pelvis": "root", "chest": "thorax", "head": "head", "left_foot": "lfoot", "right_foot": "rfoot",
    "left_upper_leg": "lfemur", "right_upper_leg": "rfemur",
    "left_upper_arm": "lhumerus", "right_upper_arm": "rhumerus",
}  # fmt: skip


def angle_deg(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Angles (T,) between rotations (T, 3, 3)."""
    return np.degrees(Rotation.from_matrix(np.swapaxes(a, -1, -2) @ b).magnitude())


def off_axis_deg(figure: Figure, part: str) -> np.ndarray:
    """Angles (N,) of all axes of elbows (`lower_arm`) or knees (`lower_leg`) to their mean, where they are bent."""
    found = [np.zeros(0)]
    for joint in figure.joints:
        if joint.part == part:
            turned = np.swapaxes(figure.joints[joint.parent].world, -1, -2) @ joint.world
            vectors = Rotation.from_matrix(turned).as_rotvec(degrees=True)
            bent = vectors[np.linalg.norm(vectors, axis=1) > 20]
            axes = bent / np.linalg.norm(bent, axis=1, keepdims=True)
            if len(axes):
                mean = axes.mean(0) / np.linalg.norm(axes.mean(0))
                found.append(np.degrees(np.arccos(np.clip(axes @ mean, -1, 1))))
    return np.concatenate(found)


def beyond_bone_deg(figure: Figure) -> np.ndarray:
    """By how much (T - 1, J) joints turn more in a frame than their bone changes its direction."""
    found = []
    for joint in figure.joints:
        way = joint.world @ (joint.end / np.linalg.norm(joint.end))
        bone = np.degrees(np.arccos(np.clip((way[1:] * way[:-1]).sum(-1), -1, 1)))
        found.append(angle_deg(joint.world[:-1], joint.world[1:]) - bone)
    return np.stack(found, axis=1)


def shown_by(figure: Figure, beyond: np.ndarray) -> Counter[str]:
    """What shows the turns (T - 1, J) of more than 10 degrees beyond the bone's change of direction."""
    found: Counter[str] = Counter()
    for frame, index in zip(*np.nonzero(beyond > 10), strict=True):
        joint, two = figure.joints[index], slice(frame, frame + 2)
        lower = [other for other in (figure.joints[child] for child in joint.children) if "lower" in other.part]
        if joint.part == "hips":
            found["the hips, which turn so"] += 1
        elif "upper" in joint.part:
            turned = np.swapaxes(joint.world[two], -1, -2) @ lower[0].world[two]
            bent = np.degrees(Rotation.from_matrix(turned).magnitude()).max() > 20
            found["an elbow or a knee, bent by more than 20 degrees" if bent else "one that is bent less"] += 1
        else:
            above = figure.joints[joint.parent].world[two]
            carried = angle_deg(above[:1], above[1:])[0] > 10
            found["the bone above, which turns so" if carried else "nothing"] += 1
    return found


def summary(values: np.ndarray, unit: str) -> str:
    """Median, 95 % quantile and maximum in words."""
    median, high, most = np.median(values), np.quantile(values, 0.95), values.max()
    return f"median {median:.2f}, 95 % {high:.2f}, at most {most:.1f} {unit} ({len(values):,} values)"


def measure(archive: dict[str, np.ndarray]) -> dict[str, str]:
    """The measurements over all dev clips, by their names."""
    starts, axes, beyond, heads, off = archive["offsets"], {}, [], {"27": [], "17": []}, []
    shown, whirls = Counter[str](), []
    for clip in np.flatnonzero(archive["split"] == "dev"):
        frames = slice(starts[clip], starts[clip + 1])
        skeleton = BODY_27 if archive["known"][clip].all() else H36M_17
        xyz = archive["pose"][frames, : len(skeleton)] * AXES
        figure = pose_rig(Poses3D(xyz, skeleton, float(archive["fps"])), RIGS["mixamo"])
        for part, name in (("lower_arm", "elbows"), ("lower_leg", "knees")):
            axes.setdefault(name, []).append(off_axis_deg(figure, part))
        turns = beyond_bone_deg(figure)
        beyond.append(turns.ravel())
        shown += shown_by(figure, turns)
        off += [1000 * distance for distance in figure.off_m.values()]
        quaternions = archive["head_quat"][frames].astype(float)
        if skeleton is BODY_27 and np.isfinite(quaternions).all():
            truth = Rotation.from_quat(quaternions).as_matrix()
            heads["27"].append(angle_deg(figure.body.frames["head"], truth))
            body = body_of((xyz * AXES)[:, : len(H36M_17)], H36M_17)
            heads["17"].append(angle_deg(body.frames["head"], truth))
            trunk = [index for index, joint in enumerate(figure.joints) if joint.part in ("hips", "trunk")]
            whirls.append(angle_deg(truth[:-1], truth[1:])[(turns[:, trunk] > 10).any(1)])
    said = {f"axes of {name}": summary(np.concatenate(found), "degrees") for name, found in axes.items()}
    over = np.concatenate(beyond)
    said["joints beyond their bones"] = (
        f"{100 * (over > 10).mean():.3f} % of {len(over):,} more than 10 degrees a frame, {over.max():.1f} at most"
    )
    said["they are shown by"] = "; ".join(f"{what}: {count}" for what, count in shown.most_common())
    if whirls := np.concatenate([np.zeros(0), *whirls]).tolist():
        said["recorded heads while trunks do"] = (
            f"turn by {np.median(whirls):.1f} degrees a frame (median of {len(whirls)})"
        )
    for joints, found in heads.items():
        if found:
            said[f"head of {joints} joints"] = summary(np.concatenate(found), "degrees")
    said["figure from joints"] = f"mean {np.concatenate(off).mean():.2f}, at most {np.concatenate(off).max():.1f} mm"
    return said


def measure_walk(archive: dict[str, np.ndarray], folder: Path) -> dict[str, str]:
    """How segments turn against the recording's own bones."""
    motion = read_amc(folder / "02.asf", folder / "02_01.amc")
    clip = archive["names"].tolist().index(WALK)
    xyz = archive["pose"][archive["offsets"][clip] : archive["offsets"][clip + 1]].astype(float)
    own = np.arange(len(motion.xyz)) / WALK_FPS
    times = np.arange(len(xyz)) / float(archive["fps"])
    times = times[times <= own[-1]]
    frames, said = body_of(xyz[: len(times)], BODY_27).frames, {}
    for segment, bone in SEGMENTS.items():
        truth = Slerp(own, Rotation.from_matrix(motion.rotations[:, motion.joints.index(bone)]))(times)
        offset = truth.inv() * Rotation.from_matrix(frames[segment])
        errors = np.degrees((offset.mean().inv() * offset).magnitude())
        said[f"walk, {segment}"] = f"{np.sqrt((errors**2).mean()):.1f} degrees rms, {errors.max():.1f} at most"
    return said


def measure_writing(archive: dict[str, np.ndarray], count: int) -> dict[str, str]:
    """Processor time and size of animation files of so many frames, whose numbers are all different."""
    known = np.flatnonzero((archive["split"] == "dev") & archive["known"].all(1))
    starts = archive["offsets"]
    xyz = np.concatenate([archive["pose"][starts[clip] : starts[clip + 1]] for clip in known])
    xyz = np.resize(xyz, (count, *xyz.shape[1:])) * AXES + np.random.default_rng(0).normal(
        scale=1e-3, size=(count, 27, 3)
    )
    poses, said = Poses3D(xyz, BODY_27, 50.0, path=np.zeros((count, 3))), {}
    for ending, rig in ((".bvh", "poselift"), (".bvh", "mixamo"), (".glb", "mixamo"), (".vrma", "vrm")):
        with tempfile.TemporaryDirectory() as folder:
            start = time.process_time()
            options = {} if ending == ".vrma" else {"rig": rig}  # a VRMA is always of the rig vrm
            save_poses(poses, file := Path(folder) / f"clip{ending}", **options)
            spent = time.process_time() - start
            said[f"{count:,} frames, {ending}, {rig}"] = f"{spent:.2f} s, {file.stat().st_size / 1e6:.1f} MB"
    return said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mocap", type=Path)
    parser.add_argument("--walk", type=Path)
    parser.add_argument("--frames", type=int, default=36_000)
    options = parser.parse_args()
    archive = dict(np.load(options.mocap))
    said = measure(archive)
    if options.walk:
        said |= measure_walk(archive, options.walk)
    said |= measure_writing(archive, options.frames)
    for name, words in said.items():
        print(f"{name:36} {words}")


if __name__ == "__main__":
    main()
