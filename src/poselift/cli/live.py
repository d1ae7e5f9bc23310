"""The verb that lifts a stream."""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import tyro

from poselift.cli.answer import record
from poselift.cli.console import err, print_plain
from poselift.detect.container import StandardInput
from poselift.errors import FormatError, ShapeError
from poselift.lifters.load import AUTO, load_lifter
from poselift.live import LiveLifter
from poselift.live.largest import LargestPerson
from poselift.live.lines import People, parse_people, poses_line
from poselift.live.pipeline import Pipeline, paced
from poselift.live.vmc import VmcSender, address
from poselift.live.web import WebSocket
from poselift.people import LARGEST
from poselift.refine.focal import focal_of_fov
from poselift.refine.online import WorldOptions
from poselift.sequence import Poses3D
from poselift.skeleton import Skeleton, get_skeleton

_LONGEST_SIDE = 1280
"""Larger pictures are shrunk before detection, which looks at 256 pixels a person."""
_LONGEST_LINE = 1 << 24
"""Bytes of the longest line of keypoints that is read."""
_TIMED = 5000
"""Frames of which times are kept for the report."""
STANDARD_INPUT = "-"
_Output = Callable[[Sequence[Poses3D], float, bool | None], None]
"""Takes everybody's pose, the time of the frame, and whether the world's floor holds (None without a world)."""


@dataclass(frozen=True, kw_only=True)
class SourceOptions:
    """Where frames come from."""

    input: str = "0"
    """Number or device path of a camera, a video file (played at its pace), or - for keypoints on standard input, one
    JSON object a line: {"time_s": 0.02, "skeleton": "COCO_17", "people": [[[x, y, confidence], ...], ...]}."""
    skeleton: str | None = None
    """Skeleton of keypoints whose lines do not name it, such as COCO_17."""
    size: tuple[int, int] | None = None
    """Width and height to ask a camera for, in pixels."""
    image_size: tuple[int, int] | None = None
    """Width and height of the picture that keypoints on standard input come from, in pixels; the world needs it."""
    fps: float | None = None
    """Frame rate to ask a camera for."""
    detector_model: Path | None = None
    """BlazePose file of the 2D detector; the one in the package when not given."""


@dataclass(frozen=True, kw_only=True)
class LiveOptions:
    """How frames are lifted."""

    lifter: str = AUTO
    """Name of shipped weights, path of an .onnx file, or module:Class; auto chooses by the delay."""
    delay: float = 0.0
    """Seconds by which poses may be late: 0 gives each frame's pose at once; 0.16 jitters less, and costs a ninth; 0.24
    gives what a clip would give; 0.42, 0.96 and 2.58 take weights that look ahead, which are more accurate."""
    people: Literal["all", "largest"] = "all"
    """Who is lifted: everybody, numbered; or largest, whoever is largest in the picture, which is surer for one person
    before the camera."""
    smooth: bool = False
    """Smooth the joints by a one-euro filter, which comes late by some more; the report says by how much."""
    repair: bool = True
    """Leave out frames to which a body jumps, and joints that jump, until they have stayed there for a while."""


@dataclass(frozen=True, kw_only=True)
class PlaceOptions:
    """How people are placed in the world, as in poselift lift."""

    world: bool = True
    """Place everybody in one world: z up, metres, the floor at 0. It needs a camera at rest and the picture's size,
    which cameras and videos have. Up, floor and sizes converge while frames come, and then hold."""
    height: float | None = None
    """Height of the people in metres; an adult's mean (1.70) when not given."""
    focal: float | None = None
    """Focal length in pixels of the picture; a usual one when not given."""
    fov: float | None = None
    """Horizontal field of view of the camera in degrees, instead of --focal."""
    camera_pitch: float | None = None
    """Degrees by which the camera looks down; found from the stream when not given."""
    camera_roll: float | None = None
    """Degrees by which the camera is turned clockwise; found from the stream when not given."""
    contacts: bool = True
    """Feet that touch the ground are at rest. --no-contacts is for treadmills."""

    def check(self) -> None:
        """Refuse what contradicts itself or cannot be, before anything is opened.

        Raises:
            FormatError: Both focal length and field of view are given, or nobody is placed.
            ShapeError: A number is out of range.
        """
        if self.focal is not None and self.fov is not None:
            raise FormatError("--focal and --fov say the same thing; give one of them")
        said = {"--height": self.height, "--focal": self.focal, "--fov": self.fov}
        said |= {"--camera-pitch": self.camera_pitch, "--camera-roll": self.camera_roll}
        given = [flag for flag, value in said.items() if value is not None]
        if given and not self.world:
            raise FormatError(
                f"{', '.join(given)}: for people who are placed in the world, and --no-world places nobody"
            )
        self.options((1, 1))

    def options(self, image_size: tuple[int, int], shrunk: float = 1.0) -> WorldOptions:
        """Return what is known of the world, for a picture (width, height) that was shrunk by a factor."""
        focal = None if self.focal is None else self.focal * shrunk
        focal = focal if self.fov is None else focal_of_fov(self.fov, image_size)
        return WorldOptions(
            height_m=self.height, focal_px=focal, pitch_deg=self.camera_pitch, roll_deg=self.camera_roll,
            contacts=self.contacts,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class SinkOptions:
    """Where poses go."""

    lines: bool = True
    """Write a JSON object for each frame to standard output."""
    vmc: str | None = None
    """HOST:PORT, or PORT on this machine, of a program that receives avatars by the VMC protocol over OSC."""
    ws: int | None = None
    """Port of this machine at which to serve the same lines by WebSocket."""


@dataclass
class _Frame:
    """A frame on its way, with the moments at which it passed."""

    time_s: float
    content: Any
    came_s: float
    spent_s: dict[str, float] = field(default_factory=dict)
    settled: bool | None = None
    """Whether the world's floor holds; None without a world."""


def live(
    source: Annotated[SourceOptions, tyro.conf.OmitArgPrefixes],
    lifting: Annotated[LiveOptions, tyro.conf.OmitArgPrefixes],
    placing: Annotated[PlaceOptions, tyro.conf.OmitArgPrefixes],
    sinks: Annotated[SinkOptions, tyro.conf.OmitArgPrefixes],
) -> int:
    """Lift a camera, a video or a stream of keypoints to 3D while it runs; Ctrl-C ends it.

    Args:
        source: Where frames come from.
        lifting: How frames are lifted.
        placing: How people are placed in the world.
        sinks: Where poses go.
    """
    if not (sinks.lines or sinks.vmc or sinks.ws is not None):
        raise FormatError("nowhere to send poses to: leave out --no-lines, or give --vmc HOST:PORT or --ws PORT")
    if not 0 <= lifting.delay < 3600:
        raise ShapeError(f"wanted a delay (--delay) from 0 to 3600 seconds, got {lifting.delay:g}")
    placing.check()
    skeleton = None if source.skeleton is None else get_skeleton(source.skeleton)
    network = None if lifting.lifter == AUTO else load_lifter(lifting.lifter, threads=1)
    lifter = LiveLifter(
        network, delay_s=lifting.delay, smooth=lifting.smooth, image_size=source.image_size, repair=lifting.repair
    )
    times: dict[str, deque[float]] = {}
    with ExitStack() as stack:
        outputs = _outputs(sinks, stack)
        pipeline = _pipeline(source, skeleton, lifter, placing, lifting.people == LARGEST)
        if not placing.world:
            where = "relative to the pelvis"
        elif source.input == STANDARD_INPUT and source.image_size is None:
            where = "relative to the pelvis, as the picture's size is not known (--image-size WIDTH HEIGHT)"
        else:
            where = "in the world, whose floor converges and then holds (--no-world: relative to the pelvis)"
        print_plain(f"live: poses are {1000 * lifter.delay_s:.0f} ms late, and {where}; Ctrl-C ends", err)
        frames = stack.enter_context(closing(iter(pipeline)))  # type: ignore[type-var]
        try:
            for frame in frames:
                started = time.monotonic()
                for send in outputs:
                    send(frame.content, frame.time_s, frame.settled)
                frame.spent_s["output"] = time.monotonic() - started
                frame.spent_s["from frame to pose sent"] = time.monotonic() - frame.came_s
                for name, seconds in frame.spent_s.items():
                    times.setdefault(name, deque(maxlen=_TIMED)).append(seconds)
                if getattr(sys.stdout, "error", None) is not None and len(outputs) == sinks.lines:
                    break  # nobody reads the only output
        finally:
            _report(lifter, pipeline, times)
    return 0


def _pipeline(
    source: SourceOptions, skeleton: Skeleton | None, lifter: LiveLifter, placing: PlaceOptions, one: bool
) -> Pipeline:
    """Return the threads from the source to the poses, of `one` person or of everybody."""
    size: tuple[int, int] | None = None
    largest = LargestPerson()
    shrunk = 1.0

    def lift(frame: _Frame) -> _Frame:
        nonlocal size
        started = time.monotonic()
        people: People = frame.content
        if placing.world and people.image_size not in (None, size):
            size = people.image_size
            assert size is not None
            lifter.resize(size, placing.options(size, shrunk))
        if one:
            pose = lifter.push(largest(people.keypoints), people.skeleton, people.time_s)
            frame.content = () if pose is None else (replace(pose, person=1),)
        else:
            frame.content = lifter.push_people(people.keypoints, people.skeleton, people.time_s)
        frame.settled = None if lifter.room is None else lifter.room.settled
        frame.spent_s["lifting"] = time.monotonic() - started
        return frame

    if source.input == STANDARD_INPUT:
        standard = StandardInput()
        return Pipeline(_keypoints(standard, skeleton, source.image_size), [lift], drop=False, leave=standard.close)
    from poselift.detect.camera import camera_pictures, is_camera
    from poselift.detect.people import open_detector
    from poselift.detect.video import open_video

    detector = open_detector(source.detector_model)

    def pictures() -> Iterator[_Frame]:
        nonlocal shrunk
        if is_camera(source.input):
            for time_s, rgb in camera_pictures(source.input, size=source.size, fps=source.fps):
                yield _Frame(time_s, rgb, time.monotonic())
            return
        with open_video(source.input) as video:
            shrunk = min(1.0, _LONGEST_SIDE / max(video.info.width, video.info.height))
            for time_s, rgb in paced(video.pictures(longest_side=_LONGEST_SIDE)):
                yield _Frame(time_s, rgb, time.monotonic())

    def detect(frame: _Frame) -> _Frame:
        started = time.monotonic()
        size = frame.content.shape[1], frame.content.shape[0]
        frame.content = People(frame.time_s, detector(frame.content, frame.time_s), detector.skeleton, size)
        frame.spent_s["detection"] = time.monotonic() - started
        return frame

    return Pipeline(pictures(), [detect, lift], drop=True, leave=lambda: None)


def _keypoints(
    source: StandardInput, skeleton: Skeleton | None, image_size: tuple[int, int] | None
) -> Iterator[_Frame]:
    """Yield the frames on standard input, each as soon as its line is whole."""
    rest, number = b"", 0
    while True:
        read = source.read(1 << 16)
        *lines, rest = (rest + read).split(b"\n")
        if len(rest) > _LONGEST_LINE:
            raise FormatError(f"line {number + 1} of the keypoints has no end; wanted one JSON object a line")
        for line in lines if read else [rest]:
            number += 1
            if line.strip():
                people = replace(parse_people(line, number, skeleton), image_size=image_size)
                yield _Frame(people.time_s, people, time.monotonic())
        if not read:
            return


def _outputs(sinks: SinkOptions, stack: ExitStack) -> list[_Output]:
    """Open every output that is asked for."""
    outputs: list[_Output] = []
    if sinks.vmc is not None:
        sender = VmcSender(*address(sinks.vmc))
        stack.callback(sender.close)
        outputs.append(lambda poses, time_s, _: sender.send(poses, time_s))
    if sinks.ws is not None:
        web = WebSocket(sinks.ws)
        stack.callback(web.close)
        print_plain(f"serving lines at ws://127.0.0.1:{web.port}", err)
        outputs.append(lambda poses, time_s, settled: web.send(poses_line(poses, time_s, settled=settled)))
    if sinks.lines:
        outputs.append(_write)
    return outputs


def _write(poses: Sequence[Poses3D], time_s: float, settled: bool | None) -> None:
    """Write a frame's line to standard output at once."""
    sys.stdout.write(poses_line(poses, time_s, settled=settled) + "\n")
    sys.stdout.flush()


def _report(lifter: LiveLifter, pipeline: Pipeline, times: dict[str, deque[float]]) -> None:
    """Print what went in, what was dropped, and where the time went."""
    counts, dropped = lifter.counts, sum(pipeline.dropped)
    record(
        frames=counts.frames, dropped=dropped, late=counts.late, repeated=counts.repeated, people=counts.people,
        left_out=counts.left_out, delay_s=lifter.delay_s, smoothing_delay_s=lifter.smoothing_delay_s or 0.0,
        times_ms={
            name: {"median": 1000 * np.median(seconds), "p95": 1000 * np.quantile(seconds, 0.95)}
            for name, seconds in times.items()
        },
    )  # fmt: skip
    if not counts.frames and not dropped:
        return  # what went wrong is said already
    late = f", and {1000 * lifter.smoothing_delay_s:.0f} ms by smoothing" if lifter.smoothing_delay_s else ""
    left_out = f"; {counts.left_out} frames left out in which a body jumped (--no-repair)" if counts.left_out else ""
    print_plain(
        f"live: {counts.frames} frames lifted, {dropped} dropped because they came too fast, {counts.late} late and "
        f"{counts.repeated} repeated ones ignored; {counts.people} people; poses {1000 * lifter.delay_s:.0f} ms late"
        + late
        + left_out,
        err,
    )
    spent = [
        f"{name} {1000 * np.median(seconds):.1f} ({1000 * np.quantile(seconds, 0.95):.1f})"
        for name, seconds in times.items()
    ]
    if spent:
        print_plain(f"live: milliseconds, median (95 %): {', '.join(spent)}", err)
