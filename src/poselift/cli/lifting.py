"""The verb that lifts."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import tyro

from poselift.checks import check, number_people, worst
from poselift.cli.console import err, print_plain, progress, say_error
from poselift.doctor.report import report
from poselift.errors import FormatError, PoseliftError
from poselift.files import FOLDER, check_free, check_no_input, found_at, result_name
from poselift.formats import files_of, frame_files, save_poses
from poselift.geometry.camera import Camera
from poselift.lifters.contract import Lifter
from poselift.lifters.load import AUTO, choose_shipped, load_lifter
from poselift.lifting import LONGEST_GUESS_S
from poselift.lifting import lift as lift_keypoints
from poselift.prepare.convert import convert_poses
from poselift.read import is_video, read_keypoints
from poselift.sequence import CAMERA, TURNED_CAMERA, WORLD, Keypoints2D, Poses3D
from poselift.skeleton import get_skeleton
from poselift.viewer import write_viewer

FORMATS = ("npz", "csv", "json", "bvh", "html")
"""Endings of the results, all of them written by default."""
_AXES = {CAMERA: "the camera", TURNED_CAMERA: "a camera turned to the person", WORLD: "the world"}
_NAMED_SPANS = 6


@dataclass(frozen=True, kw_only=True)
class InputOptions:
    """How the inputs are read."""

    skeleton: str | None = None
    """Skeleton of keypoint files (joint order), such as COCO_17 or BODY_25; found from the file when not given."""
    fps: float | None = None
    """Frame rate of keypoint files, in frames per second; the file's own when not given."""
    image_size: tuple[int, int] | None = None
    """Width and height of the picture of keypoint files in pixels; the file's own when not given.
    Coordinates from 0 to 1, --focal and some weights need it."""
    frame_step: float | None = None
    """How much the frame numbers of keypoint files grow from one frame to the next; 1 when not given.
    For numbers of every fifth frame, 5; for times in milliseconds at 25 frames per second, 40."""
    detector_model: Path | None = None
    """Model file of the 2D detector for videos; the model inside the mediapipe package when not given."""


@dataclass(frozen=True, kw_only=True)
class LiftOptions:
    """How keypoints are lifted."""

    lifter: str = AUTO
    """Name of shipped weights, path of an .onnx file, or module:Class; auto chooses shipped weights for each clip."""
    flip: bool = False
    """Average with the mirror image, which is a little more accurate and takes twice the time."""
    frame: Literal["camera", "turned_camera"] | None = None
    """Axes of the results: those of the camera, or of a camera that is turned to look straight at the person.
    The axes of the weights when not given (turned_camera for the shipped ones); other axes need --focal."""
    focal: float | None = None
    """Focal length of the camera in pixels; not known when not given."""
    skeleton_out: str | None = None
    """Joints of the results, such as HALPE_26, BODY_25 or COCO_17; those of the weights when not given.
    Joints that the weights do not give are not made up: asking for them is an error."""
    gaps: Literal["mark", "fill", "cut"] = "mark"
    """What to do with gaps, the frames more than a quarter of a second away from any that shows the person:
    mark them in every format, fill them in without a mark, or cut them out (files for each stretch in between)."""


@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """Where results are written."""

    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Folder for the results: poses (npz, csv, json), BVH, and an HTML page that shows them."""
    formats: tuple[str, ...] = FORMATS
    """Formats to write."""
    force: bool = False
    """Overwrite results that exist, and lift inputs in which the checks find errors.
    Without it, such inputs are left out, and the status is 1."""


def lift(
    inputs: tyro.conf.Positional[tuple[Path, ...]],
    /,
    source: Annotated[InputOptions, tyro.conf.OmitArgPrefixes],
    lifting: Annotated[LiftOptions, tyro.conf.OmitArgPrefixes],
    output: Annotated[OutputOptions, tyro.conf.OmitArgPrefixes],
) -> int:
    """Lift videos or keypoint files to 3D motion.

    Args:
        inputs: Videos, keypoint files, or folders with a file for each frame; docs/keypoint_files.md shows which.
        source: How the inputs are read.
        lifting: How keypoints are lifted.
        output: Where results are written.
    """
    if not inputs:
        raise FormatError("nothing to lift: name at least one video or keypoint file")
    unknown = set(output.formats) - set(FORMATS)
    if unknown or not output.formats:
        raise FormatError(f"unknown formats {', '.join(sorted(unknown))}; known: {', '.join(FORMATS)}")
    names = [result_name(path) for path in inputs]
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise FormatError(
            f"several inputs are called {', '.join(sorted(repeated))} and would write the same files; "
            "lift them one by one into different folders"
        )
    if lifting.skeleton_out is not None:  # before anything is read
        get_skeleton(lifting.skeleton_out)
    open_lifter = cache(load_lifter)
    if lifting.lifter != AUTO:  # before anything is read
        open_lifter(lifting.lifter)
    results, failed = _Results(output, dict(zip(names, inputs, strict=True))), 0
    for path in inputs:
        try:
            _lift_input(path, source, lifting, results, open_lifter)
        except PoseliftError as error:
            failed += 1
            say_error(error, path if len(inputs) > 1 else None)
    return 1 if failed else 0


def _lift_input(
    path: Path, source: InputOptions, lifting: LiftOptions, results: "_Results", open_lifter: Callable[[str], Lifter]
) -> None:
    """Lift everyone in one file, print what was lifted and write the results."""
    results.reserve(path)  # before any work is done
    video, cut = is_video(path), lifting.gaps == "cut"
    with progress(f"reading {path.name}") as tick:
        if video:
            people = read_keypoints(path, model=source.detector_model, progress=tick)
        else:
            people = read_keypoints(
                path, skeleton=source.skeleton, fps=source.fps, image_size=source.image_size,
                frame_step=source.frame_step,
            )  # fmt: skip
    names = results.reserve(path, len(people))
    _check(path.name, people, force=results.output.force)
    for number, name in enumerate(names, 1):
        title = path.name if len(people) == 1 else f"{path.name}, person {number}"
        keypoints = people[number - 1]
        lifter = open_lifter(_choose(keypoints, title) if lifting.lifter == AUTO else lifting.lifter)
        camera = None if lifting.focal is None else _camera(lifting.focal, keypoints)
        with progress(f"lifting {title}") as tick:
            poses = lift_keypoints(
                keypoints, lifter, flip_average=lifting.flip, frame=lifting.frame, camera=camera,
                gaps="fill" if lifting.gaps == "fill" else "mark", check=False, progress=tick,
            )  # fmt: skip
        if lifting.skeleton_out is not None:
            poses = convert_poses(poses, lifting.skeleton_out)
        _describe(title, keypoints, poses, cut=cut)
        _write(path, name, keypoints, poses, results, cut=cut)


def _check(title: str, people: Sequence[Keypoints2D], *, force: bool) -> None:
    """Print what the checks find wrong with anyone in a file.

    Raises:
        FormatError: Something is an error, and `force` is off.
    """
    findings = [found for found in number_people([check(person) for person in people]) if found.severity != "info"]
    if findings:
        err.print(report(title, findings))
    if worst(findings) == "error" and not force:
        raise FormatError(
            "not lifted, because of the errors above: do what the advice says, or lift it as it is (--force)"
        )


@dataclass(frozen=True)
class _Results:
    """The files that a call may write: no two inputs write the same one, and none replaces an input."""

    output: OutputOptions
    """Their folder, their formats, and whether results of an earlier call may be replaced."""
    taken: dict[str, Path]
    """Name of results, without ending: the input that they are made from. It holds all inputs from the start."""

    def reserve(self, path: Path, people: int = 1) -> list[str]:
        """Return the names of the results of an input, one for each person.

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
        """Reserve a name for the results of an input; raises what `reserve` raises."""
        if (other := self.taken.setdefault(name, path)) != path:
            raise FormatError(
                f"the results of a person in {path} and those of {other} would both be called {name}; "
                "lift them one by one into different folders"
            )
        for ending in self.output.formats:
            for target in files_of(self.output.out / f"{name}.{ending}"):
                check_no_input(target, self._input_files())
                check_free(target, overwrite=self.output.force)

    def _input_files(self) -> Iterator[Path]:
        """Yield every file that the call reads."""
        for path in self.taken.values():
            try:
                yield from frame_files(path) if found_at(path) == FOLDER else [path]
            except FormatError:  # it cannot be read, so that nothing can be lost
                continue


def _choose(keypoints: Keypoints2D, title: str) -> str:
    """Return the name of the shipped weights that suit a person's clip, and print it with the reason."""
    choice = choose_shipped(fps=keypoints.fps, length=len(keypoints))
    print_plain(f"{title}: {choice.card.name} ({choice.reason})")
    return choice.card.name


def _camera(focal: float, keypoints: Keypoints2D) -> Camera:
    """Return the camera of this focal length in pixels that looks through the middle of the picture."""
    if keypoints.image_size is None:
        raise FormatError("--focal needs the size of the picture; give --image-size WIDTH HEIGHT")
    return Camera.from_focal(focal, keypoints.image_size)


def _describe(title: str, keypoints: Keypoints2D, poses: Poses3D, *, cut: bool) -> None:
    """Print what was lifted, and which frames show nobody."""
    seen = 100 * keypoints.seen.mean()
    print_plain(
        f"{title}: {len(poses)} frames at {poses.fps:g} fps, {keypoints.skeleton.name}, {seen:.0f} % of the joints seen"
    )
    if poses.unseen:
        print_plain(f"{title}: nobody is seen in frames {_spans(poses.unseen)}; they were filled in")
    if poses.gaps:
        print_plain(
            f"{title}: frames {_spans(poses.gaps)} are more than {LONGEST_GUESS_S} s away from any that shows the "
            f"person; they were {'cut out' if cut else 'marked as gaps'}"
        )


def _spans(spans: Sequence[tuple[int, int]]) -> str:
    """Return spans of frames in words; of many spans only the first ones."""
    words = [str(first) if first == last else f"{first}-{last}" for first, last in spans[:_NAMED_SPANS]]
    return ", ".join(words) + (f" and {len(spans) - _NAMED_SPANS} more" if len(spans) > _NAMED_SPANS else "")


def _write(path: Path, name: str, keypoints: Keypoints2D, poses: Poses3D, results: _Results, *, cut: bool) -> None:
    """Write one person in every format; with `cut`, each stretch between gaps into files of its own."""
    output = results.output
    parts = poses.without_gaps() if cut and poses.gaps else (poses,)
    if not parts:
        raise FormatError(f"{name}: all frames are gaps, so that nothing is left to write; use --gaps mark")
    for number, part in enumerate(parts, 1):
        own = name if len(parts) == 1 else f"{name}_part{number}"
        results.claim(own, path)
        for ending in output.formats:
            target = output.out / f"{own}.{ending}"
            if ending == "html":
                whole = len(part) == len(poses)
                video = path if is_video(path) and whole else None  # a part of a video is not embedded
                shown = keypoints if whole else _during(keypoints, part)
                write_viewer(part, target, keypoints=shown, video=video, title=path.name, overwrite=output.force)
            else:
                save_poses(part, target, overwrite=output.force)
        print_plain(f"-> {output.out / own}.{{{','.join(output.formats)}}} (axes of {_AXES[poses.frame]})")


def _during(keypoints: Keypoints2D, part: Poses3D) -> Keypoints2D:
    """Return the keypoints of a part's frames."""
    first = round(part.start_s * part.fps)
    kept = slice(first, first + len(part))
    scores = keypoints.confidence
    return keypoints.with_frames(keypoints.xy[kept], None if scores is None else scores[kept], keypoints.fps)
