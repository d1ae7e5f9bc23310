"""Finds what is wrong with keypoints or a data set before they are lifted or trained on; reports and draws it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from rich.console import Console

from poselift.checks import Finding, Severity, check, number_people, worst, worst_first
from poselift.checks.body import Body
from poselift.checks.keypoints import blind, check_moments, sides_exchanged
from poselift.datasets.clip import BenchmarkSet
from poselift.doctor import perspective
from poselift.doctor.picture import draw
from poselift.doctor.report import report
from poselift.doctor.truth import check_truth
from poselift.errors import FormatError, MissingRate, PoseliftError, SkeletonError
from poselift.files import check_free, result_name, written_whole
from poselift.formats.order import order_score
from poselift.lifters.contract import Lifter
from poselift.lifters.load import load_lifter, shipped_lifters
from poselift.prepare.normalize import PERSON_SCALE
from poselift.read import is_video, read_keypoints
from poselift.sequence import Keypoints2D
from poselift.skeleton import SKELETONS

__all__ = ["Finding", "Severity", "diagnose", "doctor", "draw", "report", "worst"]

_NAMED = 3
_ANY_FPS = 30.0
"""Stand-in for a frame rate that is not known."""
_READ_AGAIN = "do what the message says (--fps, --detector-model) or convert the file, then look again"


def diagnose(
    subject: Keypoints2D | BenchmarkSet,
    *,
    lifter: Lifter | None = None,
    rate_known: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> list[Finding]:
    """Check one person's keypoints or a whole data set.

    Args:
        subject: Keypoints in any skeleton, or a benchmark's clips.
        lifter: Person-scale weights that help to find exchanged sides of keypoints without scores; the shipped ones
            when None. They are not used for data sets, whose 3D joints show the sides.
        rate_known: Whether the keypoints' `fps` is true; if not, checks that need it are left out.
        progress: Called with (clips done, clips in all) for a data set.

    Returns:
        Findings, the worst first; empty when there are none.

    Raises:
        KindError: `subject` is neither keypoints nor a data set.
    """
    if isinstance(subject, BenchmarkSet):
        return _diagnose_set(subject, progress)
    findings = [*check(subject, rate_known=rate_known), *check_moments(Body(subject, rate_known))]
    judged = blind(findings) or any(finding.check == "sides" for finding in findings)
    if subject.confidence is None and rate_known and not judged:  # scores show more than perspective does
        if reasons := perspective.exchanged(subject, lifter or _shipped()):
            findings.append(sides_exchanged(reasons))
    return worst_first(findings)


def doctor(
    inputs: Sequence[Path | BenchmarkSet],
    out: Path | None = None,
    *,
    skeleton: str | None = None,
    fps: float | None = None,
    detector_model: Path | None = None,
    force: bool = False,
    console: Console | None = None,
    tell: Callable[[str, Sequence[Finding], Sequence[Path]], None] | None = None,
) -> int:
    """Check keypoint files, videos and data sets, print what is wrong, and draw the joints with their names.

    Args:
        inputs: Files that `poselift.read.read_keypoints` reads, or loaded data sets.
        out: Folder for a drawing (SVG) of each person; none are made when None.
        skeleton: Skeleton of keypoint files, which gives the order of their joints; found from the file when None.
        fps: Frame rate of keypoint files in frames per second; the file's own when None. Where it has none, checks that
            need the rate are left out.
        detector_model: BlazePose file of the 2D detector for videos; the one in the package when None.
        force: Overwrite drawings.
        console: Console to print on; standard output when None.
        tell: Called for each input with its name, what was found, and the drawings that were made.

    Returns:
        The exit status: 1 when there is an error or something cannot be read, else 0.

    Raises:
        FormatError: There are no inputs.
        OutputError: A drawing cannot be written, or exists and `force` is off.
    """
    if not inputs:
        raise FormatError("nothing to look at: name at least one keypoint file, video or data set")
    console = console or Console()
    failed = False
    for item in inputs:
        if isinstance(item, BenchmarkSet):
            people = tuple(clip.keypoints for clip in item.clips[:1])  # an example to draw
            findings, name = diagnose(item), item.name
        else:
            name = str(item)
            joints, rate = (None, None) if is_video(item) else (skeleton, fps)
            people, findings = _people(item, joints, rate, detector_model)
        console.print(report(name, findings))
        failed |= worst(findings) == "error"
        drawings = [] if out is None else _draw_all(people, out, result_name(Path(name)), force)
        if tell is not None:
            tell(name, findings, drawings)
        for path in drawings:
            console.print(f"drawn: {path}", markup=False, highlight=False, soft_wrap=True)
    return int(failed)


def _people(
    path: Path, skeleton: str | None, fps: float | None, model: Path | None, *, rate_known: bool = True
) -> tuple[tuple[Keypoints2D, ...], list[Finding]]:
    """Return everyone in a file, and what is wrong with them or with the file itself."""
    findings: list[Finding] = []
    people: tuple[Keypoints2D, ...] = ()
    try:
        people = read_keypoints(path, skeleton=skeleton, fps=fps, model=model)
    except MissingRate:
        return _people(path, skeleton, _ANY_FPS, model, rate_known=False)
    except SkeletonError as error:
        findings.append(_unread(error, "order", "name the joints' order (--skeleton)"))
        return _read_in_any_order(path), findings  # for the drawing
    except PoseliftError as error:
        return (), [_unread(error, "file", _READ_AGAIN)]
    return people, number_people([diagnose(person, rate_known=rate_known) for person in people])


def _unread(error: PoseliftError, check: str, advice: str) -> Finding:
    return Finding("error", check, str(error), "the file cannot be lifted", advice)


def _read_in_any_order(path: Path) -> tuple[Keypoints2D, ...]:
    """Read a file in the order that its joints look most like; empty when no skeleton has as many joints."""
    best: tuple[float, tuple[Keypoints2D, ...]] = (-np.inf, ())
    for skeleton in SKELETONS.values():
        try:
            people = read_keypoints(path, skeleton=skeleton, fps=_ANY_FPS)
        except PoseliftError:
            continue
        likeness = float(np.nan_to_num(order_score(Body(people[0]).xy, skeleton), nan=-9))
        best = max(best, (likeness, people), key=lambda pair: pair[0])
    return best[1]


def _draw_all(people: Sequence[Keypoints2D], out: Path, name: str, force: bool) -> list[Path]:
    """Draw each person, and return the paths of the drawings."""
    paths = [out / f"{name}{'' if one.person is None else f'_person{one.person}'}.svg" for one in people]
    for path in paths:
        check_free(path, overwrite=force)
    for path, person in zip(paths, people, strict=True):
        with written_whole(path, overwrite=force) as file:
            file.write_text(draw(person, path.stem), encoding="utf-8")
    return paths


def _diagnose_set(dataset: BenchmarkSet, progress: Callable[[int, int], None] | None) -> list[Finding]:
    """Return the findings of all clips, each kind once, with the clips where it was found."""
    where: dict[tuple[Severity, str], list[tuple[Finding, str]]] = {}
    for done, clip in enumerate(dataset.clips, 1):
        for finding in [*check(clip.keypoints), *check_moments(Body(clip.keypoints)), *check_truth(clip)]:
            name = f"{clip.subject} {clip.sequence} {clip.camera}"
            where.setdefault((finding.severity, finding.check), []).append((finding, name))
        if progress:
            progress(done, len(dataset.clips))
    if not dataset.clips:
        return [
            Finding(
                "error",
                "clips",
                "there are no clips",
                "there is nothing to train on or test",
                "check the path, and which data set it is (--dataset)",
            )  # fmt: skip
        ]
    merged = []
    for found in where.values():
        names = list(dict.fromkeys(name for _, name in found))
        shown = ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
        merged.append(replace(found[0][0], where=f"{len(names)} of {len(dataset.clips)} clips: {shown}"))
    return worst_first(merged)


@cache
def _shipped() -> Lifter | None:
    """Return the shipped weights if they exist and are person-scale, that is, do not use the place in the picture."""
    if not shipped_lifters():
        return None
    lifter = load_lifter(threads=1)
    return lifter if getattr(lifter, "normalization", PERSON_SCALE) == PERSON_SCALE else None
