"""The files that `poselift lift` writes: their names, and that none replaces an input or another result."""

import glob
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from poselift.cli.answer import add, record
from poselift.cli.console import print_plain
from poselift.errors import FormatError, OutputExistsError
from poselift.files import FOLDER, check_free, check_no_input, found_at, result_name
from poselift.formats import PEOPLE_ENDINGS, files_of, frame_files, save_poses, write_people
from poselift.formats.angle_table import ANGLES_END, save_angles
from poselift.formats.table import POSE_FORMATS
from poselift.people import ALL
from poselift.read import STANDARD_INPUT, is_video
from poselift.refine.angles import joint_angles
from poselift.sequence import CAMERA, TURNED_CAMERA, WORLD, Keypoints2D, Poses3D
from poselift.viewer import SmallCopy, small_copy, write_viewer

FORMATS = ("npz", "csv", "json", "bvh", "html")
"""Endings of the results that are written by default."""
KNOWN_FORMATS = tuple(ending.removeprefix(".") for ending in POSE_FORMATS)
"""Endings of the results that can be written."""
_AXES = {CAMERA: "the camera", TURNED_CAMERA: "a camera turned to the person", WORLD: "the world"}


@dataclass(frozen=True, kw_only=True)
class FigureOptions:
    """The figure in files of animations."""

    rig: Literal["poselift", "mixamo", "vrm", "unity", "unreal", "cmu", "rokoko"] = "poselift"
    """Names, chain and rest pose of the figure in BVH and GLB files (docs/animation.md)."""
    unit: Literal["cm", "m", "mm", "in"] = "cm"
    """Unit of length in BVH files. Blender takes the numbers for metres, so that m spares setting its Scale."""

    def of(self, ending: str) -> dict[str, str]:
        """Return the options that a format has, for `save_poses`; its ending is without a point."""
        return {name: value for name, value in vars(self).items() if name in POSE_FORMATS[f".{ending}"].options}


@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """Where results are written."""

    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Folder for the results: poses (npz, csv, json), BVH, and an HTML page that shows them. Where an input shows
    several people, their numbers are in the names; one page shows all of them."""
    formats: tuple[str, ...] = FORMATS
    """Formats to write: also glb and vrma (animations), trc and mot (for OpenSim), c3d and parquet
    (docs/formats.md)."""
    figure: tyro.conf.OmitArgPrefixes[FigureOptions] = field(default_factory=FigureOptions)
    """The figure in BVH and GLB files."""
    angles: bool = False
    """Write the joint angles too, as a table called NAME_angles.csv (docs/angles.md)."""
    keypoints_out: Path | None = None
    """File (npz) for the keypoints of everyone in one input; `poselift lift` reads it, so that a video is looked at
    once. What was detected is written even when Ctrl-C or SIGTERM ends the work."""
    force: bool = False
    """Overwrite results that exist, and lift inputs in which the checks find errors.
    Without it, such inputs are left out, and the status is 1."""


def name_of(path: Path) -> str:
    """Return the name, without ending, of the results of an input."""
    return "stdin" if str(path) == STANDARD_INPUT else result_name(path)


def person_name(path: Path, person: int | None) -> str:
    """Return the name, without ending, of the results of a person; somebody who is alone has the input's name."""
    return name_of(path) if person is None else f"{name_of(path)}_person{person}"


def title_of(path: Path, person: int | None) -> str:
    """Return what an input's person is called in messages and on pages."""
    name = "standard input" if str(path) == STANDARD_INPUT else path.name
    return name if person is None else f"{name}, person {person}"


@dataclass(frozen=True)
class Results:
    """The files that a call may write: no two inputs write the same one, and none replaces an input."""

    output: OutputOptions
    """Their folder, their formats, and whether results of an earlier call may be replaced."""
    taken: dict[str, Path]
    """Name of results, without ending: the input that they are made from. It holds all inputs from the start."""

    def reserve(self, path: Path, people: str) -> None:
        """Check, before any work is done, that the results of an input can be written.

        Args:
            path: The input.
            people: Who is wanted, as `poselift.people.choose_people` takes it.

        Raises:
            FormatError: Another input of this call writes results of the same name.
            OutputExistsError: Results exist and may not be replaced, or one of them is an input.
        """
        first = name_of(path)
        self._check_keypoints_out()
        self.claim(first, path)
        if people.isdecimal():
            self.claim(f"{first}_person{people}", path, keep=False)
        elif people == ALL and not self.output.force:
            for ending in self.output.formats:
                if ending == "html":  # of several people there is one page, whose name is the input's
                    continue
                for file in self.output.out.glob(f"{glob.escape(first)}_person*.{ending}"):
                    if re.fullmatch(r"\d+", file.stem.removeprefix(f"{first}_person")):
                        check_free(file)

    def claim(self, name: str, path: Path, *, keep: bool = True, page: bool = True) -> None:
        """Take a name for the results of an input, or only look whether it could be taken; with or without a page.

        The errors are those of `reserve`.
        """
        if (other := self.taken.get(name, path)) != path:
            raise FormatError(
                f"the results of a person in {path} and those of {other} would both be called {name}; "
                "lift them one by one into different folders"
            )
        if keep:
            self.taken[name] = path
        formats = [ending for ending in self.output.formats if page or ending != "html"]
        endings = [f".{ending}" for ending in formats] + [ANGLES_END] * self.output.angles
        for ending in endings:
            for target in files_of(self.output.out / f"{name}{ending}"):
                check_no_input(target, self._input_files())
                if self.output.keypoints_out is not None and target.resolve() == self.output.keypoints_out.resolve():
                    raise OutputExistsError(f"{target} holds the poses; choose another file for --keypoints-out")
                check_free(target, overwrite=self.output.force)

    def _check_keypoints_out(self) -> None:
        """Check that the keypoints can be written; raises what `reserve` raises."""
        file = self.output.keypoints_out
        if file is None:
            return
        if len(set(self.taken.values())) > 1:
            raise FormatError("--keypoints-out takes the keypoints of one input; lift the inputs one by one")
        if file.suffix.lower() not in PEOPLE_ENDINGS:
            raise FormatError(f"wanted --keypoints-out as an .npz file, got {file}")
        check_no_input(file, self._input_files())
        check_free(file, overwrite=self.output.force)

    def keep(self, people: tuple[Keypoints2D, ...], complete: bool) -> None:
        """Write the keypoints of everyone in an input, if they are asked for."""
        file = self.output.keypoints_out
        if file is not None:
            write_people(people, file, complete=complete, overwrite=self.output.force)
            record(keypoints=file)
            part = "" if complete else f" (of the first {len(people[0])} frames: the work was interrupted)"
            print_plain(f"-> {file}, keypoints of {len(people)} people{part}")

    def _input_files(self) -> Iterator[Path]:
        """Yield every file that the call reads."""
        for path in self.taken.values():
            try:
                yield from frame_files(path) if found_at(path) == FOLDER else [path]
            except FormatError:  # it cannot be read, so that nothing can be lost
                continue

    def write_everyone(
        self, path: Path, keypoints: Sequence[Keypoints2D], everyone: Sequence[Poses3D], copy: "Copy", *, cut: bool
    ) -> None:
        """Write all people of an input: each in files of their own, and several on one page, with the input's name.

        Args:
            path: The input.
            keypoints: Those of each person.
            everyone: The poses of each person.
            copy: Returns a small copy of the video, for the page.
            cut: Whether gaps are cut out; a page of several people marks them.
        """
        formats = self.output.formats
        together = len(everyone) > 1 and "html" in formats
        for shown, poses in zip(keypoints, everyone, strict=True):
            own = tuple(ending for ending in formats if not (together and ending == "html"))
            self._write_person(path, shown, poses, copy, own, cut=cut)
        if together:
            target, video = self.output.out / f"{name_of(path)}.html", copy(everyone[0], len(everyone))
            write_viewer(
                everyone, target, keypoints=keypoints, video=video, title=title_of(path, None),
                overwrite=self.output.force,
            )  # fmt: skip
            add("pages", target)
            print_plain(f"-> {target}, everybody on one page")

    def _write_person(
        self, path: Path, keypoints: Keypoints2D, poses: Poses3D, copy: "Copy", formats: tuple[str, ...], *, cut: bool
    ) -> None:
        """Write one person in some formats; with `cut`, each stretch between gaps into files of its own.

        Args:
            path: The input.
            keypoints: The person's keypoints.
            poses: The person's poses.
            copy: Returns a small copy of the video, for the page.
            formats: Endings of the files.
            cut: Whether gaps are cut out.
        """
        name = person_name(path, keypoints.person)
        parts = poses.without_gaps() if cut and poses.gaps else (poses,)
        if not parts:
            raise FormatError(f"{name}: all frames are gaps, so that nothing is left to write; use --gaps mark")
        for number, part in enumerate(parts, 1):
            own = name if len(parts) == 1 else f"{name}_part{number}"
            self.claim(own, path, page="html" in formats)
            shown = keypoints if len(part) == len(poses) else _during(keypoints, part)
            files: list[Path] = []
            for ending in formats:
                target, force = self.output.out / f"{own}.{ending}", self.output.force
                if ending == "html":
                    title = title_of(path, keypoints.person)
                    write_viewer(part, target, keypoints=shown, video=copy(part, 1), title=title, overwrite=force)
                else:
                    save_poses(part, target, overwrite=force, **self.output.figure.of(ending))
                files += files_of(target)
            if self.output.angles:
                files.append(self.output.out / f"{own}{ANGLES_END}")
                save_angles(joint_angles(part), files[-1], overwrite=self.output.force)
                print_plain(f"-> {files[-1]}")
            add("people", described(path, part, files))
            if formats:
                print_plain(f"-> {self.output.out / own}.{{{','.join(formats)}}} (axes of {_AXES[poses.frame]})")


def described(path: Path, poses: Poses3D, files: Sequence[Path]) -> dict[str, Any]:
    """Return what poses are, for the answer to a program."""
    return {
        "input": path, "person": poses.person, "frames": len(poses), "fps": poses.fps, "start_s": poses.start_s,
        "skeleton": poses.skeleton.name, "axes": poses.frame, "in_the_world": poses.path is not None,
        "unseen": poses.unseen, "gaps": poses.gaps, "about": poses.about, "files": files,
    }  # fmt: skip


Copy = Callable[[Poses3D, int], SmallCopy | None]
"""Returns a small copy of the video that poses came from, for a page of so many people; None where there is none."""


def copies(path: Path) -> Copy:
    """Return a function that makes the small copies of a video's parts, each once for everybody in it."""
    kept: dict[tuple[float, int, float, int], SmallCopy | None] = {}

    def copy(poses: Poses3D, people: int) -> SmallCopy | None:
        if not is_video(path) or str(path) == STANDARD_INPUT:
            return None
        part = (poses.start_s, len(poses), poses.fps, people)
        if part not in kept:
            kept[part] = small_copy(path, poses, people)
        return kept[part]

    return copy


def _during(keypoints: Keypoints2D, part: Poses3D) -> Keypoints2D:
    """Return the keypoints of a part's frames."""
    first = round((part.start_s - keypoints.start_s) * part.fps)
    kept = slice(first, first + len(part))
    scores = keypoints.confidence
    return keypoints.with_frames(keypoints.xy[kept], None if scores is None else scores[kept], keypoints.fps)
