"""A walk, written in every layout that people have: it is read to the same keypoints, and lifts to the same joints."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import poselift as pl
from poselift.formats import read_keypoints_file
from poselift.sequence import Keypoints2D
from poselift.skeleton import COCO_17, H36M_17

FRAMES, FPS, WIDTH, HEIGHT = 30, 50.0, 1920, 1080
Points = Callable[[str], np.ndarray]

# The published orders, by heart; r_ and l_ are the person's right and left.
COCO = (
    "nose l_eye r_eye l_ear r_ear l_shoulder r_shoulder l_elbow r_elbow l_wrist r_wrist l_hip r_hip l_knee r_knee "
    "l_ankle r_ankle"
)
OPENPOSE_18 = (
    "nose neck r_shoulder r_elbow r_wrist l_shoulder l_elbow l_wrist r_hip r_knee r_ankle l_hip l_knee l_ankle r_eye "
    "l_eye r_ear l_ear"
)
OPENPOSE_25 = (
    "nose neck r_shoulder r_elbow r_wrist l_shoulder l_elbow l_wrist pelvis r_hip r_knee r_ankle l_hip l_knee l_ankle "
    "r_eye l_eye r_ear l_ear l_big_toe l_small_toe l_heel r_big_toe r_small_toe r_heel"
)
FEET = " l_big_toe l_small_toe l_heel r_big_toe r_small_toe r_heel"
BODY_25B = COCO + " upper_neck head_top l_big_toe l_small_toe l_heel r_big_toe r_small_toe r_heel"
HALPE = COCO + " head_top neck pelvis l_big_toe r_big_toe l_small_toe r_small_toe l_heel r_heel"
MPI_15 = OPENPOSE_18.replace("nose neck", "head_top neck").split(" r_eye")[0] + " spine"
MPII_16 = (
    "r_ankle r_knee r_hip l_hip l_knee l_ankle pelvis thorax upper_neck head_top r_wrist r_elbow r_shoulder l_shoulder "
    "l_elbow l_wrist"
)
JHMDB_15 = (
    "neck spine head r_shoulder l_shoulder r_hip l_hip r_elbow l_elbow r_knee l_knee r_wrist l_wrist r_ankle l_ankle"
)
PANOPTIC_19 = (
    "neck nose pelvis l_shoulder l_elbow l_wrist l_hip l_knee l_ankle r_shoulder r_elbow r_wrist r_hip r_knee r_ankle "
    "l_eye l_ear r_eye r_ear"
)
KINECT_20 = (
    "pelvis spine thorax head l_shoulder l_elbow l_wrist l_hand r_shoulder r_elbow r_wrist r_hand l_hip l_knee l_ankle "
    "l_foot r_hip r_knee r_ankle r_foot"
)
KINECT_25 = KINECT_20.replace("thorax", "upper_neck") + " thorax l_hand_tip l_thumb r_hand_tip r_thumb"
KINECT_32 = (
    "pelvis navel chest neck l_clavicle l_shoulder l_elbow l_wrist l_hand l_hand_tip l_thumb r_clavicle r_shoulder "
    "r_elbow r_wrist r_hand r_hand_tip r_thumb l_hip l_knee l_ankle l_foot r_hip r_knee r_ankle r_foot head nose l_eye "
    "l_ear r_eye r_ear"
)
MEDIAPIPE = (
    "nose l_eye_inner l_eye l_eye_outer r_eye_inner r_eye r_eye_outer l_ear r_ear l_mouth r_mouth l_shoulder "
    "r_shoulder l_elbow r_elbow l_wrist r_wrist l_pinky r_pinky l_index r_index l_thumb r_thumb l_hip r_hip l_knee "
    "r_knee l_ankle r_ankle l_heel r_heel l_foot_index r_foot_index"
)
SAM_70 = (
    "nose l_eye r_eye l_ear r_ear l_shoulder r_shoulder l_elbow r_elbow l_hip r_hip l_knee r_knee l_ankle r_ankle "
    "l_big_toe l_small_toe l_heel r_big_toe r_small_toe r_heel "
    + " ".join(["r_hand"] * 20) + " r_wrist " + " ".join(["l_hand"] * 20) + " l_wrist " + " ".join(["neck"] * 7)
)  # fmt: skip
BODY = "nose l_shoulder r_shoulder l_elbow r_elbow l_wrist r_wrist l_hip r_hip l_knee r_knee l_ankle r_ankle"


def full_name(joint: str) -> str:
    return {"l": "left_", "r": "right_"}[joint[0]] + joint[2:] if joint[1] == "_" else joint


def named_points(xyz: np.ndarray) -> dict[str, np.ndarray]:
    """Joint name: (T, 3), from (T, 17, 3) in world axes; hands, feet and face are made up."""
    at = {joint: xyz[:, place].astype(np.float64) for place, joint in enumerate(H36M_17.joints)}
    left = at["left_hip"] - at["right_hip"]
    left /= np.linalg.norm(left, axis=-1, keepdims=True)
    up = np.array([0.0, 0.0, 1.0])
    ahead = np.cross(left, up)
    at["nose"] = at["nose"] + 0.09 * ahead + 0.03 * up
    at |= {"neck": at["thorax"], "head": 0.5 * (at["nose"] + at["head_top"])}
    at["upper_neck"] = at["neck"] + 0.07 * up
    at |= {"navel": 0.7 * at["pelvis"] + 0.3 * at["thorax"], "chest": 0.3 * at["pelvis"] + 0.7 * at["thorax"]}
    for side, sign in (("left", 1), ("right", -1)):
        eye = at["nose"] + 0.03 * up + 0.03 * sign * left
        wrist, ankle = at[f"{side}_wrist"], at[f"{side}_ankle"]
        at |= {
            f"{side}_{name}": eye + d * sign * left
            for name, d in (("eye_inner", -0.01), ("eye", 0), ("eye_outer", 0.01))
        }
        at |= {f"{side}_ear": eye - 0.1 * ahead + 0.05 * sign * left, f"{side}_mouth": eye - 0.08 * up}
        at |= {f"{side}_{name}": wrist - d * up for name, d in (("hand", 0.08), ("hand_tip", 0.16), ("index", 0.12))}
        at |= {f"{side}_pinky": wrist - 0.11 * up - 0.03 * ahead, f"{side}_thumb": wrist - 0.07 * up + 0.03 * ahead}
        at |= {f"{side}_{toe}": ankle + 0.15 * ahead - 0.06 * up for toe in ("big_toe", "foot_index", "foot")}
        at |= {f"{side}_small_toe": ankle + 0.12 * ahead - 0.06 * up + 0.04 * sign * left}
        at |= {f"{side}_heel": ankle - 0.05 * ahead - 0.06 * up, f"{side}_clavicle": at["thorax"] + 0.04 * sign * left}
    return at


@pytest.fixture
def points(walk: Any) -> Points:
    """Gives (T, J, 3) pixels and scores of a walk for an order: each joint has its own scores, whatever the order."""
    at = named_points(walk(FRAMES).xyz)
    rng = np.random.default_rng(0)
    scores = {joint: rng.uniform(0.5, 1, FRAMES).round(3) for joint in sorted(at)}

    def make(order: str) -> np.ndarray:
        joints = [full_name(joint) for joint in order.split()]
        world = np.stack([at[joint] for joint in joints], 1)
        depth = 4 + world[..., 1]
        xy = 1000 * np.stack([world[..., 0], 1 - world[..., 2]], -1) / depth[..., None] + (WIDTH / 2, HEIGHT / 2)
        return np.concatenate([xy.round(2), np.stack([scores[joint] for joint in joints], 1)[..., None]], -1)

    return make


def as_json(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    return path


def flat(pose: np.ndarray) -> list[float]:
    return pose.ravel().tolist()


def shares(pose: np.ndarray) -> np.ndarray:
    return (pose * (1 / WIDTH, 1 / HEIGHT, 1)).round(5)


def mmpose(pose: np.ndarray) -> dict[str, Any]:
    return {"keypoints": pose[:, :2].tolist(), "keypoint_scores": pose[:, 2].tolist(), "bbox": [[1, 2, 3, 4]]}


def ultralytics(pose: np.ndarray) -> dict[str, Any]:
    x, y, visible = pose.T.tolist()
    return {"name": "person", "class": 0, "confidence": 0.9, "keypoints": {"x": x, "y": y, "visible": visible}}


def landmarks(pose: np.ndarray) -> list[dict[str, float]]:
    return [{"x": x, "y": y, "z": -0.1, "visibility": score} for x, y, score in shares(pose).tolist()]


def yolo_folder(folder: Path, poses: np.ndarray) -> Path:
    (folder / "labels").mkdir()
    for number, pose in enumerate(poses, 1):
        cells = " ".join(f"{value:.5f}" for value in shares(pose).ravel())
        (folder / "labels" / f"clip_{number}.txt").write_text(f"0 0.5 0.5 0.2 0.6 {cells} 0.9 1\n")
    return folder


def json_folder(folder: Path, frames: list[Any]) -> Path:
    for number, frame in enumerate(frames):
        as_json(folder / f"clip_{number:06}_keypoints.json", frame)
    return folder


def videopose(path: Path, poses: np.ndarray) -> Path:
    positions = {"clip.mp4": {"custom": [poses[..., :2].astype(np.float32)]}}
    metadata = {"layout_name": "coco", "num_joints": 17, "video_metadata": {"clip.mp4": {"w": WIDTH, "h": HEIGHT}}}
    np.savez_compressed(path, positions_2d=np.array(positions, object), metadata=np.array(metadata, object))
    return path


def detectron(path: Path, poses: np.ndarray) -> Path:
    keypoints, boxes = np.empty((len(poses), 2), object), np.empty((len(poses), 2), object)
    for frame, pose in enumerate(poses):
        x, y, score = pose.T
        keypoints[frame] = [], np.array([[x, y, np.zeros_like(x), score]], np.float32)
        boxes[frame] = [], np.ones((1, 5), np.float32)
    np.savez_compressed(path, boxes=boxes, keypoints=keypoints, metadata=np.array({"w": WIDTH, "h": HEIGHT}, object))
    return path


def array(path: Path, values: np.ndarray) -> Path:
    (np.save if path.suffix == ".npy" else np.savez)(path, values)
    return path


def table(
    path: Path,
    poses: np.ndarray,
    order: str,
    head: str = "{joint}_{axis}",
    ends: str = "x y likelihood",
    sep: str = ",",
) -> Path:
    joints = order.split()
    columns = [head.format(joint=joint, n=n, axis=axis) for n, joint in enumerate(joints, 1) for axis in ends.split()]
    rows = [[str(frame), *map(str, flat(pose))] for frame, pose in enumerate(poses)]
    rows = [[cell.replace(".", ",") for cell in row] for row in rows] if sep == ";" else rows
    path.write_text("\n".join(sep.join(row) for row in [["frame", *columns], *rows]))
    return path


def row_a_joint(path: Path, poses: np.ndarray, order: str) -> Path:
    rows = [
        f"{frame}\t{joint.upper()}\t{x}\t{y}\t{score}"
        for frame, pose in enumerate(poses)
        for joint, (x, y, score) in zip(order.split(), pose.tolist(), strict=True)
    ]
    path.write_text("\n".join(["frame\tlandmark\tx\ty\tvisibility", *rows]))
    return path


def deeplabcut(path: Path, poses: np.ndarray, order: str) -> Path:
    parts = order.split()
    heads = [["scorer"] + ["DLC"] * 3 * len(parts), ["bodyparts"] + [part for part in parts for _ in range(3)]]
    heads.append(["coords"] + ["x", "y", "likelihood"] * len(parts))
    rows = [[str(frame), *map(str, flat(pose))] for frame, pose in enumerate(poses)]
    path.write_text("\n".join(",".join(row) for row in heads + rows))
    return path


def trc(path: Path, poses: np.ndarray, order: str) -> Path:
    names = [
        joint[0].upper() + joint[2:].capitalize() if joint[1] == "_" else joint.capitalize() for joint in order.split()
    ]
    head = f"PathFileType\t4\t(X/Y/Z)\t{path.name}\nDataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\n"
    head += f"50\t50\t{len(poses)}\t{len(names)}\tm\nFrame#\tTime\t" + "\t\t\t".join(names) + "\n\t\tX1\tY1\tZ1\n\n"
    rows = [[str(n + 1), str(n / 50), *(f"{x}\t{-y}\t0.0" for x, y, _ in pose)] for n, pose in enumerate(poses)]
    path.write_text(head + "\n".join("\t".join(row) for row in rows))
    return path


def coco_truth(path: Path, poses: np.ndarray) -> Path:
    images = [
        {"id": 100 + n, "file_name": f"clip_{n:04}.jpg", "width": WIDTH, "height": HEIGHT} for n in range(len(poses))
    ]
    marked = poses * (1, 1, 0) + (0, 0, 2)
    found = [
        {"id": n, "image_id": 100 + n, "keypoints": flat(pose), "num_keypoints": 17} for n, pose in enumerate(marked)
    ]
    return as_json(path, {"images": images[::-1], "annotations": found})


Writer = Callable[[Path, np.ndarray, Points], Path]
"""Takes a folder, (T, J, 3) keypoints, and all points; returns what to read."""


def listed(make: Callable[[int, np.ndarray], Any], wrap: Callable[[list[Any]], Any] = list) -> Writer:
    """JSON with a list of frames, made of their number and keypoints."""
    return lambda folder, poses, _: as_json(folder / "a.json", wrap([make(n, pose) for n, pose in enumerate(poses)]))


def keyed(key: str, make: Callable[[np.ndarray], Any], wrap: Callable[[dict[str, Any]], Any] = dict) -> Writer:
    """JSON with an object of frames."""
    return lambda folder, poses, _: as_json(
        folder / "a.json", wrap({key.format(n): make(pose) for n, pose in enumerate(poses)})
    )


def one_a_frame(make: Callable[[np.ndarray], Any]) -> Writer:
    return lambda folder, poses, _: json_folder(folder, [make(pose) for pose in poses])


def saved(name: str, change: Callable[[np.ndarray, Points], np.ndarray] = lambda poses, _: poses) -> Writer:
    return lambda folder, poses, points: array(folder / name, change(poses, points))


def openpose(pose: np.ndarray, key: str = "pose_keypoints_2d") -> dict[str, Any]:
    return {"version": 1.3, "people": [{key: flat(pose)}]}


def with_hands(joints: int) -> Callable[[np.ndarray, Points], np.ndarray]:
    """That many joints of face and hands after the body."""
    order = " ".join((["l_hand"] * 21 + ["r_hand"] * 21 + ["nose"] * joints)[:joints])
    return lambda poses, points: np.concatenate([poses, points(order)], axis=1)


def stgcn(number: int, pose: np.ndarray) -> dict[str, Any]:
    xy, score = flat(shares(pose)[:, :2]), pose[:, 2].tolist()
    return {"frame_index": number + 1, "skeleton": [{"pose": xy, "score": score}]}


def tensorflow(_: int, pose: np.ndarray) -> list[dict[str, Any]]:
    return [{"score": 0.9, "keypoints": [{"x": x, "y": y, "score": score} for x, y, score in pose.tolist()]}]


def detection(number: int, pose: np.ndarray) -> dict[str, Any]:
    return {"image_id": number, "category_id": 1, "keypoints": flat(pose), "score": 0.9}


def video_frame(number: int, pose: np.ndarray) -> dict[str, Any]:
    return {"frame_id": number, "instances": [mmpose(pose)]}


def demo(frames: list[Any]) -> dict[str, Any]:
    return {"meta_info": {"dataset_name": "coco"}, "instance_info": frames}


def canvas(_: int, pose: np.ndarray) -> dict[str, Any]:
    return openpose(pose) | {"canvas_width": WIDTH, "canvas_height": HEIGHT}


SCORED, UNSCORED = True, False
SAMPLES: dict[str, tuple[str, bool, Writer]] = {
    "mmpose demo": (COCO, SCORED, listed(video_frame, demo)),
    "mmpose video": (HALPE, SCORED, listed(video_frame)),
    "mmpose pictures": (COCO, SCORED, one_a_frame(lambda pose: [mmpose(pose)])),
    "ultralytics": (COCO, SCORED, listed(lambda _, pose: [ultralytics(pose)])),
    "ultralytics texts": (COCO, SCORED, listed(lambda _, pose: json.dumps([ultralytics(pose)]))),
    "yolo labels": (COCO, SCORED, lambda folder, poses, _: yolo_folder(folder, poses)),
    "videopose3d": (COCO, UNSCORED, lambda folder, poses, _: videopose(folder / "a.npz", poses)),
    "detectron": (COCO, SCORED, lambda folder, poses, _: detectron(folder / "a.npz", poses)),
    "npy": (COCO, SCORED, saved("a.npy")),
    "flat npy": (COCO, SCORED, saved("a.npy", lambda poses, _: poses.reshape(FRAMES, -1))),
    "unnamed npz": (COCO, UNSCORED, saved("a.npz", lambda poses, _: poses[..., :2])),
    "mediapipe": (MEDIAPIPE, SCORED, listed(lambda _, pose: landmarks(pose))),
    "mediapipe people": (
        *(MEDIAPIPE, SCORED),
        listed(lambda _, pose: {"pose_landmarks": [landmarks(pose)]}, lambda frames: {"frames": frames}),
    ),
    "mediapipe table": (
        *(MEDIAPIPE, SCORED),
        lambda folder, poses, _: table(folder / "a.csv", shares(poses), MEDIAPIPE, ends="x y visibility"),
    ),
    "tensorflow.js": (COCO, SCORED, listed(tensorflow)),
    "wholebody 133": (COCO + FEET, SCORED, saved("a.npy", with_hands(110))),
    "wholebody 134": (OPENPOSE_18 + FEET, SCORED, saved("a.npy", with_hands(110))),
    "body 135": (BODY_25B, SCORED, saved("a.npy", with_hands(110))),
    "halpe 136": (HALPE, SCORED, saved("a.npy", with_hands(110))),
    "sam 3d body 70": (COCO + FEET, SCORED, saved("a.npy", lambda _, points: points(SAM_70))),
    "openpose 18": (OPENPOSE_18, SCORED, one_a_frame(openpose)),
    "openpose 25, old key": (OPENPOSE_25, SCORED, one_a_frame(lambda pose: openpose(pose, "pose_keypoints"))),
    "openpose mpi": (MPI_15, SCORED, one_a_frame(openpose)),
    "comfyui": (OPENPOSE_18, SCORED, listed(canvas)),
    "alphapose open": (OPENPOSE_18, SCORED, keyed("{}.jpg", openpose)),
    "alphapose cmu": (OPENPOSE_18, SCORED, keyed("{}.jpg", lambda pose: {"bodies": [{"joints": flat(pose)}]})),
    "coco results": (COCO, SCORED, listed(detection)),
    "coco ground truth": (COCO, UNSCORED, lambda folder, poses, _: coco_truth(folder / "a.json", poses)),
    "jhmdb": (JHMDB_15, UNSCORED, saved("a.npy", lambda poses, _: poses[..., :2])),
    "mpii": (MPII_16, UNSCORED, saved("a.npy", lambda poses, _: poses[..., :2])),
    "panoptic": (PANOPTIC_19, SCORED, saved("a.npy")),
    "kinect 20": (KINECT_20, SCORED, saved("a.npy")),
    "kinect 25": (KINECT_25, SCORED, saved("a.npy")),
    "kinect 32": (KINECT_32, SCORED, saved("a.npy")),
    "st-gcn": (OPENPOSE_18, SCORED, listed(stgcn, lambda frames: {"data": frames, "label": "walk"})),
    "tracked": (COCO, SCORED, keyed("{:04}", lambda pose: {"keypoints": flat(pose)}, lambda frames: {"7": frames})),
    "tracked, frames first": (COCO, SCORED, keyed("{}", lambda pose: {"anna": pose.tolist()})),
    "people by frame": (COCO, SCORED, keyed("frame_{}.jpg", lambda pose: [{"keypoints": pose.tolist()}])),
    "lists": (COCO, SCORED, listed(lambda _, pose: pose.tolist())),
    "table": (BODY, SCORED, lambda folder, poses, _: table(folder / "a.csv", poses, BODY)),
    "table of numbers": (
        *(COCO, SCORED),
        lambda folder, poses, _: table(folder / "a.csv", poses, COCO, head="{axis}{n}", ends="x y c"),
    ),
    "german table": (
        *(BODY, SCORED),
        lambda folder, poses, _: table(folder / "a.csv", poses, BODY, ends="X Y conf", sep=";"),
    ),
    "row a joint": (BODY, SCORED, lambda folder, poses, _: row_a_joint(folder / "a.tsv", poses, BODY)),
    "deeplabcut": (BODY, SCORED, lambda folder, poses, _: deeplabcut(folder / "a.csv", poses, BODY)),
    "trc": (BODY, UNSCORED, lambda folder, poses, _: trc(folder / "a.trc", poses, BODY)),
}
"""Layout: the joint order of the file, whether its scores are kept, and its writer."""


@pytest.fixture(scope="module")
def lifter() -> Any:
    return pl.load_lifter("nanohtnet.mocap-81")


def reference(points: Points, order: str, like: Keypoints2D, *, scored: bool) -> Keypoints2D:
    """The walk's keypoints in a skeleton, without what the order lacks."""
    known = {full_name(joint): joint for joint in order.split()}
    values = np.full((FRAMES, len(like.skeleton), 3), np.nan)
    for place, joint in enumerate(like.skeleton.joints):
        if joint in known:
            values[:, place] = points(known[joint])[:, 0]
    return Keypoints2D(values[..., :2], values[..., 2] if scored else None, like.skeleton, FPS, (WIDTH, HEIGHT))


@pytest.mark.parametrize("sample", SAMPLES)
def test_each_layout_lifts_to_the_same_joints(sample: str, points: Points, tmp_path: Path, lifter: Any) -> None:
    order, scored, write = SAMPLES[sample]
    (clip,) = read_keypoints_file(write(tmp_path, points(order), points), fps=FPS, image_size=(WIDTH, HEIGHT))
    wanted = reference(points, order, clip, scored=scored)
    np.testing.assert_array_equal(clip.seen, wanted.seen)
    np.testing.assert_allclose(clip.xy, wanted.xy, atol=0.02)
    joints, same = pl.lift(clip, lifter).xyz, pl.lift(wanted, lifter).xyz
    assert np.linalg.norm(joints - same, axis=-1).max() < 1e-3
    coco = pl.lift(Keypoints2D(points(COCO)[..., :2], points(COCO)[..., 2], COCO_17, FPS, (WIDTH, HEIGHT)), lifter).xyz
    assert np.linalg.norm(joints - coco, axis=-1).mean() < 0.06, "another order's sides are exchanged"


def test_exchanged_sides_are_noticed(points: Points, lifter: Any) -> None:
    right = Keypoints2D(points(COCO)[..., :2], None, COCO_17, FPS, (WIDTH, HEIGHT))
    wrong = right.with_frames(right.xy[:, list(COCO_17.flipped)], None, FPS)
    apart = np.linalg.norm(pl.lift(right, lifter).xyz - pl.lift(wrong, lifter).xyz, axis=-1)
    assert apart.mean() > 0.1
