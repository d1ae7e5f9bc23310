"""Check that OpenSim takes a TRC file of ours: reads it, scales Pose2Sim's model to it, and solves inverse kinematics.

Needs an environment of its own, and the setup files of Pose2Sim (BSD-3-Clause), which are not in this repository:

    pip install opensim numpy
    pip download --no-deps pose2sim && unzip pose2sim-*.whl 'Pose2Sim/OpenSim_Setup/*'
    python scripts/check_opensim.py clip.trc --setup Pose2Sim/OpenSim_Setup --seconds 2

It exits with 1 where a marker is read elsewhere than the file says, a marker of the model is not in the file, or the
markers of the scaled model are on average further than 50 mm from those of the file.
"""

import argparse
import contextlib
import re
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

FURTHEST_MM = 50.0
"""Mean distance of the model's markers from the file's; a wrong axis or unit gives hundreds. The model's own markers
stand elsewhere in the body than the joints of a skeleton: a walk of motion capture has 40."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trc", type=Path)
    parser.add_argument("--setup", type=Path, required=True, help="folder OpenSim_Setup of Pose2Sim")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of the part that is solved, from the start")
    args = parser.parse_args()
    import opensim

    opensim.Logger.removeFileSink()  # else it writes opensim.log where it is run
    opensim.Logger.setLevelString("error")
    names, times, points = read_plainly(args.trc)
    table = opensim.TimeSeriesTableVec3(str(args.trc))
    rows = [table.getRowAtIndex(row) for row in range(table.getNumRows())]
    read = np.array([[[row[column][axis] for axis in range(3)] for column in range(len(names))] for row in rows])
    off_mm = 1000 * np.abs(read - points).max()
    same = [str(label) for label in table.getColumnLabels()] == names
    rate = float(table.getTableMetaDataString("DataRate"))
    units = table.getTableMetaDataString("Units")
    print(f"read: {len(names)} markers, {len(times)} frames at {rate:g} Hz in {units}, {off_mm:.4f} mm off at most")
    wanted = re.findall(r'<Marker name="([^"]+)"', (args.setup / "Markers_Halpe26.xml").read_text("utf-8"))
    missing = sorted(set(wanted) - set(names))
    print(f"markers of the model that the file lacks: {', '.join(missing) or 'none'}")
    if missing or off_mm > 0.1 or not same:
        return 1
    trc, setup = args.trc.resolve(), args.setup.resolve()
    end = min(times[0] + args.seconds, times[-1])
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):  # some results go to the working folder
        errors = solve(opensim, trc, setup, Path(folder), times[0], end)
        motion = (Path(folder) / "ik.mot").read_text().splitlines()
    header = next(line for line in motion if line.startswith("time")).split("\t")
    values = np.array([line.split("\t") for line in motion[motion.index("\t".join(header)) + 1 :]], float)
    knee = values[:, header.index("knee_angle_r")]
    print(
        f"inverse kinematics: {len(errors)} frames, markers {1000 * errors[:, 0].mean():.1f} mm off (mean of the root "
        f"mean squares), {1000 * errors[:, 1].max():.1f} mm at most; right knee {knee.min():.0f} to {knee.max():.0f} "
        "degrees"
    )
    return 1 if 1000 * errors[:, 0].mean() > FURTHEST_MM else 0


def read_plainly(path: Path) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return names, times (T,) and points (T, M, 3) by splitting lines."""
    lines = path.read_text("utf-8").splitlines()
    names = [cell for cell in lines[3].split("\t")[2:] if cell]
    table = np.array([line.split("\t") for line in lines[5:] if line.strip()], float)
    return names, table[:, 1], table[:, 2:].reshape(len(table), len(names), 3)


def solve(opensim, trc: Path, setup: Path, folder: Path, start: float, end: float) -> np.ndarray:
    """Scale the model and solve its motion; return (T, 2) root mean square and largest marker error in metres."""
    shutil.copy(trc, folder / "clip.trc")  # setup files name files beside them
    model = opensim.Model(str(setup / "Model_Pose2Sim_simple.osim"))
    model.set_MarkerSet(opensim.MarkerSet(str(setup / "Markers_Halpe26.xml")))
    model.initSystem()
    model.printToXML(str(folder / "plain.osim"))
    fill(
        setup / "Scaling_Setup_Pose2Sim_Halpe26.xml", folder / "scale.xml", model_file="plain.osim",
        marker_file="clip.trc", time_range=f"{start} {end}", output_model_file="scaled.osim",
    )  # fmt: skip
    opensim.ScaleTool(str(folder / "scale.xml")).run()  # false even where it succeeds, as no markers are moved
    if not (folder / "scaled.osim").is_file():
        raise SystemExit("OpenSim could not scale the model to the file")
    fill(
        setup / "IK_Setup_Pose2Sim_Halpe26.xml", folder / "ik.xml", model_file="scaled.osim",
        marker_file="clip.trc", time_range=f"{start} {end}", output_motion_file="ik.mot", results_directory="./",
    )  # fmt: skip
    opensim.InverseKinematicsTool(str(folder / "ik.xml")).run()
    (report,) = folder.glob("*ik_marker_errors.sto")
    lines = report.read_text().splitlines()
    header = next(line for line in lines if line.startswith("time"))
    names = header.split("\t")
    values = np.array([line.split("\t") for line in lines[lines.index(header) + 1 :]], float)
    return values[:, [names.index("marker_error_RMS"), names.index("marker_error_max")]]


def fill(template: Path, path: Path, **values: object) -> None:
    """Write a setup file with other contents of some of its elements."""
    text = template.read_text("utf-8")
    for name, value in values.items():
        text = re.sub(rf"<{name}>[^<]*</{name}>", f"<{name}>{value}</{name}>", text)
    path.write_text(text, "utf-8")


if __name__ == "__main__":
    sys.exit(main())
