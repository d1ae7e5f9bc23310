import json
import struct
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from poselift import __version__
from poselift.errors import SkeletonError
from poselift.formats import save_poses
from poselift.formats.rigs import RIGS
from poselift.formats.rigs.figure import pose_rig
from poselift.geometry.kinematics import forward_kinematics
from poselift.sequence import Poses3D
from poselift.skeleton import BODY_27, H36M_17, Skeleton

REQUIRED = (
    "hips spine head leftUpperArm leftLowerArm leftHand rightUpperArm rightLowerArm rightHand leftUpperLeg "
    "leftLowerLeg leftFoot rightUpperLeg rightLowerLeg rightFoot"
).split()
"""The bones that a VRM humanoid must have."""


def chunks(path) -> tuple[dict, bytes]:
    """The JSON and the numbers of a file, after checking the container."""
    raw = path.read_bytes()
    magic, version, size = struct.unpack("<4sII", raw[:12])
    assert (magic, version, size) == (b"glTF", 2, len(raw))
    found, at = {}, 12
    while at < len(raw):
        length, kind = struct.unpack("<I4s", raw[at : at + 8])
        assert length % 4 == 0
        found[kind] = raw[at + 8 : at + 8 + length]
        at += 8 + length
    assert list(found) == [b"JSON", b"BIN\0"]
    return json.loads(found[b"JSON"]), found[b"BIN\0"]


def numbers(gltf, binary: bytes, index: int) -> np.ndarray:
    """The rows of an accessor of pygltflib."""
    accessor = gltf.accessors[index]
    view = gltf.bufferViews[accessor.bufferView]
    kind = {5126: "<f4", 5121: "|u1", 5123: "<u2"}[accessor.componentType]
    width = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}[accessor.type]
    flat = np.frombuffer(binary, kind, accessor.count * width, view.byteOffset)
    return flat.reshape(accessor.count, width)


@pytest.mark.parametrize("rig", RIGS)
def test_another_program_reads_the_same_positions(acrobat, tmp_path, rig):
    pygltflib = pytest.importorskip("pygltflib", reason="pygltflib is not installed")
    poses, _ = acrobat(7, 20, BODY_27, path=np.linspace((0, 0, 4), (1, 0, 4), 20))
    save_poses(poses, tmp_path / "clip.glb", rig=rig)
    gltf = pygltflib.GLTF2().load_binary(tmp_path / "clip.glb")
    figure, binary = pose_rig(poses, RIGS[rig]), gltf.binary_blob()
    joints = gltf.skins[0].joints
    parents = {child: number for number, node in enumerate(gltf.nodes) for child in node.children or ()}
    translations = np.repeat(np.array([gltf.nodes[joint].translation for joint in joints])[None], 20, axis=0)
    local = np.broadcast_to(np.eye(3), (20, len(joints), 3, 3)).copy()
    (animation,) = gltf.animations
    for channel in animation.channels:
        sampler = animation.samplers[channel.sampler]
        values, joint = numbers(gltf, binary, sampler.output), channel.target.node
        np.testing.assert_allclose(numbers(gltf, binary, sampler.input)[:, 0], np.arange(20) / 50, atol=1e-6)
        if channel.target.path == "translation":
            translations[:, joint] = values
        else:
            assert ((values[1:] * values[:-1]).sum(1) > 0).all()  # the short way from frame to frame
            local[:, joint] = Rotation.from_quat(values).as_matrix()
    xyz, _ = forward_kinematics(tuple(parents.get(joint, -1) for joint in joints), translations, local)
    for number, joint in enumerate(figure.joints):
        assert gltf.nodes[number].name == joint.name
        np.testing.assert_allclose(xyz[:, number], joint.place, atol=2e-5)


def test_the_skin_is_at_rest_where_the_nodes_are(acrobat, tmp_path):
    pygltflib = pytest.importorskip("pygltflib", reason="pygltflib is not installed")
    poses, _ = acrobat(7, 5, BODY_27)
    save_poses(poses, tmp_path / "clip.glb", rig="mixamo")
    gltf = pygltflib.GLTF2().load_binary(tmp_path / "clip.glb")
    binary = gltf.binary_blob()
    inverse = numbers(gltf, binary, gltf.skins[0].inverseBindMatrices).reshape(-1, 4, 4)
    for joint, matrix in zip(pose_rig(poses, RIGS["mixamo"]).joints, inverse, strict=True):
        np.testing.assert_allclose(matrix[3], [*-joint.rest, 1], atol=1e-6)
        np.testing.assert_array_equal(matrix[:3, :3], np.eye(3))
    (mesh,) = gltf.meshes
    assert len(mesh.primitives) == 3
    for primitive in mesh.primitives:
        points = numbers(gltf, binary, primitive.attributes.POSITION)
        corners = numbers(gltf, binary, primitive.indices)
        assert len(corners) % 3 == 0 and corners.max() < len(points)
        np.testing.assert_allclose(numbers(gltf, binary, primitive.attributes.WEIGHTS_0).sum(1), 1, atol=1e-6)
        accessor = gltf.accessors[primitive.attributes.POSITION]
        np.testing.assert_array_equal(accessor.min, points.min(0))
        np.testing.assert_array_equal(accessor.max, points.max(0))
    assert gltf.bufferViews[-1].byteOffset + gltf.bufferViews[-1].byteLength <= gltf.buffers[0].byteLength


def test_what_is_known_of_the_poses_is_inside(acrobat, tmp_path):
    poses, _ = acrobat(7, 6)
    observed = np.ones((6, 17), np.float32)
    observed[2:4, 3] = 0
    poses = replace(poses, observed=observed, gap=np.arange(6) == 5, person=2, start_s=1.5)
    poses = replace(poses, about={"weights": "nanohtnet.mocap-81"})
    save_poses(poses, tmp_path / "clip.glb", rig="mixamo")
    content, _ = chunks(tmp_path / "clip.glb")
    known = content["asset"]["extras"]["poselift"]
    assert (known["written_by"], known["unit"]) == (f"poselift {__version__}", "m")
    assert known["about"] == {"weights": "nanohtnet.mocap-81"}
    assert (known["fps"], known["frames"], known["frame"], known["rig"]) == (50.0, 6, "camera", "mixamo")
    assert (known["person"], known["start_s"], known["gaps"]) == (2, 1.5, [[5, 5]])
    assert known["unseen"] == {"right_ankle": [[2, 3]]}
    assert known["assumed"] == ["head", "left_foot", "right_foot"]
    assert known["constant_bones"]["mean_mm"] >= 0
    assert content["asset"]["version"] == "2.0"


def test_a_vrm_animation_has_the_bones_that_it_must_have(acrobat, tmp_path):
    poses, _ = acrobat(7, 5, BODY_27)
    save_poses(poses, tmp_path / "clip.vrma")
    content, _ = chunks(tmp_path / "clip.vrma")
    assert content["extensionsUsed"] == ["VRMC_vrm_animation"]
    extension = content["extensions"]["VRMC_vrm_animation"]
    assert extension["specVersion"] == "1.0"
    bones = extension["humanoid"]["humanBones"]
    assert set(REQUIRED) <= set(bones)
    assert all(content["nodes"][bone["node"]]["name"] == name for name, bone in bones.items())
    assert "meshes" not in content and "skins" not in content
    paths = {(channel["target"]["node"], channel["target"]["path"]) for channel in content["animations"][0]["channels"]}
    assert (bones["hips"]["node"], "translation") in paths
    assert sum(path == "translation" for _, path in paths) == 1  # of the hips alone, as the extension demands


def test_one_frame_and_no_motion(tmp_path):
    save_poses(Poses3D(np.zeros((1, 17, 3)), "H36M_17", 30), tmp_path / "still.glb")
    content, binary = chunks(tmp_path / "still.glb")
    assert [channel["target"]["path"] for channel in content["animations"][0]["channels"]] == ["translation"]
    assert np.isfinite(np.frombuffer(binary[: 4 * 100], "<f4")).all()


def test_a_skeleton_without_arms_is_refused(tmp_path):
    legs = Skeleton("LEGS", H36M_17.joints[:7], H36M_17.parents[:7])
    with pytest.raises(SkeletonError, match="convert to H36M_17"):
        save_poses(Poses3D(np.zeros((1, 7, 3)), legs, 50.0), tmp_path / "legs.glb")
    assert not list(tmp_path.iterdir())
