"""What the table of formats calls for animated figures: the keywords of `save_poses` become `FileOptions`."""

from pathlib import Path

from poselift.files import written_whole
from poselift.formats.bvh import write_figure
from poselift.formats.glb import write_glb, write_vrma
from poselift.formats.notes import write_bvh_notes
from poselift.formats.options import FileOptions
from poselift.formats.rigs import get_rig
from poselift.formats.rigs.figure import pose_rig
from poselift.formats.table import files_of
from poselift.sequence import Poses3D


def save_bvh(poses: Poses3D, path: Path, *, overwrite: bool, rig: str = "poselift", unit: str = "cm") -> None:
    """Write a BVH file and the notes beside it, of one figure."""
    options = FileOptions(rig=rig, unit=unit)
    figure = pose_rig(poses, get_rig(options.rig))
    target, beside = files_of(path)
    with written_whole(target, overwrite=overwrite) as file:
        write_figure(figure, file, options)
    with written_whole(beside, overwrite=overwrite) as file:
        write_bvh_notes(figure, file, options)


def write_glb_file(poses: Poses3D, path: Path, *, rig: str = "poselift") -> None:
    """Write a GLB file; it names the weights that made the poses."""
    write_glb(poses, path, FileOptions(rig=rig, weights=poses.about.get("weights")))


def write_vrma_file(poses: Poses3D, path: Path) -> None:
    """Write a VRM animation; it names the weights that made the poses."""
    write_vrma(poses, path, FileOptions(rig="vrm", weights=poses.about.get("weights")))
