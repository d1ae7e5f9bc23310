"""Poses sent to avatars: packets are read back by a parser of our own, and by python-osc's server."""

import socket
import struct
import threading

import numpy as np
import pytest

import poselift as pl
from poselift.errors import FormatError
from poselift.live.vmc import VmcSender, address, humanoid, packet

pytest.importorskip("pythonosc", reason="needs the live extra")
from pythonosc.dispatcher import Dispatcher
from pythonosc.osc_server import BlockingOSCUDPServer
from scipy.spatial.transform import Rotation

UNITY = np.diag([-1.0, 1.0, 1.0])
"""From right-handed axes with y up, x to the left of a figure that looks along z, to Unity's."""
REST = {
    "UpperArm": (1, 0, 0),
    "LowerArm": (1, 0, 0),
    "UpperLeg": (0, -1, 0),
    "LowerLeg": (0, -1, 0),
    "Spine": (0, 1, 0),
}
"""Where bones of the right side point on an avatar that stands like a T, in Unity's axes: the right hand is at +x."""
ENDS = {
    "UpperArm": ("shoulder", "elbow"),
    "LowerArm": ("elbow", "wrist"),
    "UpperLeg": ("hip", "knee"),
    "LowerLeg": ("knee", "ankle"),
}


def read_string(data, at):
    end = data.index(b"\0", at)
    return data[at:end].decode(), at + (end - at) // 4 * 4 + 4


def read_message(data):
    """Address and arguments of an OSC 1.0 message."""
    address, at = read_string(data, 0)
    tags, at = read_string(data, at)
    found = []
    for tag in tags[1:]:
        if tag == "s":
            value, at = read_string(data, at)
        else:
            (value,), at = struct.unpack_from({"f": ">f", "i": ">i"}[tag], data, at), at + 4
        found.append(value)
    assert at == len(data)
    return address, found


def read_bundle(data):
    """Messages of an OSC 1.0 bundle."""
    assert data[:8] == b"#bundle\0"
    at, messages = 16, []
    while at < len(data):
        (size,) = struct.unpack_from(">i", data, at)
        messages.append(read_message(data[at + 4 : at + 4 + size]))
        at += 4 + size
    return messages


def pose_of(xyz, **others):
    """A pose in camera axes, facing the camera, of joints with z up that look along +y, as the fixtures do."""
    camera = np.stack([-xyz[:, 0], -xyz[:, 2], -xyz[:, 1]], -1)
    return pl.Poses3D((camera - camera[0])[None], "H36M_17", 50.0, "turned_camera", **others)


@pytest.fixture
def waving(body):
    """A standing person with a raised right arm and a bent left knee."""
    moved = body.copy()
    index = pl.H36M_17.index
    shoulder = moved[index("right_shoulder")]
    moved[index("right_elbow")] = shoulder + (0.2, 0.05, 0.2)
    moved[index("right_wrist")] = shoulder + (0.25, 0.2, 0.4)
    moved[index("left_knee")] = moved[index("left_hip")] + (0, 0.3, -0.33)
    moved[index("left_ankle")] = moved[index("left_knee")] + (0, -0.2, -0.37)
    return moved


def test_a_receiver_that_turns_its_bones_gets_the_pose(waving):
    """The avatar's limbs, by the rotations in the packet alone, point where the person's do."""
    pose = pose_of(waving)
    figure = humanoid(pose.y_up(), pose.skeleton)
    messages = read_bundle(packet(figure, 1.5).dgram)
    assert messages[0] == ("/VMC/Ext/OK", [1, 3, 0, 1])
    assert messages[1] == ("/VMC/Ext/T", [1.5])
    assert messages[2] == ("/VMC/Ext/Root/Pos", ["root", 0, 0, 0, 0, 0, 0, 1])
    bones = {values[0]: values[1:] for where, values in messages if where == "/VMC/Ext/Bone/Pos"}
    assert {"Hips", "Spine", "Chest", "Neck", "Head", "LeftShoulder", "RightHand", "LeftFoot"} <= set(bones)
    world = {}
    for bone, parent in figure.parents.items():
        before = world[parent] if parent else Rotation.identity()
        world[bone] = before * Rotation.from_quat(bones[bone][3:])
    points = pose.y_up()[0] @ UNITY
    for side, sign in (("Left", -1), ("Right", 1)):
        for part, (first, last) in ENDS.items():
            rest = np.array(REST[part]) * (sign, 1, 1)
            ends = [points[pl.H36M_17.index(f"{side.lower()}_{joint}")] for joint in (first, last)]
            along = (ends[1] - ends[0]) / np.linalg.norm(ends[1] - ends[0])
            np.testing.assert_allclose(world[side + part].apply(rest), along, atol=1e-5, err_msg=side + part)
    across = points[pl.H36M_17.index("right_hip")] - points[pl.H36M_17.index("left_hip")]
    np.testing.assert_allclose(world["Hips"].apply([1, 0, 0]), across / np.linalg.norm(across), atol=1e-5)
    lowest = points[[pl.H36M_17.index(f"{side}_ankle") for side in ("left", "right")], 1].min()
    np.testing.assert_allclose(bones["Hips"][:3], [0, 0.08 - lowest, 0], atol=1e-6)


def test_somebody_who_faces_the_camera_stands_as_the_avatar_does(body):
    """The packet's rotations are small for an upright person with hanging arms, except at the arms, which hang."""
    pose = pose_of(body)
    figure = humanoid(pose.y_up(), pose.skeleton)
    for name in ("Hips", "Spine", "Chest", "Neck", "Head", "LeftUpperLeg", "RightUpperLeg"):
        angle = np.degrees(Rotation.from_quat(figure.rotations[name]).magnitude())
        assert angle < 15, name
    for name, sign in (("LeftUpperArm", 1), ("RightUpperArm", -1)):
        turn = Rotation.from_quat(figure.rotations[name])
        assert turn.apply([-sign, 0, 0])[1] < -0.9, name
    assert figure.hips[1] == pytest.approx(0.95, abs=0.05)


def test_a_server_of_python_osc_reads_every_message(waving):
    found, done = [], threading.Event()
    dispatcher = Dispatcher()
    dispatcher.set_default_handler(lambda where, *values: (found.append((where, values)), done.set()))
    with BlockingOSCUDPServer(("127.0.0.1", 0), dispatcher) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        sender = VmcSender("127.0.0.1", server.server_address[1])
        sender.send([pose_of(waving, person=3)], 0.5)
        thread.join(10)
        sender.close()
    assert done.is_set()
    count = len(humanoid(pose_of(waving).y_up(), pl.H36M_17).parents)
    assert [where for where, _ in found] == ["/VMC/Ext/OK", "/VMC/Ext/T", "/VMC/Ext/Root/Pos"] + count * [
        "/VMC/Ext/Bone/Pos"
    ]
    assert all(len(values) == 8 for where, values in found if where == "/VMC/Ext/Bone/Pos")


def test_one_person_is_followed_and_gaps_are_not_sent(body, waving):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(10)
        sender = VmcSender(*receiver.getsockname())

        def sent(*poses):
            sender.send(poses, 0.0)
            messages = read_bundle(receiver.recv(65536))
            bones = {values[0]: values[4:] for where, values in messages if where == "/VMC/Ext/Bone/Pos"}
            return messages[0][1][3], bones

        first, second = pose_of(body, person=1), pose_of(waving, person=2)
        _, alone = sent(first)
        tracked, both = sent(first, second)
        assert tracked == 1
        np.testing.assert_allclose(both["RightUpperArm"], alone["RightUpperArm"], atol=1e-5)
        _, other = sent(second)
        assert np.abs(np.subtract(other["RightUpperArm"], alone["RightUpperArm"])).max() > 0.3
        assert sent(pose_of(waving, person=2, gap=np.array([True]))) == (0, {})
        assert sent() == (0, {})
        sender.close()


def test_up_sets_the_avatar_upright(body):
    tilt = Rotation.from_euler("x", 25, degrees=True)
    pose = pose_of(body)
    leaning = pl.Poses3D(
        tilt.apply(pose.xyz[0]).astype(np.float32)[None], "H36M_17", 50.0, "turned_camera",
        up=tilt.apply([[0.0, -1.0, 0.0]]),
    )  # fmt: skip
    from poselift.live.vmc import _upright

    np.testing.assert_allclose(_upright(leaning), pose.y_up()[0], atol=1e-5)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("127.0.0.1:39540", ("127.0.0.1", 39540)),
        ("39540", ("127.0.0.1", 39540)),
        ("studio", ("studio", 39539)),
        (":1", ("127.0.0.1", 1)),
    ],
)
def test_addresses(text, wanted):
    assert address(text) == wanted


@pytest.mark.parametrize("text", ["a:b", "host:", "1.2.3.4:70000", "0"])
def test_no_addresses(text):
    with pytest.raises(FormatError, match="wanted HOST:PORT"):
        address(text)


def test_in_the_world_the_hips_go_where_the_person_goes(waving):
    placed = pl.Poses3D((waving - waving[0])[None], "H36M_17", 50.0, "world", path=np.array([[0.5, 2.0, 0.9]]))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(10)
        sender = VmcSender("127.0.0.1", receiver.getsockname()[1])
        sender.send([placed], 0.0)
        sender.close()
        messages = {found[0]: found for name, found in read_bundle(receiver.recv(65536)) if "Bone" in name}
    # z up to y up: x stays, y becomes the height, and away from the camera is -z; Unity's x is mirrored
    assert messages["Hips"][1:4] == pytest.approx([-0.5, 0.9, -2.0], abs=1e-6)
