import numpy as np
import rotations
from scipy.spatial.transform import Rotation

from poselift.skeleton import BODY_27


def archive_of(acrobat, seeds) -> dict[str, np.ndarray]:
    """An archive of motion capture of people whose rotations are known."""
    people = [acrobat(seed, 40, BODY_27) for seed in seeds]
    heads = [Rotation.from_matrix(frames["head"]).as_quat() for _, frames in people]
    return {
        "pose": np.concatenate([poses.y_up() for poses, _ in people]), "head_quat": np.concatenate(heads),
        "offsets": np.arange(len(people) + 1) * 40, "split": np.full(len(people), "dev"), "fps": np.float32(50),
        "known": np.ones((len(people), 27), bool), "names": np.arange(len(people)).astype(str),
    }  # fmt: skip


def test_what_is_printed_is_what_was_put_in(acrobat):
    archive = archive_of(acrobat, range(2))
    said = rotations.measure(archive)
    assert said["head of 27 joints"].startswith("median 0.0") and said["head of 27 joints"].endswith("(80 values)")
    assert said["axes of elbows"].endswith("(160 values)")
    turned = Rotation.from_euler("y", 30, degrees=True)
    archive["head_quat"] = (Rotation.from_quat(archive["head_quat"]) * turned).as_quat()
    assert rotations.measure(archive)["head of 27 joints"].startswith(("median 30.0", "median 29.9"))


def test_a_hinge_that_wanders_is_seen(acrobat):
    figure = rotations.pose_rig(acrobat(0, 40, BODY_27)[0], rotations.RIGS["mixamo"])
    assert rotations.off_axis_deg(figure, "lower_arm").max() < 3
    for joint in figure.joints:
        if joint.part == "upper_arm":
            twist = Rotation.from_rotvec(np.radians(np.linspace(-40, 40, 40))[:, None] * [1, 0, 0])
            joint.world = joint.world @ twist.as_matrix()
    assert rotations.off_axis_deg(figure, "lower_arm").max() > 20
    assert rotations.beyond_bone_deg(figure).shape == (39, len(figure.joints))


def test_files_are_written_and_measured(acrobat):
    said = rotations.measure_writing(archive_of(acrobat, [0]), 30)
    assert len(said) == 4
    assert all(words.endswith(" MB") for words in said.values())


def test_what_shows_a_turn_is_said(acrobat):
    """A whirl is shown by the hips and carries the rest along; an elbow is told from nothing."""
    figure = rotations.pose_rig(acrobat(0, 40, BODY_27)[0], rotations.RIGS["mixamo"])
    index = {joint.name.rpartition(":")[2]: number for number, joint in enumerate(figure.joints)}
    whirl = Rotation.from_rotvec(np.radians(15) * np.arange(40)[:, None] * [0, 1, 0]).as_matrix()
    for joint in figure.joints:
        joint.world = whirl @ joint.world
    beyond = np.zeros((39, len(figure.joints)))
    for name in ("Hips", "Head", "LeftArm"):
        beyond[5, index[name]] = 11
    found = rotations.shown_by(figure, beyond)
    assert found == {
        "the hips, which turn so": 1, "the bone above, which turns so": 1,
        "an elbow or a knee, bent by more than 20 degrees": 1,
    }  # fmt: skip
    for joint in figure.joints:
        joint.world = np.repeat(joint.world[:1], 40, axis=0)  # nobody moves, and elbows are straight
    figure.joints[index["LeftForeArm"]].world = figure.joints[index["LeftArm"]].world
    found = rotations.shown_by(figure, beyond)
    assert (found["nothing"], found["one that is bent less"]) == (1, 1)
