import ast
import io
import json
import re
from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from poselift.cli import main
from poselift.datasets.clip import BenchmarkClip, BenchmarkSet
from poselift.datasets.mocap import load_mocap
from poselift.doctor import Finding, diagnose, doctor, report, worst
from poselift.errors import FormatError, OutputExistsError
from poselift.formats import write_keypoints
from poselift.measure.mocap import MocapProtocol, clip_cameras, exact_keypoints
from poselift.read import read_keypoints
from poselift.sequence import Keypoints2D
from poselift.skeleton import BODY_25B, COCO_17, H36M_17, SKELETONS

DEMO = Path(str(resources.files("poselift") / "data" / "demo.npz"))


def run(*inputs, **kind) -> tuple[int, str]:
    console = Console(file=io.StringIO(), width=200)
    return doctor(inputs, console=console, **kind), console.file.getvalue()


def errors(findings: list[Finding]) -> set[str]:
    return {finding.check for finding in findings if finding.severity == "error"}


def test_the_demo_clip_is_healthy():
    assert run(DEMO) == (0, f"{DEMO}: nothing is wrong\n")
    assert diagnose(read_keypoints(DEMO)[0]) == []


@pytest.fixture(scope="module")
def lasting() -> Keypoints2D:
    """The demo clip, there and back again four times: 456 frames, enough for the feet to tell the sides."""
    (person,) = read_keypoints(DEMO)
    frames = np.tile([*range(58), *range(56, 0, -1)], 4)
    return person.with_frames(person.xy[frames], person.confidence[frames], person.fps)


FAULTS = {
    "sides": lambda k, swap: swap(k),
    "up": lambda k, swap: replace(k, xy=k.xy * (1, -1) + (0, 900)),
    "units": lambda k, swap: replace(k, xy=k.xy / np.array(k.image_size or (1088, 1920))),
    "order": lambda k, swap: reordered(k, np.random.default_rng(2).permutation(len(k.skeleton))),
}


def reordered(k: Keypoints2D, order: np.ndarray) -> Keypoints2D:
    return replace(k, xy=k.xy[:, order], confidence=None if k.confidence is None else k.confidence[:, order])


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_planted_in_the_demo_clip_are_found(fault, exchanged, lasting):
    findings = diagnose(FAULTS[fault](lasting, exchanged))
    assert fault in errors(findings)
    assert worst(findings) == "error" == findings[0].severity
    assert fault == "sides" or "sides" not in errors(findings)  # nothing is said of sides where joints are elsewhere


def real_samples(shared: Path) -> dict[str, Keypoints2D]:
    with np.load(shared / "data" / "pose2sim_cams_1_3.npz") as archive:
        size = tuple(archive["image_wh"].tolist())
        made = {
            f"{key} {camera}": Keypoints2D(found[..., :2], found[..., 2], skeleton, 60.0, size)
            for key, skeleton in (("kp2d_body25b", BODY_25B), ("kp2d17", H36M_17))
            for camera, found in enumerate(archive[key])
        }
    people = read_keypoints(shared / "data" / "openpose_cam01", fps=60)
    return made | {f"openpose {number}": person for number, person in enumerate(people)}


@pytest.mark.shared
def test_real_samples_pass_and_faults_planted_in_them_are_found(shared, exchanged):
    samples = real_samples(shared)
    assert len(samples) >= 5
    for name, person in samples.items():
        assert errors(diagnose(person)) == set(), name
        if name == "openpose 1":  # someone in the background, half seen
            continue
        for fault, plant in FAULTS.items():
            assert fault in errors(diagnose(plant(person, exchanged))), (name, fault)
        if person.skeleton == H36M_17:
            assert "order" in errors(diagnose(replace(person, skeleton=COCO_17))), name


@pytest.mark.shared
def test_mocap_seen_by_cameras_passes_and_faults_planted_in_it_are_found(shared, exchanged):
    protocol = MocapProtocol(cameras=1, seed=3)
    found: dict[str, list[bool]] = {fault: [] for fault in FAULTS}
    for clip in load_mocap(shared / "data" / "mocap17.npz", split="dev")[::3]:
        part = replace(clip, xyz=clip.xyz[:150])
        seen = exact_keypoints(part, clip_cameras(part, protocol)[0])
        assert errors(diagnose(seen)) == set(), clip.name
        for fault, plant in FAULTS.items():
            found[fault].append(fault in errors(diagnose(plant(seen, exchanged))))
    assert len(found["up"]) >= 8
    assert np.mean(found["sides"]) > 0.6
    assert np.mean(found["order"]) > 0.8
    assert np.mean(found["up"]) > 0.8
    assert np.mean(found["units"]) == 1


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1), st.sampled_from(sorted(SKELETONS)), st.integers(1, 60), st.floats(0, 1))
def test_nothing_breaks_it(seed, name, frames, missing):
    rng = np.random.default_rng(seed)
    skeleton = SKELETONS[name]
    xy = rng.normal(500, 100, (1, len(skeleton), 2)) + rng.normal(0, 10, (frames, len(skeleton), 2)).cumsum(0)
    xy[rng.random(xy.shape[:2]) < missing] = np.nan
    xy[:, rng.random(len(skeleton)) < missing / 2] = np.nan
    confidence = None if seed % 2 else rng.random(xy.shape[:2])
    for finding in diagnose(Keypoints2D(xy, confidence, skeleton, 30.0, (1000, 1000))):
        assert finding.severity in ("error", "warning", "info")


NONSENSE = FAULTS | {
    "none": lambda k, swap: k,
    "(y, x)": lambda k, swap: replace(k, xy=k.xy[..., ::-1]),
    "one point": lambda k, swap: replace(k, xy=np.full_like(k.xy, 300)),
    "zeros": lambda k, swap: replace(k, xy=np.zeros_like(k.xy)),
    "noise": lambda k, swap: replace(k, xy=np.random.default_rng(0).uniform(0, 900, k.xy.shape)),
    "jumps": lambda k, swap: replace(k, xy=k.xy + 5000 * np.arange(len(k))[:, None, None]),
    "gap": lambda k, swap: replace(k, xy=np.where(np.arange(len(k))[:, None, None] < 12, k.xy, np.nan)),
    "one joint": lambda k, swap: replace(k, xy=np.where(np.arange(33)[:, None] == 5, k.xy, np.nan)),
    "arms exchanged": lambda k, swap: swap(k, ("shoulder", "elbow", "wrist")),
}


@pytest.mark.parametrize("fault", NONSENSE)
@pytest.mark.parametrize("scored", [True, False])
def test_lifting_says_what_the_doctor_says(fault, scored, exchanged, lasting, tmp_path, capsys, monkeypatch):
    """Errors and warnings, for the same keypoints, however they were read."""
    wrong = NONSENSE[fault](lasting if scored else replace(lasting, confidence=None), exchanged)
    for reader in ("poselift.cli.lifting.read_everyone", "poselift.doctor.read_keypoints"):
        monkeypatch.setattr(reader, lambda *_, **__: (wrong,))
    found = [finding for finding in diagnose(wrong) if finding.severity != "info"]
    assert bool(found) == (fault != "none")
    lifted = main(["lift", "clip.npz", "-o", str(tmp_path / "out"), "--formats", "npz"])
    by_lift = "".join(capsys.readouterr().err.split())
    assert main(["doctor", "clip.npz"]) == lifted == int(worst(found) == "error")
    by_doctor = "".join(capsys.readouterr().out.split())
    assert (tmp_path / "out").exists() == (lifted == 0)
    for finding in found:
        said = f"{finding.severity}{finding.check}:{finding.wrong}then:{finding.effect}advice:{finding.advice}"
        assert "".join(said.split()) in by_lift and "".join(said.split()) in by_doctor
    assert by_lift.count("advice:") == len(found)


def test_it_draws_everyone(tmp_path):
    status, said = run(DEMO, out=tmp_path / "new")
    assert status == 0
    assert f"drawn: {tmp_path / 'new' / 'demo.svg'}" in said
    assert (tmp_path / "new" / "demo.svg").read_text("utf-8").startswith("<svg")
    with pytest.raises(OutputExistsError):
        run(DEMO, out=tmp_path / "new")
    run(DEMO, out=tmp_path / "new", force=True)


def test_a_file_that_claims_a_wrong_order_is_told_of_and_drawn(tmp_path, stroll):
    path = tmp_path / "clip.npz"
    write_keypoints(replace(stroll().keypoints, skeleton=COCO_17), path)
    status, said = run(path, out=tmp_path)
    assert status == 1
    assert "error" in said and "look like H36M_17" in said
    assert "H36M_17, frame" in (tmp_path / "clip.svg").read_text("utf-8")
    assert run(path, skeleton="H36M_17") == (0, run(path, skeleton="H36M_17")[1])
    assert run(path, skeleton="COCO_17")[0] == 1


def test_a_file_without_its_rate_is_looked_at_all_the_same(tmp_path, exchanged, caplog, lasting):
    person = lasting
    shuffled = reordered(person, np.random.default_rng(2).permutation(33))
    for name, clip in (("right", person), ("exchanged", exchanged(person)), ("shuffled", shuffled)):
        np.savez(tmp_path / f"{name}.npz", xy=clip.xy, image_size=clip.image_size)
    caplog.set_level("INFO")
    status, said = run(tmp_path / "right.npz")
    assert status == 0
    assert "right.npz: 2 info" in said  # there are no scores either
    assert caplog.text.count("are taken to be MEDIAPIPE_33") == 1
    assert "rate: the frame rate is not known" in said and "advice: give the rate with --fps" in said
    assert "rate: " not in run(tmp_path / "right.npz", fps=30)[1]
    status, said = run(tmp_path / "exchanged.npz")
    assert status == 1 and "left and right are probably exchanged" in said
    status, said = run(tmp_path / "shuffled.npz", out=tmp_path)
    assert status == 1 and "do not look like a person" in said and (tmp_path / "shuffled.svg").is_file()


def test_what_needs_the_rate_is_not_looked_at_without_it(stroll, exchanged):
    keypoints = stroll(turn_deg=0, noise=5).keypoints
    xy = keypoints.xy.copy()
    xy[20:25] = exchanged(keypoints).xy[20:25]
    said = {finding.check for finding in diagnose(replace(keypoints, xy=xy))}
    assert said >= {"swaps", "jitter", "confidence"}
    unknown = diagnose(replace(keypoints, xy=xy), rate_known=False)
    assert [(finding.severity, finding.check) for finding in unknown] == [("info", "rate"), ("info", "confidence")]
    assert "not known" in unknown[0].wrong


def test_advice_names_flags_that_exist(capsys):
    """Each flag is one of the doctor's, or of lift's."""
    flags = set()
    files = Path(str(resources.files("poselift")))
    for path in [*(files / "doctor").glob("*.py"), *(files / "checks").glob("*.py")]:
        nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
        remarks = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        said = [node.value for node in nodes if isinstance(node, ast.Constant) and id(node) not in remarks]
        flags |= set(re.findall(r"--[a-z-]+", " ".join(map(str, said))))
    assert flags >= {"--skeleton", "--fps", "--image-size", "--out", "--gaps"}
    for verb in ("doctor", "lift"):
        with pytest.raises(SystemExit):
            main([verb, "--help"])
    assert flags <= set(re.findall(r"--[a-z-]+", capsys.readouterr().out))


def test_what_cannot_be_read_is_an_error(tmp_path):
    (tmp_path / "broken.json").write_text(json.dumps({"what": 1}))
    for name in ("broken.json", "none.npz"):
        status, said = run(tmp_path / name, DEMO)
        assert status == 1
        assert "file: " in said and "nothing is wrong" in said
        assert "advice: do what the message says" in said
    with pytest.raises(FormatError, match="nothing to look at"):
        run()


def test_a_data_set_is_looked_at(tmp_path, stroll):
    made = stroll()
    clip = BenchmarkClip("S1", "W", "W 1", "c", made.keypoints, made.xyz, H36M_17, np.ones(150, bool))
    assert run(BenchmarkSet("good set", [clip], {}))[0] == 0
    bad = BenchmarkSet("bad set", [replace(clip, xyz=1000 * clip.xyz)], {})
    status, said = run(bad, out=tmp_path)
    assert status == 1 and "bad set: 1 error, 1 info" in said and "millimetres" in said
    assert (tmp_path / "bad set.svg").is_file()


def test_the_report_says_all(stroll):
    finding = Finding("warning", "rate", "too [fast]", "it is wrong", "give --fps", "person 2")
    console = Console(file=io.StringIO(), width=120)
    console.print(report("clip [1]", [Finding("info", "picture", "a", "b", "c"), finding]))
    said = console.file.getvalue()
    for words in (
        "clip [1]: 1 warning, 1 info",
        "rate: too [fast]",
        "in person 2",
        "then: it is wrong",
        "advice: give --fps",
    ):
        assert words in said
    assert said.index("too [fast]") < said.index("picture")
    assert worst([finding]) == "warning" and worst([]) is None
