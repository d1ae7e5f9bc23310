"""Write GLB files (glTF 2.0, binary): a figure with a body to look at, and its motion; and VRM animations (VRMA).

The figure is at rest in the nodes, without rotations; the body is a skin on it. What is known of the poses besides is
in `extras.poselift` of the asset. glTF has y up, metres, and figures that face +z, as `poselift.formats.rigs` has.
"""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from poselift.formats.rigs import get_rig
from poselift.formats.rigs.figure import Figure, pose_rig
from poselift.formats.rigs.mesh import body_mesh
from poselift.formats.rigs.notes import knowledge_of
from poselift.geometry.rotation import xyzw_path
from poselift.sequence import Poses3D
from poselift.version import __version__

_MAGIC, _JSON, _BIN = 0x46546C67, 0x4E4F534A, 0x004E4942
_KINDS = {"<f4": 5126, "|u1": 5121, "<u2": 5123}
_SHAPES = {1: "SCALAR", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
_VERTICES, _CORNERS = 34962, 34963
_COLORS = {"middle": (0.62, 0.65, 0.70), "left": (0.16, 0.43, 0.75), "right": (0.80, 0.36, 0.20)}
_STILL = 1e-6
_VRMA = "VRMC_vrm_animation"


def write_glb(poses: Poses3D, path: Path, *, rig: str = "poselift") -> None:
    """Write poses as an animated figure with a simple body, in metres.

    A figure of the rig `vrm` is a VRM animation as well.

    Args:
        poses: Joints of a skeleton with all joints of arms and legs.
        path: Path of the file; an existing file is overwritten.
        rig: Name of the figure, one of `poselift.formats.rigs.RIGS`.

    Raises:
        FormatError: There is no such rig.
        SkeletonError: A limb of the skeleton lacks a joint.
        OSError: The file cannot be written.
    """
    _write(_Document(pose_rig(poses, get_rig(rig))), path)


def write_vrma(poses: Poses3D, path: Path) -> None:
    """Write poses as a VRM animation (VRMA 1.0): the humanoid bones of VRM and their motion, without a body.

    The errors are those of `write_glb`; the rig is always `vrm`.
    """
    _write(_Document(pose_rig(poses, get_rig("vrm")), body=False), path)


class _Document:
    """The JSON of a file, and the numbers that it refers to."""

    def __init__(self, figure: Figure, *, body: bool = True) -> None:
        self.figure = figure
        self.binary = bytearray()
        known = {"unit": "m", **knowledge_of(figure)}
        self.json: dict[str, Any] = {
            "asset": {"version": "2.0", "generator": f"poselift {__version__}", "extras": {"poselift": known}},
            "scene": 0,
            "scenes": [{"name": "poselift", "nodes": [0]}],
            "nodes": [],
            "accessors": [],
            "bufferViews": [],
        }
        self._nodes()
        if body:
            self._body()
        self._animation()
        if figure.rig.name == "vrm":
            self._humanoid()
        self.json["buffers"] = [{"byteLength": len(self.binary)}]

    def _nodes(self) -> None:
        """Add a node a joint, at rest: node 0 is the root."""
        for joint, offset in zip(self.figure.joints, self.figure.offset, strict=True):
            at = joint.rest if joint.parent < 0 else offset
            node: dict[str, Any] = {"name": joint.name, "translation": _rounded(at)}
            if joint.children:
                node["children"] = joint.children
            self.json["nodes"].append(node)

    def _body(self) -> None:
        """Add the body: a mesh with a material for the middle and each side, skinned to the joints."""
        mesh, count = body_mesh(self.figure), len(self.figure.joints)
        attributes = {
            "POSITION": self._add(mesh.points, bounds=True, target=_VERTICES),
            "NORMAL": self._add(mesh.normals, target=_VERTICES),
            "JOINTS_0": self._add(mesh.joints, target=_VERTICES),
            "WEIGHTS_0": self._add(mesh.weights, target=_VERTICES),
        }
        self.json["materials"] = [
            {
                "name": name,
                "pbrMetallicRoughness": {
                    "baseColorFactor": [*color, 1.0], "metallicFactor": 0.0, "roughnessFactor": 0.7,
                },
            }
            for name, color in _COLORS.items()
        ]  # fmt: skip
        primitives = [
            {"attributes": attributes, "indices": self._add(corners.ravel(), target=_CORNERS), "material": number}
            for number, corners in enumerate(mesh.triangles.values())
        ]
        self.json["meshes"] = [{"name": "body", "primitives": primitives}]
        inverse = np.tile(np.eye(4, dtype=np.float32), (count, 1, 1))
        inverse[:, 3, :3] = -np.array([joint.rest for joint in self.figure.joints])  # column by column, as glTF has it
        self.json["skins"] = [
            {"joints": list(range(count)), "skeleton": 0, "inverseBindMatrices": self._add(inverse.reshape(-1, 16))}
        ]
        self.json["nodes"].append({"name": "body", "mesh": 0, "skin": 0})
        self.json["scenes"][0]["nodes"].append(count)

    def _animation(self) -> None:
        """Add the motion: where the root is, and how every joint turns that turns at all."""
        figure, fps = self.figure, self.figure.poses.fps
        times = self._add((np.arange(len(figure.poses)) / fps).astype(np.float32), bounds=True)
        channels: list[dict[str, Any]] = []
        samplers: list[dict[str, Any]] = []

        def animate(node: int, what: str, values: np.ndarray) -> None:
            channels.append({"sampler": len(samplers), "target": {"node": node, "path": what}})
            samplers.append({"input": times, "interpolation": "LINEAR", "output": self._add(values)})

        animate(0, "translation", figure.joints[0].place.astype(np.float32))
        for index in range(len(figure.joints)):
            turns = xyzw_path(figure.local(index)).astype(np.float32)
            if np.ptp(turns, axis=0).max() > _STILL:
                animate(index, "rotation", turns)
            elif abs(turns[0, 3]) < 1 - _STILL:
                self.json["nodes"][index]["rotation"] = _rounded(turns[0])
        self.json["animations"] = [{"name": "motion", "channels": channels, "samplers": samplers}]

    def _humanoid(self) -> None:
        bones = {joint.name: {"node": index} for index, joint in enumerate(self.figure.joints)}
        self.json["extensionsUsed"] = [_VRMA]
        self.json["extensions"] = {_VRMA: {"specVersion": "1.0", "humanoid": {"humanBones": bones}}}

    def _add(self, array: np.ndarray, *, bounds: bool = False, target: int | None = None) -> int:
        """Add numbers to the file; returns the index of their accessor."""
        array = np.ascontiguousarray(array)
        kind = array.dtype.newbyteorder("<").str if array.dtype.itemsize > 1 else array.dtype.str
        data = array.astype(kind).tobytes()
        view: dict[str, Any] = {"buffer": 0, "byteOffset": len(self.binary), "byteLength": len(data)}
        if target is not None:
            view["target"] = target
        self.binary += data + bytes(-len(data) % 4)
        self.json["bufferViews"].append(view)
        columns = array.shape[1] if array.ndim == 2 else 1
        accessor: dict[str, Any] = {
            "bufferView": len(self.json["bufferViews"]) - 1, "componentType": _KINDS[kind], "count": len(array),
            "type": _SHAPES[columns],
        }  # fmt: skip
        if bounds:
            rows = array.reshape(len(array), columns)
            accessor |= {"min": rows.min(0).tolist(), "max": rows.max(0).tolist()}
        self.json["accessors"].append(accessor)
        return len(self.json["accessors"]) - 1


def _write(document: _Document, path: Path) -> None:
    text = json.dumps(document.json, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    size = 12 + 8 + len(text) + 8 + len(document.binary)
    with path.open("wb") as file:
        file.write(struct.pack("<III", _MAGIC, 2, size))
        for kind, data in ((_JSON, text), (_BIN, document.binary)):
            file.write(struct.pack("<II", len(data), kind))
            file.write(data)


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 6) + 0.0 for value in values]
