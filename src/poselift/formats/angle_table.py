"""Read and write joint angles as a table with one row for each frame, for spreadsheets and statistics.

The columns are ``frame,time_s``, then for each angle ``knee_angle_r_deg,knee_angle_r_observed,knee_angle_r_plausible``
and so on. An empty cell is an angle that is not defined.
"""

import csv
from pathlib import Path

import numpy as np

from poselift.errors import FormatError
from poselift.files import written_whole
from poselift.formats.clip import ONE_FRAME_FPS
from poselift.formats.table_file import read_table
from poselift.refine.angles import JointAngles

ANGLES_END = "_angles.csv"
"""How the names of such files end beside the results of a person."""
_DEGREES, _OBSERVED, _PLAUSIBLE = "_deg", "_observed", "_plausible"


def save_angles(angles: JointAngles, path: str | Path, *, overwrite: bool = False) -> None:
    """Write joint angles as .csv, which `read_angles` reads: degrees to 0.01, whether seen, and whether plausible.

    Raises:
        FormatError: `path` has another ending. OpenSim's .mot files are written from poses (`save_poses`).
        OutputExistsError: `path` exists and `overwrite` is off.
        OutputError: The file cannot be written; no part of it is left.
    """
    path = Path(path)
    if path.suffix.lower() != ".csv":
        raise FormatError(f"{path}: wanted an ending of .csv for joint angles; for OpenSim, save the poses as .mot")
    with written_whole(path, overwrite=overwrite) as target, target.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        ends = (_DEGREES, _OBSERVED, _PLAUSIBLE)
        writer.writerow(["frame", "time_s", *(f"{name}{end}" for name in angles.names for end in ends)])
        for frame in range(len(angles)):
            cells: list[str] = []
            for degrees, observed, plausible in zip(
                angles.degrees[frame], angles.observed[frame], angles.plausible[frame], strict=True
            ):
                cells += ["" if np.isnan(degrees) else f"{degrees:.2f}", f"{observed:.4g}", str(int(plausible))]
            writer.writerow([frame, angles.start_s + frame / angles.fps, *cells])


def read_angles(path: str | Path) -> JointAngles:
    """Read joint angles from a table that `save_angles` wrote. A single frame, whose rate means nothing, gets 30 fps.

    Raises:
        FormatError: The table is broken, or has another layout.
    """
    path = Path(path)
    table = read_table(path)
    names = tuple(column.removesuffix(_DEGREES) for column in table.columns if column.endswith(_DEGREES))
    wanted = ["time_s", *(f"{name}{end}" for name in names for end in (_OBSERVED, _PLAUSIBLE))]
    if not names or (missing := [column for column in wanted if column not in table.columns]):
        lacking = ", ".join(missing[:3]) if names else "columns such as knee_angle_r_deg"
        raise FormatError(f"{path} holds no joint angles as poselift writes them; it lacks {lacking}")
    degrees, observed, plausible = (
        table.numbers(*(f"{name}{end}" for name in names)) for end in (_DEGREES, _OBSERVED, _PLAUSIBLE)
    )
    fps = table.fps() if len(table) > 1 else ONE_FRAME_FPS
    start = float(table.numbers("time_s")[0, 0])
    kept = degrees.astype(np.float32), observed.astype(np.float32), plausible > 0
    return JointAngles(names, *kept, fps or ONE_FRAME_FPS, start)
