"""Check in Blender itself that our animations come in right, and that they retarget by the names of their bones.

    python -m venv blender && blender/bin/pip install "bpy==5.0.1" "numpy<2" scipy
    PYTHONPATH=src blender/bin/python scripts/check_blender.py [POSES.npz]

Without a file, a person of constant bones turns every joint at random. It prints, for each rig, how far the joints in
Blender are from those of the figure, from BVH and from GLB, and for rigs that programs know, how far the bones of a
figure of that naming, with other proportions and rolls, turn away from ours when each copies the rotation of the bone
of the same name. The status is 1 when a joint is more than 1 mm off, or a bone more than 1 degree.
"""

import importlib.util
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
from mathutils import Vector

from poselift.formats import read_poses, save_poses
from poselift.formats.rigs import RIGS
from poselift.formats.rigs.figure import Figure, pose_rig
from poselift.sequence import Poses3D
from poselift.skeleton import BODY_27

ROOT = Path(__file__).resolve().parents[1]
MOST_MM, MOST_DEG = 1.0, 1.0
Z_UP = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
"""From our axes, y up, to Blender's."""


def default_poses() -> Poses3D:
    spec = importlib.util.spec_from_file_location("acrobat", ROOT / "tests" / "geometry" / "acrobat.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.acrobat(3, 40, BODY_27, path=np.linspace((0, 0, 4), (1, -0.2, 4), 40))[0]


def fresh() -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)


def armature() -> bpy.types.Object:
    return next(thing for thing in bpy.data.objects if thing.type == "ARMATURE")


def joints_off_mm(figure: Figure, start: float = 1.0) -> float:
    """The largest distance of a bone's head from the figure's joint, over all frames."""
    rig, scene, worst = armature(), bpy.context.scene, 0.0
    bones = {bone.name: bone for bone in rig.pose.bones}
    rate = scene.render.fps / scene.render.fps_base / figure.poses.fps
    for frame in range(len(figure.poses)):
        at = start + frame * rate
        scene.frame_set(int(at), subframe=at - int(at))
        for joint in figure.joints:
            head = rig.matrix_world @ bones[joint.name].head
            worst = max(worst, float(np.linalg.norm(np.array(head) - Z_UP @ joint.place[frame])))
    return 1000 * worst


def other_figure(figure: Figure) -> bpy.types.Object:
    """A figure of the same naming and rest pose, with other proportions, and bones that roll as they like."""
    rng = np.random.default_rng(0)
    data = bpy.data.armatures.new("other")
    thing = bpy.data.objects.new("other", data)
    bpy.context.collection.objects.link(thing)
    bpy.context.view_layer.objects.active = thing
    bpy.ops.object.mode_set(mode="EDIT")
    heads: list[np.ndarray] = []
    for joint, offset in zip(figure.joints, figure.offset, strict=True):
        above = heads[joint.parent] if joint.parent >= 0 else 0
        heads.append(above + Z_UP @ (offset if joint.parent >= 0 else joint.rest) * rng.uniform(0.8, 1.3))
        bone = data.edit_bones.new(joint.name)
        bone.head, bone.tail = heads[-1], heads[-1] + Z_UP @ joint.end
        bone.roll = rng.uniform(-np.pi, np.pi)
        if joint.parent >= 0:
            bone.parent = data.edit_bones[figure.joints[joint.parent].name]
    bpy.ops.object.mode_set(mode="OBJECT")
    return thing


def retarget_by_name(source: bpy.types.Object, target: bpy.types.Object) -> None:
    """Let every bone copy the rotation of the bone of its name, in its own axes: no map, no settings by hand."""
    for bone in target.pose.bones:
        copy = bone.constraints.new("COPY_ROTATION")
        copy.target, copy.subtarget = source, source.pose.bones[bone.name].name
        copy.owner_space, copy.target_space = "LOCAL", "LOCAL_OWNER_ORIENT"


def retargeted_deg(figure: Figure, source: bpy.types.Object, like: Figure) -> float:
    """How far bones are turned from ours on another figure that rests as `like` does, once it copies `source`."""
    target = other_figure(like)
    retarget_by_name(source, target)
    off = bones_off_deg(figure, target)
    bpy.data.objects.remove(target)
    return off


def bones_off_deg(figure: Figure, target: bpy.types.Object) -> float:
    """The largest angle between a bone of the other figure and ours, over all frames."""
    scene, worst = bpy.context.scene, 0.0
    for frame in range(len(figure.poses)):
        scene.frame_set(frame + 1)
        evaluated = target.evaluated_get(bpy.context.evaluated_depsgraph_get())
        for joint in figure.joints:
            bone = evaluated.pose.bones[joint.name]
            wanted = Vector(Z_UP @ joint.world[frame] @ joint.end)  # the same direction in every rest pose
            worst = max(worst, float(np.degrees((bone.tail - bone.head).angle(wanted))))
    return worst


def main() -> int:
    poses = read_poses(sys.argv[1]) if len(sys.argv) > 1 else default_poses()
    print(f"Blender {bpy.app.version_string}, {len(poses)} frames of {poses.skeleton.name} at {poses.fps:g} fps")
    failed = False
    for rig in RIGS.values():
        figure = pose_rig(poses, rig)
        with tempfile.TemporaryDirectory() as folder:
            for unit, scale in (("m", 1.0), ("cm", 0.01)):
                save_poses(poses, file := Path(folder) / f"{unit}.bvh", rig=rig.name, unit=unit)
                fresh()
                bpy.ops.import_anim.bvh(filepath=str(file), global_scale=scale, update_scene_fps=True)
                off = joints_off_mm(figure)
                print(f"{rig.name:9} BVH in {unit:2}  joints within {off:.3f} mm", flush=True)
                failed |= not off < MOST_MM
            if rig.name != "poselift":
                source = armature()
                turned = retargeted_deg(figure, source, figure)
                control = retargeted_deg(figure, source, pose_rig(poses, replace(rig, arms_down_deg=70)))
                print(
                    f"{rig.name:9} retargeted by name: bones within {turned:.3f} degrees "
                    f"(to a figure that rests with its arms down: {control:.0f})",
                    flush=True,
                )
                failed |= not turned < MOST_DEG < control
            save_poses(poses, file := Path(folder) / "clip.glb", rig=rig.name)
            fresh()
            bpy.context.scene.render.fps = round(poses.fps)
            bpy.ops.import_scene.gltf(filepath=str(file))
            off = joints_off_mm(figure, start=0.0)
            meshes = [thing for thing in bpy.data.objects if thing.type == "MESH" and thing.find_armature()]
            print(f"{rig.name:9} GLB        joints within {off:.3f} mm, {len(meshes)} body on them", flush=True)
            failed |= not off < MOST_MM or len(meshes) != 1
    print("FAILED" if failed else "all within bounds")
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
