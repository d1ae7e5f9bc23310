"""What a worker does: lift the clips of one shard and write it whole."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from poselift.bulk.plan import Shard
from poselift.bulk.said import count_note, notes_counted
from poselift.bulk.settings import Settings
from poselift.bulk.sources import PARQUET, Clip, rows_of
from poselift.bulk.together import BROKEN, Result, Together
from poselift.checks import check
from poselift.errors import FormatError
from poselift.files import written_whole
from poselift.formats import read_keypoints_file
from poselift.formats.clip import Override
from poselift.formats.keypoint_parquet import KeypointParquet
from poselift.formats.parquet import ShardPart, write_shard
from poselift.lifters.card import Card
from poselift.lifters.choose import choose
from poselift.lifters.load import AUTO, load_lifter, shipped_cards
from poselift.people import numbered, sighting, who_lasts, without_passers_by
from poselift.prepare.convert import convert_poses, missing_joints
from poselift.read import is_video
from poselift.refine import place
from poselift.sequence import Keypoints2D, Poses3D
from poselift.skeleton import BODY_27, get_skeleton

Tick = Callable[[int, int], None]
"""Takes the place in the shard of the clip that is begun, and the frames that were lifted since the last call."""


@dataclass(frozen=True)
class Report:
    """What became of a shard."""

    clips: int
    """Clips whose poses are in the file."""
    people: int
    """People in these clips."""
    frames: int
    """Rows of the file."""
    failed: tuple[Mapping[str, str], ...]
    """Of each clip that is not, the line of the file of failures."""
    left_out: int
    """People who only passed by."""
    said: Mapping[str, int]
    """What was said of clips, and how often."""
    seconds: float = 0.0
    """Processor time of the worker's thread in seconds."""
    network_s: float = 0.0
    """Of it, in the network."""

    @classmethod
    def of(cls, notes: Mapping[str, Any], seconds: float = 0.0, network_s: float = 0.0) -> "Report":
        """Return the report in the metadata of a shard that was done, before or by another machine in so much time."""
        failed = tuple(dict(line) for line in notes["failed"])
        counts = notes["clips"], notes["persons"], notes["frames"]
        return cls(*counts, failed, notes["left_out"], notes["said"], seconds, network_s)

    def notes(self) -> dict[str, Any]:
        """Return what `of` reads: everything but the times, so that equal runs write equal files."""
        return {
            "clips": self.clips, "persons": self.people, "frames": self.frames, "failed": list(self.failed),
            "left_out": self.left_out, "said": dict(sorted(self.said.items())),
        }  # fmt: skip


@dataclass(eq=False)
class _Open:
    """A clip of which some people are being lifted."""

    people: Sequence[Keypoints2D]
    found: dict[int, Poses3D] = field(default_factory=dict)


class Worker:
    """Lifts shards, one after the other, in one thread."""

    def __init__(self, settings: Settings) -> None:
        """Prepare; networks are opened when clips need them."""
        self._settings = settings
        skeleton = None if settings.skeleton is None else get_skeleton(settings.skeleton)
        self._override = Override(skeleton, settings.fps, settings.image_size)
        self._cards: Sequence[Card] = shipped_cards() if settings.lifter == AUTO else ()
        self._networks: dict[str, Together] = {}
        self._table: KeypointParquet | None = None

    def lift(self, shard: Shard, tick: Tick, skip: Mapping[int, str] | None = None) -> Report:
        """Lift the clips of a shard and write its file.

        Args:
            shard: The shard.
            tick: Called as each clip is begun.
            skip: By place, why clips are not lifted but count as failed.

        Raises:
            CheckpointError: The weights are not there, or broken.
            OutputError: The file cannot be written.
        """
        job = _Job(self, shard, tick)
        before, started = self.network_s, time.thread_time()
        if self._settings.lifter != AUTO:
            self._network(self._settings.lifter)  # broken weights are no fault of clips
        with notes_counted(job.said):
            for number, clip in enumerate(shard.clips):
                tick(number, 0)
                if skip and number in skip:
                    job.fail(number, FormatError(skip[number]))
                    continue
                self._lift_clip(job, number, clip)
            for together in self._networks.values():
                job.take(together.results(flush=True))
        report = job.report()
        with written_whole(shard.path, overwrite=True) as file:
            notes = {"made_from": shard.made_from} | report.notes()
            write_shard([part for _, part in sorted(job.parts.items())], file, notes)
        tick(len(shard.clips), job.frames_since())
        return replace(report, seconds=time.thread_time() - started, network_s=self.network_s - before)

    @property
    def network_s(self) -> float:
        """Processor time in networks so far, in seconds."""
        return sum(together.network_s for together in self._networks.values())

    def _lift_clip(self, job: "_Job", number: int, clip: Clip) -> None:
        """Read a clip, and give its people to the networks; what is broken is noted."""
        try:
            people = self._read(clip, job)
            self._check(people, job)
            networks = [self._network(self._choose(person)) for person in people]
            job.open[number] = _Open(people)
            for person, (together, keypoints) in enumerate(zip(networks, people, strict=True)):
                together.add((number, person), keypoints)
        except BROKEN as error:
            job.fail(number, error)
        for together in self._networks.values():
            job.take(together.results())

    def _read(self, clip: Clip, job: "_Job") -> tuple[Keypoints2D, ...]:
        """Return the people of a clip who did not just pass by."""
        shortest_s = self._settings.shortest_s
        if is_video(clip.path):
            raise FormatError(
                f"{clip.path} is a video: detect its keypoints first (poselift lift {clip.path} --keypoints-out "
                "FILE.npz)"
            )
        if clip.path.lower().endswith(PARQUET):
            if self._table is None or str(self._table.path) != clip.path:
                self._table = KeypointParquet(clip.path)
            if clip.rows is None:
                list(self._table.clips())  # says what is wrong with it
                raise FormatError(f"{clip.path} was broken when the run began; give the command again")
            everyone = self._table.read(rows_of(clip), self._override)
            seen = [sighting(person) for person in everyone]
            seconds = [0.0 if one is None else one.seconds for one in seen]
            lasting = who_lasts(seconds, max(seconds), shortest_s)
            people = tuple(person for person, lasts in zip(everyone, lasting, strict=True) if lasts)
        else:
            override = self._override
            everyone = read_keypoints_file(
                clip.path, skeleton=override.skeleton, fps=override.fps, image_size=override.image_size
            )
            people = without_passers_by(everyone, clip.path, shortest_s)
        job.left_out += len(everyone) - len(people)
        return numbered(people)

    def _check(self, people: Sequence[Keypoints2D], job: "_Job") -> None:
        """Count what the checks find in anybody.

        Raises:
            FormatError: Something is an error, so that lifting would go wrong.
        """
        for person in people if self._settings.check else ():
            for finding in check(person):
                if finding.severity == "error":
                    raise FormatError(f"{finding.check}: {finding.wrong}; then {finding.effect}; {finding.advice}")
                if finding.severity == "warning":
                    count_note(job.said, f"the check of {finding.check} warns (poselift doctor says more)")

    def _choose(self, person: Keypoints2D) -> str:
        """Return the name of the weights for a person's clip."""
        settings = self._settings
        if settings.lifter != AUTO:
            return settings.lifter
        wanted = settings.wanted
        if settings.world and wanted is not None and not missing_joints(BODY_27, wanted):
            wanted = BODY_27
        return choose(self._cards, fps=person.fps, length=len(person), skeleton=wanted).card.name

    def _network(self, name: str) -> Together:
        if name not in self._networks:
            lifter = load_lifter(name, threads=1)
            self._networks[name] = Together(lifter, flip=self._settings.flip, repair=self._settings.repair)
        return self._networks[name]

    def finish(self, people: Sequence[Keypoints2D], poses: Sequence[Poses3D]) -> Sequence[Poses3D]:
        """Return the poses of everyone in a clip as they are written: placed and in the joints that are wanted."""
        if self._settings.world:
            scene = place(list(zip(people, poses, strict=True)))
            said = "; ".join(map(str, scene.report.steps))
            poses = [replace(person, about=dict(person.about) | {"world": said}) for person in scene.people]
        if self._settings.skeleton_out is not None:
            poses = [convert_poses(person, self._settings.skeleton_out) for person in poses]
        return poses


class _Job:
    """A shard that is being made."""

    def __init__(self, worker: Worker, shard: Shard, tick: Tick) -> None:
        self.said: Counter[str] = Counter()
        self.left_out = 0
        self.open: dict[int, _Open] = {}
        self.parts: dict[int, ShardPart] = {}
        self._failed: dict[int, dict[str, str]] = {}
        self._worker, self._shard, self._tick = worker, shard, tick
        self._frames = self._told = 0

    def fail(self, number: int, error: BaseException) -> None:
        """Note that a clip is broken; what is lifted of it already is dropped."""
        clip = self._shard.clips[number]
        self.open.pop(number, None)
        message = str(error) or type(error).__name__
        self._failed.setdefault(
            number, {"clip": clip.name, "path": clip.path, "error": type(error).__name__, "message": message}
        )

    def take(self, results: Iterable[Result]) -> None:
        """Take what networks have lifted; a clip is closed when everyone in it is there."""
        for (number, person), poses in results:
            clip = self.open.get(number)
            if clip is None:
                continue  # somebody else in the clip failed
            if isinstance(poses, Exception):
                self.fail(number, poses)
                continue
            clip.found[person] = poses
            if len(clip.found) == len(clip.people):
                self._close(number, clip)

    def _close(self, number: int, clip: _Open) -> None:
        del self.open[number]
        try:
            people = self._worker.finish(clip.people, [clip.found[place] for place in range(len(clip.people))])
            self.parts[number] = ShardPart.of(people, self._shard.clips[number].name)
        except BROKEN as error:
            self.fail(number, error)
            return
        self._frames += self.parts[number].rows.num_rows
        self._tick(number, self.frames_since())

    def frames_since(self) -> int:
        """Return how many frames were lifted since the last call."""
        since, self._told = self._frames - self._told, self._frames
        return since

    def report(self) -> Report:
        """Return what became of the shard."""
        assert not self.open, "every clip is lifted or failed"
        failed = tuple(line for _, line in sorted(self._failed.items()))
        people = sum(len(part.people) for part in self.parts.values())
        return Report(len(self.parts), people, self._frames, failed, self.left_out, dict(self.said))
