"""Read and write poselift's JSON layouts of keypoints and poses, which hold everything needed to understand them."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from poselift.errors import FormatError, ShapeError
from poselift.files import read_json
from poselift.formats.about import parse_about, written_by
from poselift.formats.clip import Override, Source, finish
from poselift.formats.digits import decimal_rows
from poselift.formats.fields import named_skeleton, numbers
from poselift.geometry.camera import Camera
from poselift.sequence import EXTRAS, FRAMES, Keypoints2D, Poses3D

_EXTRAS = tuple(name for name in EXTRAS if name != "gap")  # gaps are written in another form
_DECIMALS_M = 4
_DECIMALS_PX = 6
_FORMATS = {"keypoints": "poselift-keypoints", "poses": "poselift-poses"}


def read_keypoints_json(content: dict[str, Any], name: str, override: Override) -> tuple[Keypoints2D, ...]:
    """Return the keypoints in the content of a JSON file in poselift's layout.

    ``{"skeleton": "COCO_17", "fps": 50, "image_size": [w, h], "frames": [[[x, y, confidence], ...], ...]}`` where
    `image_size` and the confidences may be absent, and null marks a joint that was not seen.

    Raises:
        FormatError: The content is not in this layout, or there is no frame rate.
        SkeletonError: The joints fit no skeleton, or not the one that the file names.
    """
    if content.get("format") == _FORMATS["poses"] or "unit" in content:
        raise FormatError(f"{name} holds 3D poses; wanted 2D keypoints")
    frames = numbers(content.get("frames"), "'frames'", name)
    return finish([frames], _source(content, name), override)


def write_keypoints_json(keypoints: Keypoints2D, path: Path) -> None:
    """Write the layout that `read_keypoints_json` reads."""
    fields: dict[str, Any] = {"format": _FORMATS["keypoints"], **_skeleton_fields(keypoints)}
    if keypoints.image_size is not None:
        fields["image_size"] = [int(side) for side in keypoints.image_size]
    rows = keypoints.xy
    if keypoints.confidence is not None:
        rows = np.concatenate([rows, keypoints.confidence[..., None]], axis=-1)
    values = rows.astype(np.float64).round(_DECIMALS_PX).astype(object)
    values[~np.isfinite(rows)] = None
    lines = ",\n".join(json.dumps(frame, separators=(",", ":"), allow_nan=False) for frame in values.tolist())
    _write(fields, {"frames": ["[\n", lines, "\n]"]}, path)


def write_poses_json(poses: Poses3D, path: Path) -> None:
    """Write `skeleton`, `joints`, `parents`, `fps`, `unit`, `frame`, `axes`, `start_s` and `frames` (T, J, 3).

    Lengths are rounded to 0.1 mm. Where they are known, these are written before `frames`: `person` and
    `may_continue`; `gaps`, the first and last frame of each gap, counted from 0; `observed` and `spread` (T, J), `path`
    and `up` (T, 3), `contact` (T, 4), `camera`.
    """
    fields = {"format": _FORMATS["poses"], **_skeleton_fields(poses), "unit": poses.unit, "frame": poses.frame}
    fields |= {"axes": f"{FRAMES[poses.frame]}; relative to the root joint", "start_s": poses.start_s}
    if poses.person is not None:
        fields |= {"person": poses.person, "may_continue": list(poses.may_continue)}
    fields |= {"written_by": written_by(), "about": dict(poses.about)}
    if poses.gap is not None:
        fields["gaps"] = poses.gaps
    if poses.camera is not None:
        fields["camera"] = poses.camera.as_json()
    known = {name: array for name in _EXTRAS if (array := getattr(poses, name)) is not None}
    _write(fields, {name: _nested(array) for name, array in (known | {"frames": poses.xyz}).items()}, path)


def read_poses_json(path: Path) -> Poses3D:
    """Read poses from a file that `write_poses_json` wrote.

    Raises:
        FormatError: The file is broken, or has another layout.
    """
    content = read_json(path)
    wanted = {"skeleton", "fps", "unit", "frame", "frames"}
    if not isinstance(content, dict) or not wanted <= content.keys():
        raise FormatError(f"{path} holds no poses; wanted an object with {', '.join(sorted(wanted))}")
    if content["unit"] != "m":
        raise FormatError(f"{path}: wanted metres, got {content['unit']}")
    source = _source(content, str(path))
    if source.skeleton is None or source.fps is None:
        raise FormatError(f"{path} names no skeleton or no frame rate")
    xyz, name = numbers(content["frames"], "'frames'", str(path)), str(path)
    extras: dict[str, Any] = {
        field: numbers(content[field], f"'{field}'", name) for field in _EXTRAS if field in content
    }
    if "gaps" in content:
        extras["gap"] = _gap(content["gaps"], len(np.atleast_1d(xyz)), name)
    try:
        if "camera" in content:
            extras["camera"] = Camera.from_json(content["camera"])
        if "about" in content:
            extras["about"] = parse_about(content["about"], name)
        start_s = float(content.get("start_s", 0.0))
        if "person" in content:
            extras |= {"person": content["person"], "may_continue": tuple(content.get("may_continue", ()))}
        return Poses3D(xyz, source.skeleton, source.fps, content["frame"], start_s=start_s, **extras)
    except (ShapeError, TypeError, ValueError) as error:
        raise FormatError(f"{path}: {error}") from error


def _gap(content: Any, frames: int, name: str) -> np.ndarray:
    """Return a mask (T,), true within the gaps, from the first and last frame of each gap."""
    gap = np.zeros(frames, bool)
    found = numbers(content, "'gaps'", name)
    if found.size and (found.ndim != 2 or found.shape[1] != 2):
        raise FormatError(f"{name}: wanted gaps as a list of [first, last], got numbers of shape {found.shape}")
    for first, last in found.reshape(-1, 2).tolist():
        if not (first == int(first) and last == int(last) and 0 <= first <= last < frames):
            raise FormatError(f"{name}: wanted gaps [first, last] within the {frames} frames, got [{first}, {last}]")
        gap[int(first) : int(last) + 1] = True
    return gap


def _skeleton_fields(sequence: Keypoints2D | Poses3D) -> dict[str, Any]:
    skeleton = sequence.skeleton
    names = {"skeleton": skeleton.name, "joints": list(skeleton.joints), "parents": list(skeleton.parents)}
    return {**names, "fps": float(sequence.fps)}


def _nested(array: np.ndarray, decimals: int = _DECIMALS_M) -> Iterator[str]:
    """Yield the JSON text of finite numbers (T, ...), one line for each frame, in parts."""
    inside = array[0].size
    ends = [","] * inside
    for place in range(1, array.ndim - 1):  # brackets where a joint ends
        step = int(np.prod(array.shape[place + 1 :]))
        for at in range(step - 1, inside - 1, step):
            ends[at] = "],["
    close = "]" * (array.ndim - 1)
    ends[-1] = f"{close},\n{'[' * (array.ndim - 1)}"
    yield "[\n" + "[" * (array.ndim - 1)
    last = len(array) - 1
    if last:
        yield from decimal_rows(array[:last].reshape(last, inside), decimals, ends)
    ends[-1] = close
    yield from decimal_rows(array[last:].reshape(1, inside), decimals, ends)
    yield "\n]"


def _write(fields: dict[str, Any], arrays: Mapping[str, Iterable[str]], path: Path) -> None:
    """Write one line for each field, and one for each frame, so that people can read and compare the files."""
    with path.open("w", encoding="utf-8") as file:
        file.write("{\n" + ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in fields.items()))
        for name, parts in arrays.items():
            file.write(f",\n{json.dumps(name)}: ")
            file.writelines(parts)
        file.write("\n}\n")


def _source(content: dict[str, Any], name: str) -> Source:
    claimed = content.get("skeleton")
    skeleton = named_skeleton(claimed, content.get("joints"), content.get("parents"), name) if claimed else None
    fps = content.get("fps")
    if fps is not None and (isinstance(fps, bool) or not isinstance(fps, int | float)):
        raise FormatError(f"{name}: wanted a number 'fps', got {fps!r}")
    size = content.get("image_size")
    if size is not None and not (isinstance(size, list) and [type(side) for side in size] == [int, int]):
        raise FormatError(f"{name}: wanted 'image_size' [width, height] in whole pixels, got {size!r}")
    return Source(name, skeleton, None if fps is None else float(fps), None if size is None else (size[0], size[1]))
