"""How well people of a stream are placed in the world, beside placing of the whole clip; and how soon.

    OMP_NUM_THREADS=1 python benchmarks/live_world.py DATA [--every 4] [--lifter NAME] [--delay 0]

DATA is the folder with mocap27.npz. Dev clips are seen by one virtual camera at rest, by the simulated detector (lab
extra); height and focal length are given.
"""

import argparse
from pathlib import Path

import numpy as np

import poselift as pl
from poselift.datasets.mocap import load_mocap
from poselift.lab.observe.detector import SimulatedDetector
from poselift.measure import world
from poselift.measure.mocap import MocapProtocol, clip_cameras
from poselift.measure.placing import WorldProtocol, _observed, _placed, placing_errors, true_height
from poselift.refine.gravity import foot_joints
from poselift.refine.online import WorldOptions
from poselift.skeleton import H36M_17

SECONDS = (0.5, 1, 2, 4, 8, 12)
BODY = [*range(len(H36M_17))]


def streamed(lifter, keypoints, height_m, focal_px, delay_s):
    """Push a clip; return the poses, the stream, and the size that was found with each pose."""
    size = keypoints.image_size or (1000, 1000)
    options = WorldOptions(height_m=height_m, focal_px=focal_px)
    live = pl.LiveLifter(lifter, delay_s=delay_s, image_size=size, world=options)
    xy, scores = keypoints.filled()
    found, sizes = [], []
    for number, frame in enumerate(np.concatenate([xy, scores[..., None]], -1)):
        pose = live.push(frame, keypoints.skeleton, number / keypoints.fps)
        if pose is not None:
            found.append(pose)
            sizes.append(live.room._walkers[0].size)
    return found, live, np.array(sizes)


def errors(poses, clip, camera):
    """Errors by metric of poses in the world, each a mean over frames."""
    there = np.concatenate([pose.absolute() for pose in poses]).astype(np.float64)
    frames = len(there)
    truth = np.where(clip.known[:, None], clip.xyz, np.nan)[:frames].astype(np.float64)
    seen = np.stack([pose.camera.to_camera(joints) for pose, joints in zip(poses, there, strict=True)])
    along, across = world.along_and_across(seen[:, 0], camera.to_camera(truth[:, 0]))
    pred, true = world.at_30_fps(there, clip.fps), world.at_30_fps(truth, clip.fps)
    feet = foot_joints(clip.skeleton)
    slides = world.foot_slide(pred[:, feet], true[:, feet])
    ups = np.array([pose.camera.R[:, 2] for pose in poses]) @ camera.R[:, 2]
    found = {
        "w_mpjpe": 1000 * world.w_mpjpe(pred[:, BODY], true[:, BODY]).mean(),
        "wa_mpjpe": 1000 * world.wa_mpjpe(pred[:, BODY], true[:, BODY]).mean(),
        "rte": 100 * world.rte(pred[:, 0], true[:, 0]).mean(),
        "foot_slide": 1000 * slides.mean() if len(slides) else np.nan,
        "jitter": world.jitter(pred[:, BODY]).mean(),
        "up_error": np.rad2deg(np.arccos(ups.clip(-1, 1))).mean(),
        "root_across": 1000 * across.mean(),
        "root_along": 1000 * np.abs(along).mean(),
        "root_bias": 100 * (along / np.linalg.norm(camera.to_camera(truth[:, 0]), axis=1)).mean(),
    }
    if clip.contact is not None and (clip.contact[:frames] == 1).any():
        floor = np.nanmedian(truth[:, feet, 2][clip.contact[:frames] == 1])
        height = np.array([pose.path[0, 2] for pose in poses]) - (truth[:, 0, 2] - floor)
        found["floor_error"] = 1000 * np.abs(height).mean()
    return found, np.rad2deg(np.arccos(ups.clip(-1, 1)))


def main() -> None:
    """Print what is reached after some seconds, and a table beside the whole clip."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--every", type=int, default=4)
    parser.add_argument("--lifter", default="nanohtnet.mocap27-live")
    parser.add_argument("--delay", type=float, default=0.0)
    args = parser.parse_args()
    protocol, detector = WorldProtocol(views=MocapProtocol(cameras=1)), SimulatedDetector()
    lifter = pl.load_lifter(args.lifter, threads=1)
    later, live_rows, clip_rows, held = {second: [] for second in SECONDS}, [], [], []
    for clip in load_mocap(args.data / "mocap27.npz", split="dev")[:: args.every]:
        body = clip.in_joints(H36M_17)
        (camera,) = clip_cameras(body, protocol.views)
        keypoints = _observed(clip, camera, 0, protocol, detector)
        poses, live, sizes = streamed(lifter, keypoints, true_height(body), float(camera.K[0, 0]), args.delay)
        if len(poses) < 10:
            continue
        found, ups = errors(poses, clip, camera)
        live_rows.append(found)
        held.append((live.room.settled, live.room.restarts))
        for second in SECONDS:
            if (frame := round((second - live.delay_s) * clip.fps)) < len(poses) and frame >= 0:
                later[second].append((ups[frame], 100 * abs(sizes[frame] / sizes[-1] - 1)))
        scene, _ = _placed(lifter, keypoints, body, protocol, camera)
        whole = placing_errors(scene, clip, camera)
        clip_rows.append({name: np.nanmean(whole[name]) if len(whole.get(name, ())) else np.nan for name in found})
    for second, rows in later.items():
        if rows:
            up, size = np.array(rows).T
            print(f"{second:5} s: {len(rows)} clips; up {np.median(up):.1f} deg, 95 % {np.percentile(up, 95):.1f}; "
                  f"size {np.median(size):.1f} % from the last, at most {size.max():.1f}")  # fmt: skip
    print(f"floor holds at the end in {sum(h for h, _ in held)} of {len(held)}; restarts {sum(r for _, r in held)}")
    for name in live_rows[0]:
        both = [np.nanmean([row.get(name, np.nan) for row in rows]) for rows in (live_rows, clip_rows)]
        print(f"{name:12} live {both[0]:7.2f}  clip {both[1]:7.2f}")


if __name__ == "__main__":
    main()
