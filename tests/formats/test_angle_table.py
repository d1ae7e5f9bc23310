"""Joint angles as tables: written, read back, and refused."""

from pathlib import Path

import numpy as np
import pytest

from poselift.errors import FormatError, OutputExistsError
from poselift.formats.angle_table import read_angles, save_angles
from poselift.refine.angles import JointAngles

NAMES = ("knee_angle_r", "hip_rotation_l")


def some(frames: int = 5) -> JointAngles:
    degrees = np.random.default_rng(0).uniform(-90, 90, (frames, 2)).round(2)
    degrees[1, 1] = np.nan
    observed = np.full((frames, 2), 0.75)
    observed[2, 0] = 0
    plausible = np.ones((frames, 2), bool)
    plausible[3, 0] = False
    return JointAngles(NAMES, degrees.astype(np.float32), observed.astype(np.float32), plausible, 25.0, 1.5)


@pytest.mark.parametrize("frames", [5, 2])
def test_round_trip(tmp_path: Path, frames: int):
    written, path = some(4 + frames), tmp_path / "clip_angles.csv"
    save_angles(written, path)
    found = read_angles(path)
    assert (found.names, found.fps, found.start_s) == (NAMES, pytest.approx(25.0), 1.5)
    assert found.degrees == pytest.approx(written.degrees, nan_ok=True, abs=1e-4)
    assert (found.plausible == written.plausible).all()
    assert found.observed == pytest.approx(written.observed)
    assert path.read_text().splitlines()[0].startswith("frame,time_s,knee_angle_r_deg,knee_angle_r_observed")


def test_existing_files_and_other_endings_are_refused(tmp_path: Path):
    path = tmp_path / "a.csv"
    save_angles(some(), path)
    with pytest.raises(OutputExistsError):
        save_angles(some(), path)
    save_angles(some(), path, overwrite=True)
    with pytest.raises(FormatError, match=r"save the poses as \.mot"):
        save_angles(some(), tmp_path / "a.mot")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("frame,time_s,left_hip_x_m\n0,0,1\n", "no joint angles"),
        ("frame,time_s,knee_angle_r_deg\n0,0,1\n1,0.1,2\n", "lacks knee_angle_r_observed"),
    ],
)
def test_other_tables_are_refused(tmp_path: Path, text: str, message: str):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(FormatError, match=message):
        read_angles(path)
