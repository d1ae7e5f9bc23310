"""Small valid files of every kind that is read, each with its reader."""

import contextlib
import importlib.util
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import archives
import figures
import numpy as np
import pytest
from rich.console import Console

import poselift
from poselift.datasets.h36m import load_h36m
from poselift.datasets.humaneva import load_humaneva
from poselift.datasets.joint_names import read_joint_map
from poselift.datasets.mocap import load_mocap
from poselift.datasets.mpi_inf_3dhp import load_mpi_inf_3dhp
from poselift.datasets.own import load_own
from poselift.files import read_json
from poselift.formats import c3d_content, read_keypoints_file, read_poses, save_poses, write_keypoints, write_people
from poselift.formats.bvh import read_bvh
from poselift.lifters.card import Card
from poselift.lifters.load import load_lifter
from poselift.measure.recording import Recording
from poselift.measure.scores import Scores
from poselift.measure.tables import scores_view, table
from poselift.people import numbered
from poselift.prepare.normalize import PERSON_SCALE
from poselift.sequence import Keypoints2D, Poses3D
from poselift.skeleton import BODY_25, COCO_17, H36M_17, Skeleton

C3D_CASES = (0, 3, 10, 41, 47, 53)
"""A process each, thus few: on 47 ezc3d 1.7.2 never ends, and on 41 it takes memory without end."""
HAS_LAB = all(importlib.util.find_spec(name) for name in ("torch", "safetensors", "onnx"))
MOCAP_JOINTS = (
    "Hip RHip RKnee RFoot LHip LKnee LFoot Spine Thorax Neck/Nose Head LShoulder LElbow LWrist RShoulder RElbow RWrist"
)
JOINTS = (*H36M_17.joints, *COCO_17.joints)


@dataclass(frozen=True)
class Seed:
    """A valid file, and how it is read."""

    name: str
    """Name of the seed, and of its folder."""
    kind: str
    """How it is damaged: a name in `mutations.WAYS`."""
    file: str
    """The file in the folder that is damaged."""
    read: Callable[[Path], object]
    """Reads what is in the folder."""
    cases: tuple[int, ...] | None = None
    """Numbers of the damaged copies that are tried; None for as many as are wanted."""


def all_seeds() -> "list[tuple[Seed, Callable[[Path], object]]]":
    """All seeds, and what writes each into a folder."""
    made = [*_people(), *_page(), *_poses(), *_motion(), *_data(), *_benchmarks(), *_lifters()]
    if HAS_LAB:
        from lab_seeds import lab_seeds

        made += lab_seeds()
    return made


Made = Iterator[tuple[Seed, Callable[[Path], object]]]


def person(skeleton: Skeleton, frames: int = 4) -> np.ndarray:
    """(T, J, 3) pixels and confidence of somebody who stands and sways a little."""
    names = [joint if joint in JOINTS else "left_ankle" for joint in skeleton.joints]
    places = np.array([archives._FIGURE.get(name, (0, 0, 1.55)) for name in names], float)[:, [0, 2]] * (200, -200) + (
        300,
        500,
    )
    sway = np.random.default_rng(0).normal(size=(frames, len(skeleton), 2))
    return np.concatenate([places + sway, np.full((frames, len(skeleton), 1), 0.9)], -1).round(3)


def keypoints() -> Keypoints2D:
    array = person(H36M_17)
    return Keypoints2D(array[..., :2], array[..., 2], H36M_17, 25.0, (640, 480))


def _first(pattern: str) -> Callable[[Path], Path]:
    return lambda folder: next(folder.glob(pattern))


def _read(reader: Callable[..., object], file: str, **options: Any) -> Callable[[Path], object]:
    return lambda folder: reader(folder / file, **options)


def _text(file: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / file).write_text(text, encoding="utf-8")


def _people() -> Made:
    for ending, kind in (("json", "json"), ("npz", "npz"), ("csv", "text")):
        seed = Seed(f"keypoints_{ending}", kind, f"a.{ending}", _read(read_keypoints_file, f"a.{ending}"))
        yield seed, lambda folder, file=seed.file: write_keypoints(keypoints(), folder / file)
    several = numbered([keypoints(), keypoints()])
    seed = Seed("people_npz", "npz", "a.npz", _read(read_keypoints_file, "a.npz"))
    yield seed, lambda folder: write_people(several, folder / "a.npz", complete=False)
    frames = person(BODY_25)
    pages = [{"people": [{"person_id": [-1], "pose_keypoints_2d": frame.ravel().tolist()}]} for frame in frames]
    known = {"skeleton": "BODY_25", "fps": 25.0}
    seed = Seed(
        "openpose_folder", "json", "a_000001_keypoints.json", lambda folder: read_keypoints_file(folder, **known)
    )
    yield (
        seed,
        lambda folder: [
            (folder / f"a_{n:06}_keypoints.json").write_text(json.dumps(page)) for n, page in enumerate(pages)
        ],
    )
    yield (
        Seed("openpose_frame", "json", "a.json", _read(read_keypoints_file, "a.json", **known)),
        _text("a.json", json.dumps(pages[0])),
    )
    found = [
        {"image_id": f"{n}.jpg", "category_id": 1, "keypoints": frame.ravel().tolist(), "score": 2.5, "idx": [[1.0]]}
        for n, frame in enumerate(person(COCO_17))
    ]
    seed = Seed("detections", "json", "a.json", _read(read_keypoints_file, "a.json", fps=25))
    yield seed, _text("a.json", json.dumps(found))


def _page() -> Made:
    """The examples of docs/keypoint_files.md."""
    from test_page import examples, person

    kinds = {".json": "json", ".npz": "pickles", ".npy": "npy"}
    for example in examples():
        language, file, options, text = example.values
        known = {"image_size": (int(options[1]), int(options[2]))} if options else {}

        def write(folder: Path, language: str = language, file: str = file, text: str = text) -> None:
            (folder / file).parent.mkdir(exist_ok=True)
            with contextlib.chdir(folder):
                if language == "python":
                    exec(text, {"np": np, "pl": poselift, "json": json, "Path": Path, "person": person})
                else:
                    Path(file).write_text(text, encoding="utf-8")

        name = file.replace("/", "_")
        place = file if "/" not in file else file.partition("/")[0]
        kind = kinds.get(Path(file).suffix, "text")
        yield Seed(f"page_{name}", kind, file, _read(read_keypoints_file, place, **known)), write


def _poses() -> Made:
    xyz = archives.motion(4, 0) @ np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    xyz = (xyz - xyz[:, :1]).astype(np.float32)
    gap = np.array([False, False, True, False])
    poses = Poses3D(xyz, H36M_17, 25.0, observed=np.full((4, 17), 0.5), gap=gap, path=np.ones((4, 3)))
    for ending, kind in (("json", "json"), ("npz", "npz"), ("csv", "text"), ("trc", "text")):
        seed = Seed(f"poses_{ending}", kind, f"a.{ending}", _read(read_poses, f"a.{ending}"))
        yield seed, lambda folder, file=seed.file: save_poses(poses, folder / file)
    if importlib.util.find_spec("pyarrow"):
        seed = Seed("poses_parquet", "bytes", "a.parquet", _read(read_poses, "a.parquet"))
        yield seed, lambda folder: save_poses(poses, folder / "a.parquet")
    if importlib.util.find_spec("ezc3d"):
        seed = Seed("poses_c3d", "bytes", "a.c3d", _read_c3d, C3D_CASES)
        yield seed, lambda folder: save_poses(poses, folder / "a.c3d")


def _read_c3d(folder: Path) -> object:
    """Read a C3D file, which has 2 s; damaged ones keep ezc3d busy without end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(c3d_content, "START_S", 2.0)
        return read_poses(folder / "a.c3d")


def _motion() -> Made:
    text = figures.bvh(figures.figure(), ("0 85 0 0 0 0", "0 85 5 0 10 0"))
    yield Seed("bvh", "text", "a.bvh", _read(load_mocap, "a.bvh")), _text("a.bvh", text)
    yield Seed("bvh_alone", "text", "a.bvh", _read(read_bvh, "a.bvh")), _text("a.bvh", text)
    asf, amc = _acclaim()
    for file in ("01.asf", "01_01.amc"):
        seed = Seed(file.partition(".")[2], "text", file, _read(load_mocap, "01_01.amc"))
        yield seed, lambda folder: [_text("01.asf", asf)(folder), _text("01_01.amc", amc)(folder)]
    joints = "".join(f"{joint}, {joint.title()}\n" for joint in H36M_17.joints)
    yield Seed("joint_map", "text", "a.txt", _read(read_joint_map, "a.txt")), _text("a.txt", joints)
    named = json.dumps({joint: joint.title() for joint in H36M_17.joints})
    yield Seed("joint_map_json", "json", "a.json", _read(read_joint_map, "a.json")), _text("a.json", named)


def _acclaim() -> tuple[str, str]:
    """A skeleton of legs, trunk, head and arms, and two frames of it."""
    bones = {"lowerback": ("root", "0 1 0", 2), "thorax": ("lowerback", "0 1 0", 2), "head": ("thorax", "0 1 0", 1)}
    for side, x in (("l", 1), ("r", -1)):
        bones |= {f"{side}hipjoint": ("root", f"{x} 0 0", 1), f"{side}femur": (f"{side}hipjoint", "0 -1 0", 7)}
        bones |= {f"{side}tibia": (f"{side}femur", "0 -1 0", 7), f"{side}foot": (f"{side}tibia", "0 0 1", 2)}
        bones |= {f"{side}clavicle": ("thorax", f"{x} 0 0", 3), f"{side}humerus": (f"{side}clavicle", f"{x} 0 0", 5)}
        bones |= {f"{side}radius": (f"{side}humerus", f"{x} 0 0", 3), f"{side}hand": (f"{side}radius", f"{x} 0 0", 1)}
    asf = [":units", "mass 1.0", "length 0.45", "angle deg", ":root", "order TX TY TZ RX RY RZ", "position 0 0 0"]
    asf += ["orientation 0 0 0", ":bonedata"]
    for number, (name, (_, direction, length)) in enumerate(bones.items(), 1):
        asf += ["begin", f"id {number}", f"name {name}", f"direction {direction}", f"length {length}"]
        asf += ["axis 0 0 0 XYZ", "dof rx ry rz", "end"]
    asf += [":hierarchy", "begin", *(f"{above} {name}" for name, (above, _, _) in bones.items()), "end"]
    amc = [":FULLY-SPECIFIED", ":DEGREES"]
    for frame in (1, 2):
        amc += [str(frame), f"root 0 15 {frame} 0 0 0", *(f"{name} {frame} 2 3" for name in bones)]
    return "\n".join(asf), "\n".join(amc)


def _data() -> Made:
    def write_mocap(folder: Path) -> None:
        xyz = archives.motion(5, 1)[..., [0, 2, 1]] * np.float32([1, 1, -1])
        np.savez(
            folder / "mocap17.npz", pose=xyz - xyz[:, :1], root=xyz[:, 0], offsets=np.array([0, 3, 5]),
            names=np.array(["a", "b"]), subjects=np.array(["1", "2"]), split=np.array(["train", "dev"]),
            parents=np.array(H36M_17.parents), joints=np.array(MOCAP_JOINTS.split()), fps=50.0, up="y", units="m",
        )  # fmt: skip

    def write_recording(folder: Path) -> None:
        seen = np.stack([np.nan_to_num(_body_25b(3))] * 2)
        np.savez(
            folder / "a.npz", kp2d_body25b=seen, cameras=np.array([1, 3]), X3d17=archives.motion(3, 2),
            valid=np.ones((3, 17), bool), fps=60.0,
        )  # fmt: skip

    def write_own(folder: Path) -> None:
        xyz = archives.motion(3, 3)[..., [0, 2, 1]] * np.float32([1, -1, 1]) + np.float32([0, 1, 4])
        np.savez(
            folder / "a.npz", skeleton="H36M_17", xy=person(H36M_17, 3)[..., :2], xyz=xyz, fps=25.0,
            image_size=np.array([640, 480]), subject="S1", valid=np.ones(3, bool),
        )  # fmt: skip

    def write_table(folder: Path) -> None:
        xyz = archives.motion(3, 3)[..., [0, 2, 1]] * np.float32([1, -1, 1]) + np.float32([0, 1, 4])
        names = [f"{joint}_{axis}" for joint in H36M_17.joints for axis in ("x", "y")]
        names += [f"{joint}_{axis}" for joint in H36M_17.joints for axis in ("x_m", "y_m", "z_m")]
        rows = np.concatenate([person(H36M_17, 3)[..., :2].reshape(3, -1), xyz.reshape(3, -1)], 1)
        text = [",".join(["subject", "frame", "fps", "image_width", "image_height", *names])]
        text += [",".join(["S1", str(n), "25", "640", "480", *(f"{v:.4f}" for v in row)]) for n, row in enumerate(rows)]
        (folder / "a.csv").write_text("# made\n" + "\n".join(text))

    yield Seed("mocap_npz", "npz", "mocap17.npz", _read(load_mocap, "mocap17.npz")), write_mocap
    yield Seed("recording", "npz", "a.npz", _read(Recording, "a.npz")), write_recording
    yield Seed("own_npz", "npz", "a.npz", load_own), write_own
    yield Seed("own_csv", "text", "a.csv", load_own), write_table
    part = {"mpjpe": {"Walking": 50.0, "Photo": 40.0}}
    scores = Scores(
        lifter="a", dataset="b", choices={"frames": "dense", "joints": ["a", "b"], "deep": {"a": {"b": [1, None]}}},
        counts={"frames": 10, "sequences": 2}, mean={"mpjpe": 45.0, "p_mpjpe": 30.5}, per_joint=part, per_action=part,
        per_subject=part, per_sequence=part, per_cell=part,
    )  # fmt: skip
    yield Seed("scores", "json", "a.json", _show_scores), _text("a.json", json.dumps(scores.as_json()))


def _body_25b(frames: int) -> np.ndarray:
    return np.concatenate([person(COCO_17, frames), person(COCO_17, frames)[:, :8]], 1)


def _show_scores(folder: Path) -> None:
    scores = Scores.from_json(read_json(folder / "a.json"))
    with (folder / "shown.txt").open("w", encoding="utf-8") as file:
        console = Console(file=file, width=100)
        console.print(scores_view(scores))
        console.print(table([scores, scores]))


def _benchmarks() -> Made:
    def h36m(folder: Path) -> None:
        archives.write_h36m(folder, people={"S9": {"Walking": 3}}, detector="cpn")

    def humaneva(folder: Path) -> None:
        archives.write_humaneva(folder, recordings={"Walking 1 chunk0": 2})

    for file, read in (
        ("data_3d_h36m", lambda folder: load_h36m(folder, subjects="S9")),
        ("data_2d_h36m_cpn", lambda folder: load_h36m(folder, subjects="S9", keypoints="cpn")),
    ):
        yield Seed(file, "pickles", f"{file}.npz", read), h36m
    for file, read in (
        ("data_3d_humaneva15", lambda folder: load_humaneva(folder, subjects="Validate/S2")),
        ("data_2d_humaneva15_gt", lambda folder: load_humaneva(folder, subjects="Validate/S2")),
    ):
        yield Seed(file, "pickles", f"{file}.npz", read), humaneva
    seed = Seed(
        "data_test_3dhp", "pickles", "data_test_3dhp.npz", lambda folder: load_mpi_inf_3dhp(folder, subjects="TS1")
    )
    yield seed, lambda folder: archives.write_3dhp_p_stmo(folder, sequences=("S1 Seq1",))
    for file in ("data_3d_3dhp", "data_2d_3dhp"):
        seed = Seed(
            file, "pickles", f"{file}.npz", lambda folder: load_mpi_inf_3dhp(folder, subjects="TS1", truth="annot3")
        )
        yield seed, archives.write_3dhp_posessm


def card(in_frames: int = 9) -> dict[str, Any]:
    """Content of a card with everything that cards may say."""
    score = {"kind": "motion capture", "data": "a", "protocol": {"every": 1}, "frames": 9, "mean": {"p_mpjpe": 40.0}}
    speed = {"frames_per_s": 1000.0, "window_ms": 1.0, "batch": 64, "threads": 1, "machine": "a"}
    training = {
        "recipe": {"lifter": "htnet", "model": {"width": 24}}, "init": None, "commit": "a", "date": "2026-01-01",
        "steps": 1, "windows": 2, "hours": 0.5, "machine": "a", "threads": 1, "note": "",
    }  # fmt: skip
    return {
        "name": "a", "skeleton": "H36M_17", "in_frames": in_frames, "out_frames": [4], "fps": 50.0, "in_channels": 3,
        "normalization": PERSON_SCALE, "parameters": 9, "macs": 9, "sha256": "0", "data": "a", "license": "MIT",
        "scores": {"exact 2D": score}, "speed": speed, "training": training, "imported": None,
    }  # fmt: skip


def _lifters() -> Made:
    text = json.dumps(card())
    yield Seed("card", "json", "a.json", _read(Card.read, "a.json")), _text("a.json", text)
    if not HAS_LAB:
        return

    def write(folder: Path) -> None:
        from lab_seeds import write_onnx

        write_onnx(folder / "a.onnx")
        (folder / "a.json").write_text(text)

    yield Seed("onnx", "bytes", "a.onnx", _read(load_lifter, "a.onnx", threads=1)), write
    yield Seed("onnx_card", "json", "a.json", _read(load_lifter, "a.onnx", threads=1)), write
