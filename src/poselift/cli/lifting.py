"""The verb that lifts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import tyro

from poselift.cli.console import out as console
from poselift.cli.console import progress, say_error
from poselift.errors import FormatError, PoseliftError
from poselift.files import FOLDER, check_free, check_no_input, files_in, found_at, result_name
from poselift.formats import files_of, save_poses
from poselift.geometry.camera import Camera
from poselift.lifters.contract import Lifter
from poselift.lifters.load import AUTO, choose_shipped, load_lifter
from poselift.lifting import LONGEST_GUESS_S
from poselift.lifting import lift as lift_keypoints
from poselift.read import is_video, read_keypoints
from poselift.sequence import Keypoints2D, Poses3D
from poselift.viewer import write_viewer

FORMATS = ("npz", "csv", "json", "bvh", "html")
"""Endings of the results, all of them written by default."""
_NAMED_SPANS = 6


def lift(
    inputs: tyro.conf.Positional[tuple[Path, ...]],
    /,
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    lifter: str = AUTO,
    skeleton: str | None = None,
    fps: float | None = None,
    image_size: tuple[int, int] | None = None,
    flip: bool = False,
    frame: Literal["camera", "turned_camera"] | None = None,
    focal: float | None = None,
    gaps: Literal["mark", "fill", "cut"] = "mark",
    detector_model: Path | None = None,
    formats: tuple[str, ...] = FORMATS,
    force: bool = False,
) -> int:
    """Lift videos or keypoint files to 3D motion.

    Args:
        inputs: Videos, folders of OpenPose JSON, or npz, csv or json keypoint files.
        out: Folder for the results: poses (npz, csv, json), BVH, and an HTML page to look at.
        lifter: Name of shipped weights, the path of an .onnx file, or auto for the shipped weights that suit each clip.
        skeleton: Joint order of keypoint files, where it cannot be told (COCO_17, BODY_25, ...).
        fps: Frames per second of keypoint files that do not say.
        image_size: Width and height of the picture, for keypoint files that do not say and weights that ask for it.
        flip: Average with the mirror image: a little better, twice the time.
        frame: Axes of the results: the camera's own (camera), or those of a camera turned to look straight at the
            person (turned_camera), in which the shipped weights answer. The other one than the weights' needs --focal.
        focal: Focal length of the camera in pixels.
        gaps: Frames farther than a quarter of a second from any sighting of the person: mark them as gaps in every
            format, fill them in without a mark, or cut them out, so that each stretch between gaps is a result of its
            own.
        detector_model: Model file of the 2D detector, where one is needed.
        formats: What to write.
        force: Overwrite results that exist. Without it, inputs whose results exist are left out, and the status is 1.
    """
    if not inputs:
        raise FormatError("nothing to lift: name at least one video or keypoint file")
    unknown = set(formats) - set(FORMATS)
    if unknown or not formats:
        raise FormatError(f"unknown formats {', '.join(sorted(unknown))}; known: {', '.join(FORMATS)}")
    names = [result_name(path) for path in inputs]
    if twice := {name for name in names if names.count(name) > 1}:
        raise FormatError(
            f"several inputs are called {', '.join(sorted(twice))} and would write the same files; "
            "lift them one by one into different folders"
        )
    opened: dict[str, Lifter] = {}
    if lifter != AUTO:  # before anything is read
        _open(lifter, opened)
    results, failed = _Results(out, formats, force, dict(zip(names, inputs, strict=True))), 0
    for path in inputs:
        try:
            results.reserve(path)  # before any work is done
            joints, rate = (None, None) if is_video(path) else (skeleton, fps)  # a video knows both itself
            with progress(f"reading {path.name}") as tick:
                people = read_keypoints(path, skeleton=joints, fps=rate, model=detector_model, progress=tick)
            for name, keypoints in zip(results.reserve(path, len(people)), people, strict=True):
                if image_size is not None and not is_video(path):
                    keypoints = replace(keypoints, image_size=image_size)
                network = _open(_chosen(keypoints, name) if lifter == AUTO else lifter, opened)
                camera = None if focal is None else _camera(focal, keypoints)
                with progress(f"lifting {name}") as tick:
                    poses = lift_keypoints(
                        keypoints, network, flip_average=flip, frame=frame, camera=camera,
                        gaps="fill" if gaps == "fill" else "mark", progress=tick,
                    )  # fmt: skip
                _say(path, name, keypoints, poses, cut=gaps == "cut")
                _write(path, name, keypoints, poses, results, cut=gaps == "cut")
        except PoseliftError as error:
            failed += 1
            say_error(error, path if len(inputs) > 1 else None)
    return 1 if failed else 0


@dataclass(frozen=True)
class _Results:
    """The files that a call may write: no two inputs write the same one, and none replaces an input."""

    out: Path
    """Their folder."""
    formats: Sequence[str]
    """Their endings."""
    overwrite: bool
    """Whether results of an earlier call may be replaced."""
    taken: dict[str, Path]
    """Name of results, without ending: the input that they are made from. It holds all inputs from the start."""

    def reserve(self, path: Path, people: int = 1) -> list[str]:
        """Names of the results of an input, one for each person.

        Raises:
            FormatError: Another input of this call writes results of the same name.
            OutputExistsError: Results exist and may not be replaced, or one of them is an input.
        """
        first = result_name(path)
        names = [first, *(f"{first}_person{number}" for number in range(2, people + 1))]
        for name in names:
            self.claim(name, path)
        return names

    def claim(self, name: str, path: Path) -> None:
        """Reserve a name for the results of an input; errors as `reserve`."""
        if (other := self.taken.setdefault(name, path)) != path:
            raise FormatError(
                f"the results of a person in {path} and those of {other} would both be called {name}; "
                "lift them one by one into different folders"
            )
        for ending in self.formats:
            for target in files_of(self.out / f"{name}.{ending}"):
                check_no_input(target, self._read())
                check_free(target, overwrite=self.overwrite)

    def _read(self) -> Iterator[Path]:
        """Every file that the call reads."""
        for path in self.taken.values():
            try:
                yield from files_in(path, "*.json") if found_at(path) == FOLDER else [path]
            except FormatError:  # it cannot be read, so that nothing can be lost
                continue


def _chosen(keypoints: Keypoints2D, name: str) -> str:
    """Name of the shipped weights that suit a person's clip; what they are, and why, is said."""
    choice = choose_shipped(fps=keypoints.fps, length=len(keypoints))
    console.print(f"{name}: {choice.card.name} ({choice.reason})", markup=False, highlight=False, soft_wrap=True)
    return choice.card.name


def _open(name: str, opened: dict[str, Lifter]) -> Lifter:
    """The lifter of this name, opened once."""
    if name not in opened:
        opened[name] = load_lifter(name)
    return opened[name]


def _camera(focal: float, keypoints: Keypoints2D) -> Camera:
    """The camera of this focal length in pixels, looking through the middle of the picture."""
    if keypoints.image_size is None:
        raise FormatError("--focal needs the size of the picture; give --image-size WIDTH HEIGHT")
    return Camera.from_focal(focal, keypoints.image_size)


def _say(path: Path, name: str, keypoints: Keypoints2D, poses: Poses3D, *, cut: bool) -> None:
    """Print what was lifted, and which frames show nobody."""
    seen = 100 * keypoints.seen.mean()
    lines = [
        f"{path.name}: {len(poses)} frames at {poses.fps:g} fps, {keypoints.skeleton.name}, "
        f"{seen:.0f} % of the joints seen, axes: {poses.frame}"
    ]
    if poses.unseen:
        lines.append(f"{name}: frames {_spans(poses.unseen)}: nobody seen, filled in")
    if poses.gaps:
        done = "cut out" if cut else "marked as gaps"
        lines.append(f"{name}: frames {_spans(poses.gaps)}: farther than {LONGEST_GUESS_S} s from any sighting, {done}")
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _spans(spans: Sequence[tuple[int, int]]) -> str:
    """Spans of frames in words, the first ones when there are many."""
    words = [str(first) if first == last else f"{first}-{last}" for first, last in spans[:_NAMED_SPANS]]
    return ", ".join(words) + (f" and {len(spans) - _NAMED_SPANS} more" if len(spans) > _NAMED_SPANS else "")


def _write(path: Path, name: str, keypoints: Keypoints2D, poses: Poses3D, results: "_Results", *, cut: bool) -> None:
    """Write one person in every format; with `cut`, each stretch between gaps apart."""
    parts = poses.without_gaps() if cut and poses.gaps else (poses,)
    if not parts:
        raise FormatError(f"{name}: all frames are gaps, so that nothing is left to write; use --gaps mark")
    for number, part in enumerate(parts, 1):
        own = name if len(parts) == 1 else f"{name}_part{number}"
        results.claim(own, path)
        for ending in results.formats:
            target = results.out / f"{own}.{ending}"
            if ending == "html":
                whole = len(part) == len(poses)
                video = path if is_video(path) and whole else None  # a part of a video is not embedded
                shown = keypoints if whole else _during(keypoints, part)
                write_viewer(
                    part, target, keypoints=shown, video=video, title=path.name, overwrite=results.overwrite
                )  # fmt: skip
            else:
                save_poses(part, target, overwrite=results.overwrite)
        console.print(
            f"-> {results.out / own}.{{{','.join(results.formats)}}}", markup=False, highlight=False, soft_wrap=True
        )


def _during(keypoints: Keypoints2D, part: Poses3D) -> Keypoints2D:
    """The keypoints of a part's frames."""
    first = round(part.start_s * part.fps)
    kept = slice(first, first + len(part))
    scores = keypoints.confidence
    return keypoints.with_frames(keypoints.xy[kept], None if scores is None else scores[kept], keypoints.fps)
