"""Draw lifted joint angles and speeds against motion capture, for docs/images/angles.png and smoothing.png.

Usage: python scripts/draw_refined.py mocap27.npz mocap27_extra.npz docs/images
"""

import sys
import zlib
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
from matplotlib import pyplot as plt

import poselift as pl
from poselift.datasets.clip import MocapClip
from poselift.datasets.mocap import load_mocap
from poselift.geometry.camera import Camera
from poselift.lab.observe.detector import SimulatedDetector
from poselift.measure.mocap import MocapProtocol, clip_cameras, exact_keypoints
from poselift.prepare.repair import without_log
from poselift.refine.bones import constant_bones
from poselift.refine.smooth import smooth_joints

WEIGHTS = "nanohtnet.mocap27-243"
CLIPS = {
    "walk": "cmua_02_01",
    "squat, scooping up": "cmua_02_06",
    "standing up from a chair": "rb_m_sit_stand_up_chair_01",
}
SHOWN_S = {"cmua_02_06": (4.0, 10.0)}
"""Seconds of a clip that are drawn; all where there are none."""
ANGLES = ("hip_flexion_r", "knee_angle_r", "ankle_angle_r")
PUNCHES, DRAWN_S = "cmu_13_18", 3.0
"""A clip of punches; the seconds about the fastest frame of each wrist that are drawn."""


def seen(clip: MocapClip, exact: bool) -> tuple[pl.Poses3D, pl.Poses3D]:
    """Return the true and the lifted poses of a clip from the first camera of the benchmark."""
    camera = clip_cameras(clip.in_joints(pl.H36M_17), MocapProtocol())[0]
    truth = camera.to_camera(clip.xyz)
    seed = zlib.crc32(f"0 0 {clip.name}".encode())
    keypoints = exact_keypoints(clip, camera) if exact else SimulatedDetector()(truth, clip.fps, seed)
    own = Camera(np.eye(3), np.zeros(3), camera.K, image_size=(1000, 1000))
    with without_log():
        lifted = pl.lift(keypoints, pl.load_lifter(WEIGHTS), frame="camera", camera=own, check=False)
    relative = np.nan_to_num(truth - truth[:, :1])
    return replace(lifted, xyz=relative, observed=None, gap=None), lifted


def refined(poses: pl.Poses3D) -> pl.Poses3D:
    """Return the poses after smoothing, with constant bones."""
    return constant_bones(smooth_joints(poses)[0])[0]


def draw_angles(clips: dict[str, MocapClip], path: Path) -> None:
    """Draw flexion of hip, knee and ankle of three movements, true and lifted."""
    figure, axes = plt.subplots(len(ANGLES), len(CLIPS), figsize=(11, 7), sharex="col", layout="constrained")
    for column, (title, name) in enumerate(CLIPS.items()):
        first_s, last_s = SHOWN_S.get(name, (0.0, np.inf))
        lines = {}
        for exact in (True, False):
            truth, lifted = seen(clips[name], exact)
            lines["motion capture"] = pl.joint_angles(truth)
            lines["exact keypoints" if exact else "detector errors"] = pl.joint_angles(refined(lifted))
        for row, angle in enumerate(ANGLES):
            for label, color in (
                ("motion capture", "black"),
                ("exact keypoints", "tab:blue"),
                ("detector errors", "tab:red"),
            ):
                found = lines[label]
                times = np.arange(len(found)) / found.fps
                shown = (times >= first_s) & (times <= last_s)
                width = 2.2 if label == "motion capture" else 1.3
                axes[row, column].plot(times[shown], found[angle][shown], color=color, lw=width, label=label)
            axes[row, column].grid(alpha=0.3)
            axes[row, 0].set_ylabel(f"{angle} (degrees)")
        axes[0, column].set_title(f"{title}\n{name}", fontsize=10)
        axes[-1, column].set_xlabel("time (s)")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    figure.savefig(path, dpi=100)


def draw_speed(clip: MocapClip, path: Path) -> None:
    """Draw the speed of a wrist that punches: true, as lifted, and smoothed."""
    truth, lifted = seen(clip, exact=False)
    figure, axes = plt.subplots(2, 1, figsize=(9, 5.5), layout="constrained")
    for axis, joint in zip(axes, ("right_wrist", "left_wrist"), strict=True):
        column = truth.skeleton.index(joint)
        fastest = np.linalg.norm(np.diff(truth.xyz[:, column], axis=0), axis=-1).argmax() / truth.fps
        for poses, label, color in (
            (lifted, "as lifted", "0.7"),
            (truth, "motion capture", "black"),
            (refined(lifted), "smoothed", "tab:red"),
        ):
            speed = np.linalg.norm(np.gradient(poses.xyz[:, column], axis=0), axis=-1) * poses.fps
            times = np.arange(len(speed)) / poses.fps
            shown = np.abs(times - fastest) <= DRAWN_S / 2
            axis.plot(times[shown], speed[shown], color=color, lw=1.4, label=label)
        axis.set_ylabel(f"{joint} (m/s)")
        axis.grid(alpha=0.3)
    axes[0].legend(fontsize=8)
    axes[-1].set_xlabel(f"time (s), {clip.name}, detector errors")
    figure.savefig(path, dpi=100)


def main() -> None:
    """Draw both pictures."""
    archives, folder = sys.argv[1:3], Path(sys.argv[3])
    wanted = {*CLIPS.values(), PUNCHES}
    clips = {clip.name: clip for path in archives for clip in load_mocap(path) if clip.name in wanted}
    draw_angles(clips, folder / "angles.png")
    draw_speed(clips[PUNCHES], folder / "smoothing.png")


if __name__ == "__main__":
    main()
