"""The verb that lifts."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Literal

import tyro

from poselift.checks import check, number_people, worst
from poselift.cli.answer import add, plain
from poselift.cli.console import err, print_plain, progress, say_error
from poselift.cli.placing import WorldOptions
from poselift.cli.results import KNOWN_FORMATS, OutputOptions, Results, copies, name_of, person_name, title_of
from poselift.doctor.report import report
from poselift.errors import FormatError, PoseliftError
from poselift.formats.table import pose_format
from poselift.geometry.camera import Camera
from poselift.lifters.contract import Lifter
from poselift.lifters.load import AUTO, choose_shipped, load_lifter
from poselift.lifters.onnx import Engine
from poselift.lifting import DOUBTFUL, LONGEST_GUESS_S, doubtful_pelvis, faults_in
from poselift.lifting import lift as lift_keypoints
from poselift.people import ALL, PASSING_S, check_choice, choose_people
from poselift.prepare.convert import convert_poses, missing_joints
from poselift.read import VideoReading, is_video, read_everyone
from poselift.sequence import CAMERA, Keypoints2D, Poses3D, say_spans, spans
from poselift.skeleton import BODY_27, get_skeleton

NO_SIZE = (
    "the picture's size is not known, so that results stay relative to the pelvis; give --image-size WIDTH HEIGHT to "
    "place people in the world (--no-world leaves out this line)"
)
"""What is said of files without the size of the picture."""


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
    people: str = ALL
    """Who is lifted: all, largest, the number of a person, x,y for the person nearest to this pixel in the first frame
    that shows anybody, or x,y@SECONDS for another frame."""
    shortest: float = PASSING_S
    """People who are seen for less than so many seconds, or half of a short clip, have passed by and are left out."""


@dataclass(frozen=True, kw_only=True)
class VideoOptions:
    """How videos are read."""

    start: float = 0.0
    """Seconds after the first frame at which to begin."""
    stop: float | None = None
    """Seconds after the first frame before which to end; the end of the video when not given."""
    raw: str | None = None
    """Layout of raw pictures on standard input, such as rgb24 or yuv420p; needs --image-size and --fps.
    Encoded video and y4m need none of these."""
    detector_model: Path | None = None
    """BlazePose file of the 2D detector; the one in the package when not given."""


@dataclass(frozen=True, kw_only=True)
class LiftOptions:
    """How keypoints are lifted."""

    lifter: str = AUTO
    """Name of shipped weights, path of an .onnx file, or module:Class; auto chooses shipped weights for each clip."""
    flip: bool = False
    """Average with the mirror image, which is a little more accurate and takes twice the time."""
    repair: bool = True
    """Leave out frames that show something else for a moment and joints that are far away, put exchanged sides back."""
    engine: Engine = "onnxruntime"
    """What runs the network: onnxruntime, or openvino (an extra), a little faster for long clips."""
    frame: Literal["camera", "turned_camera"] | None = None
    """Axes of the results: those of the camera, or of a camera that is turned to look straight at the person.
    The axes of the weights when not given (turned_camera for the shipped ones); other axes need --focal."""
    focal: float | None = None
    """Focal length of the camera in pixels; not known when not given."""
    skeleton_out: str | None = None
    """Joints of the results, such as HALPE_26, BODY_25 or COCO_17; those of the weights when not given.
    Weights are chosen that give these joints. None is made up: asking for one that no weights give is an error."""
    gaps: Literal["mark", "fill", "cut"] = "mark"
    """What to do with gaps, the frames more than a quarter of a second away from any that shows the person:
    mark them in every format, fill them in without a mark, or cut them out (files for each stretch in between)."""


def lift(
    inputs: tyro.conf.Positional[tuple[Path, ...]],
    /,
    source: Annotated[InputOptions, tyro.conf.OmitArgPrefixes],
    video: Annotated[VideoOptions, tyro.conf.OmitArgPrefixes],
    lifting: Annotated[LiftOptions, tyro.conf.OmitArgPrefixes],
    world: Annotated[WorldOptions, tyro.conf.OmitArgPrefixes],
    output: Annotated[OutputOptions, tyro.conf.OmitArgPrefixes],
) -> int:
    """Lift videos or keypoint files to 3D motion.

    Args:
        inputs: Videos (- is one on standard input), keypoint files, or folders with a file for each frame;
            docs/keypoint_files.md shows which.
        source: How the inputs are read.
        video: How videos are read.
        lifting: How keypoints are lifted.
        world: How people are placed in the world.
        output: Where results are written.
    """
    if not inputs:
        raise FormatError("nothing to lift: name at least one video or keypoint file")
    unknown = set(output.formats) - set(KNOWN_FORMATS)
    if unknown or not output.formats:
        raise FormatError(f"unknown formats {', '.join(sorted(unknown))}; known: {', '.join(KNOWN_FORMATS)}")
    for ending in output.formats:
        pose_format(Path(f"clip.{ending}"), to="write")  # says so where a library is missing
    check_choice(source.people)
    world.check(lifting.focal, lifting.frame)
    names = [name_of(path) for path in inputs]
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise FormatError(
            f"several inputs are called {', '.join(sorted(repeated))} and would write the same files; "
            "lift them one by one into different folders"
        )
    if lifting.skeleton_out is not None:  # before anything is read
        get_skeleton(lifting.skeleton_out)
    open_lifter = cache(partial(load_lifter, engine=lifting.engine))
    if lifting.lifter != AUTO:  # before anything is read
        open_lifter(lifting.lifter)
    results, failed = Results(output, dict(zip(names, inputs, strict=True))), 0
    for path in inputs:
        try:
            _lift_input(path, (source, video, lifting, world), results, open_lifter)
        except PoseliftError as error:
            failed += 1
            say_error(error, path if len(inputs) > 1 else None)
    return 1 if failed else 0


def _lift_input(
    path: Path,
    options: tuple[InputOptions, VideoOptions, LiftOptions, WorldOptions],
    results: Results,
    open_lifter: Callable[[str], Lifter],
) -> None:
    """Lift everyone who is wanted in one file, place them, print what was done and write the results."""
    source, video, lifting, world = options
    results.reserve(path, source.people)  # before any work is done
    people = _read(path, source, video, results)
    for person in people:
        results.claim(person_name(path, person.person), path, page=len(people) == 1)
    _check(title_of(path, None), people, force=results.output.force)
    camera = world.camera(lifting.focal, people) if world.world and lifting.frame is None else None
    if world.world and lifting.frame is None and camera is None:
        print_plain(f"{title_of(path, None)}: {NO_SIZE}")
    copy = copies(path)
    lifted = [_lift_person(path, person, lifting, camera, open_lifter) for person in people]
    faults = [faults_in(person, poses.skeleton) if lifting.repair else None for person, poses in lifted]
    shown = [person if found is None else found.mended(person) for person, found in zip(people, faults, strict=True)]
    everyone = [poses for _, poses in lifted]
    if camera is not None:
        everyone = list(world.place(title_of(path, None), lifted))
    if lifting.skeleton_out is not None:
        everyone = [convert_poses(poses, lifting.skeleton_out) for poses in everyone]
    for person, poses in zip(people, everyone, strict=True):
        _describe(title_of(path, person.person), person, poses, cut=lifting.gaps == "cut")
    results.write_everyone(path, shown, everyone, copy, cut=lifting.gaps == "cut")


def _lift_person(
    path: Path,
    person: Keypoints2D,
    lifting: LiftOptions,
    camera: Camera | None,
    open_lifter: Callable[[str], Lifter],
) -> tuple[Keypoints2D, Poses3D]:
    """Lift one person; in the axes of a camera when there is one, to be placed before it."""
    title = title_of(path, person.person)
    auto = _choose(person, title, lifting, placed=camera is not None) if lifting.lifter == AUTO else lifting.lifter
    frame: str | None = lifting.frame
    if camera is not None:
        frame = CAMERA
    elif lifting.focal is not None:
        camera = _camera(lifting.focal, person)
    with progress(f"lifting {title}") as tick:
        poses = lift_keypoints(
            person, open_lifter(auto), flip_average=lifting.flip, repair=lifting.repair, frame=frame, camera=camera,
            gaps="fill" if lifting.gaps == "fill" else "mark", check=False, progress=tick,
        )  # fmt: skip
    return person, poses


def _read(path: Path, source: InputOptions, video: VideoOptions, results: Results) -> tuple[Keypoints2D, ...]:
    """Return the people who are wanted in one file."""
    own = not is_video(path)  # a skeleton, and the rate of a keypoint file, are not for the videos of the same call
    with progress(f"reading {title_of(path, None)}") as tick:
        everyone = read_everyone(
            path,
            skeleton=source.skeleton if own else None,
            fps=source.fps if own or video.raw else None,
            image_size=source.image_size if own or video.raw else None,
            frame_step=source.frame_step if own else None,
            video=VideoReading(model=video.detector_model, start_s=video.start, stop_s=video.stop, raw=video.raw),
            shortest_s=source.shortest,
            keep=results.keep,
            progress=tick,
        )
    return choose_people(everyone, source.people, str(path))


def _check(title: str, people: Sequence[Keypoints2D], *, force: bool) -> None:
    """Print what the checks find wrong with anyone in a file.

    Raises:
        FormatError: Something is an error, and `force` is off.
    """
    findings = [found for found in number_people([check(person) for person in people]) if found.severity != "info"]
    if findings:
        err.print(report(title, findings))
        for found in findings:
            add("findings", {"input": title, **plain(found)})
    if worst(findings) == "error" and not force:
        raise FormatError(
            "not lifted, because of the errors above: do what the advice says, or lift it as it is (--force)"
        )


def _choose(keypoints: Keypoints2D, title: str, lifting: LiftOptions, *, placed: bool) -> str:
    """Return the name of the shipped weights that suit a person's clip, and print it with the reason.

    People who are placed in the world are lifted with the weights that know feet, contacts and the direction up.
    """
    skeleton = lifting.skeleton_out
    if placed and skeleton is not None and not missing_joints(BODY_27, get_skeleton(skeleton)):
        skeleton = BODY_27.name
    choice = choose_shipped(fps=keypoints.fps, length=len(keypoints), skeleton=skeleton)
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
    if (doubtful := doubtful_pelvis(poses)).any():
        print_plain(f"{title}: frames {say_spans(spans(doubtful))}: {DOUBTFUL}")
    if poses.unseen:
        print_plain(f"{title}: nobody is seen in frames {say_spans(poses.unseen)}; they were filled in")
    if poses.gaps:
        print_plain(
            f"{title}: frames {say_spans(poses.gaps)} are more than {LONGEST_GUESS_S} s away from any that shows the "
            f"person; they were {'cut out' if cut else 'marked as gaps'}"
        )
