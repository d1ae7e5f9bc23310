"""Send poses to avatars by the VMC protocol, which VSeeFace, Warudo, Unity and Unreal read: OSC messages over UDP.

Axes are Unity's: left-handed, x to the right, y up, z ahead of a figure at rest, which stands like a T. Our axes with y
up are right-handed with x to the figure's left, so that x changes its sign.

Source: VMC protocol specification 2.7, https://protocol.vmc.info/english. Names of bones: Unity's `HumanBodyBones`.
"""

import contextlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from poselift.errors import FormatError, MissingExtraError, OutputError, install_hint
from poselift.formats.rigs import get_rig
from poselift.formats.rigs.figure import pose_rig
from poselift.geometry.rotation import shortest_arc
from poselift.sequence import CAMERA, Poses3D, from_y_up
from poselift.skeleton import Skeleton

PORT = 39539
"""Port on which receivers listen, unless they are told another."""
_ANKLE_M = 0.08
"""Height of an ankle above the ground."""
_REMEMBERED = 10
"""Poses to which rotations are fitted; more than one, so that the twist of straight limbs goes on as it was."""
_MIRROR = np.diag([-1.0, 1.0, 1.0])


@dataclass(frozen=True, eq=False)
class Humanoid:
    """An avatar's pose, in Unity's axes."""

    hips: np.ndarray
    """(3,) metres: place of the hips. Of poses in the world, where they are; else so high that the lower foot stands on
    the ground."""
    rotations: dict[str, np.ndarray]
    """By bone, parents first, its rotation against its parent, (4,) xyzw."""
    parents: dict[str, str | None]
    """By bone, the bone that it hangs from; None for the hips."""


def humanoid(xyz: np.ndarray, skeleton: Skeleton, path: np.ndarray | None = None) -> Humanoid:
    """Return the last of some successive poses as an avatar's, by the rig `unity` of `poselift.formats.rigs`.

    Args:
        xyz: (N, J, 3) joints relative to the pelvis, y up, right-handed, metres.
        skeleton: Joint order, with the joints of `H36M_17`.
        path: (3,) metres: place of the pelvis above the floor at y = 0, in the same axes; None where it is not known.

    Raises:
        SkeletonError: The skeleton has no single root that both hips hang from, or a limb lacks a joint.
    """
    from scipy.spatial.transform import Rotation  # takes 0.1 s to import

    figure = pose_rig(Poses3D(from_y_up(xyz, CAMERA), skeleton, 1.0), get_rig("unity"))
    local, parents = {}, dict[str, str | None]()
    for index, joint in enumerate(figure.joints):
        local[joint.name] = Rotation.from_matrix(_MIRROR @ figure.local(index)[-1] @ _MIRROR).as_quat()
        parents[joint.name] = figure.joints[joint.parent].name if joint.parent >= 0 else None
    if path is not None:
        return Humanoid(_MIRROR @ path, local, parents)
    lowest = min(xyz[-1, skeleton.index(f"{side}_ankle"), 1] for side in ("left", "right"))
    return Humanoid(np.array([0.0, _ANKLE_M - lowest, 0.0]), local, parents)


class VmcSender:
    """Sends one person's poses to a receiver: the one with the lowest number, until that one leaves.

    Frames that are gaps are not sent as poses: the message /VMC/Ext/OK says that nobody is tracked then.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = PORT) -> None:
        """Open a socket.

        Raises:
            MissingExtraError: python-osc is not installed.
            OutputError: There is no such host.
        """
        try:
            from pythonosc.udp_client import UDPClient
        except ImportError as error:
            raise MissingExtraError(f"sending to avatars needs python-osc; run: {install_hint('live')}") from error
        try:
            self._client = UDPClient(host, port)
        except OSError as error:
            raise OutputError(f"cannot send to {host}:{port} ({error.strerror}); wanted HOST:PORT (--vmc)") from error
        self._person: int | None = None
        self._remembered: deque[np.ndarray] = deque(maxlen=_REMEMBERED)

    def send(self, poses: Sequence[Poses3D], time_s: float) -> None:
        """Send the next frame.

        Args:
            poses: Everybody's pose, one frame each.
            time_s: Time of the frame in seconds.

        Raises:
            OutputError: The packet cannot be sent.
        """
        here = {pose.person: pose for pose in poses}
        if here and self._person not in here:
            self._person = next(iter(here))
            self._remembered.clear()
        pose = here.get(self._person)
        figure = None
        if pose is not None and not (pose.gap is not None and pose.gap[0]):
            self._remembered.append(_upright(pose))
            path = None if pose.path is None else pose.y_up(pose.path)[0]
            figure = humanoid(np.stack(self._remembered), pose.skeleton, path)
        try:
            with contextlib.suppress(ConnectionRefusedError):  # nobody listens yet, which UDP may say or not
                self._client.send(packet(figure, time_s))
        except OSError as error:
            raise OutputError(f"cannot send to the avatar ({error.strerror})") from error

    def close(self) -> None:
        """Close the socket."""
        self._client._sock.close()  # python-osc has no other way


def _upright(pose: Poses3D) -> np.ndarray:
    """Return joints (J, 3) with y up: away from the ground, where the lifter says where that is."""
    xyz = pose.y_up()[0]
    if pose.up is None:
        return xyz
    return xyz @ shortest_arc(pose.y_up(pose.up)[0], np.array([0.0, 1.0, 0.0])).T


def packet(figure: Humanoid | None, time_s: float):  # type: ignore[no-untyped-def]  # python-osc is imported late
    """Return the bundle of a frame, an `OscBundle`; without a figure, nobody is tracked."""
    from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
    from pythonosc.osc_message_builder import OscMessageBuilder

    bundle = OscBundleBuilder(IMMEDIATELY)

    def add(address: str, *values: int | float | str) -> None:
        message = OscMessageBuilder(address)
        for value in values:
            message.add_arg(value)
        bundle.add_content(message.build())

    add("/VMC/Ext/OK", 1, 3, 0, int(figure is not None))  # loaded, calibrated, in the usual way, tracked or not
    add("/VMC/Ext/T", float(time_s))
    if figure is not None:
        add("/VMC/Ext/Root/Pos", "root", *([0.0] * 6), 1.0)
        for name, xyzw in figure.rotations.items():
            place = figure.hips if name == "Hips" else np.zeros(3)
            add("/VMC/Ext/Bone/Pos", name, *map(float, place), *map(float, xyzw))
    return bundle.build()


def address(text: str) -> tuple[str, int]:
    """Return host and port of `HOST:PORT`, `HOST` or `PORT`.

    Raises:
        FormatError: It is none of these.
    """
    host, _, port = text.rpartition(":") if ":" in text else ("", "", text) if text.isdigit() else (text, "", str(PORT))
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise FormatError(f"wanted HOST:PORT, such as 127.0.0.1:{PORT}, got {text!r}")
    return host or "127.0.0.1", int(port)
