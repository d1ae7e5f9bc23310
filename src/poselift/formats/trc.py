"""Read TRC files of markers in the picture, as Sports2D writes them. Those in space are no keypoints."""

from pathlib import Path

import numpy as np

from poselift.errors import FormatError
from poselift.files import read_text
from poselift.formats.clip import Override, Source
from poselift.formats.columns import Rows, clips_of
from poselift.formats.joint_names import joint_name
from poselift.sequence import Keypoints2D

_HEADERS = 5
"""Number of lines before the numbers; an empty one may follow."""
_HIGH, _LOW = ("nose", "head", "head_top", "neck", "left_shoulder", "right_shoulder"), ("left_ankle", "right_ankle")


def read_trc(path: Path, override: Override) -> tuple[Keypoints2D, ...]:
    """Return the keypoints of a TRC file whose third coordinate is 0 everywhere; markers become joints by name.

    TRC files have y up: where the ankles have smaller y than head and shoulders, y is negated.

    Raises:
        FormatError: It is broken, holds markers in space, shows nobody, or there is no frame rate.
        SkeletonError: Too few of the markers are joints that we know.
    """
    lines = read_text(path).splitlines()
    if len(lines) <= _HEADERS or not lines[0].startswith("PathFileType"):
        raise FormatError(f"{path} is no TRC file; wanted 'PathFileType' and four more lines of headers")
    markers = [cell.strip() for cell in lines[3].split("\t")[2:] if cell.strip()]
    try:
        fps = float(lines[2].split()[lines[1].split().index("DataRate")])
        rows = [[float(cell or "nan") for cell in line.split("\t")] for line in lines[_HEADERS:] if line.strip()]
        table = np.array([row[: 2 + 3 * len(markers)] for row in rows], np.float64)
        points = table[:, 2:].reshape(len(table), len(markers), 3)
    except (ValueError, IndexError) as error:
        raise FormatError(
            f"{path} is a broken TRC file ({error}); wanted frame, time and x, y, z of each marker"
        ) from error
    if not markers or np.nanmax(np.abs(points[..., 2]), initial=0.0) > 0:
        raise FormatError(
            f"{path} holds markers in space, which need no lifting; wanted 2D keypoints. To measure a lifter on them, "
            "save them with their keypoints as docs/own_data.md says"
        )
    frames = [int(number) for number in np.nan_to_num(table[:, 0])]
    xy = points[..., :2]
    if _is_y_up(xy, markers):
        xy = xy * (1, -1)
    return clips_of(Rows(markers, xy, frames, None), Source(str(path), fps=fps), override)


def _is_y_up(xy: np.ndarray, markers: list[str]) -> bool:
    """Return whether the ankles have smaller y than head and shoulders, in most frames."""
    names = [joint_name(marker) for marker in markers]
    high, low = ([place for place, name in enumerate(names) if name in part] for part in (_HIGH, _LOW))
    if not high or not low:
        return True
    return bool(np.nanmedian(xy[:, low, 1]) < np.nanmedian(xy[:, high, 1]))
