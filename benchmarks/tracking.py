"""How often the tracker keeps people apart: crossings, returns and cost on scenes built from motion capture.

Usage: python benchmarks/tracking.py MOCAP.npz [--scenes 60] [--seed 0] [--json FILE]

`tracking_scenes.py` builds the scenes. A crossing is a stretch of frames in which the centers of two people in the
picture are closer than a third of their mean height (longer side of the true joints' box), or in which one of them is
hidden by the other; pauses shorter than 0.5 s do not end it. It counts if each of the two is found, by a detection that
shows nobody else, within the second before it and within the second after it. A person's track before (after) is the
one that has most of their last (first) five such detections. The outcome of a crossing is the worst of these over its
two people:

- kept: the track after is the track before.
- marked split: another track, which is nobody else's, and which says that it may continue the track before.
- unmarked split: another track, which is nobody else's, and which does not say so; or no track.
- exchanged: a track that belonged to somebody else before the crossing. A track belongs to the person of most of its
  detections; the tracker does not say this, so it is a silent exchange.

Crossings in which a person is not found for longer than a second are counted apart. A return is a person's stretch
outside the picture of 1 to 20 s; its outcomes are named alike. `impure` is the share of detections that lie on a track
which belongs to somebody else.
"""

import argparse
import json
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tracking_scenes import Scene, scene, stretches

from poselift.datasets.clip import MocapClip
from poselift.datasets.mocap import load_mocap
from poselift.track import Track, track_clip

OUTCOMES = ("kept", "marked split", "unmarked split", "exchanged")
NEAR = 1 / 3
WITHIN_S = 1.0
PAUSE_S = 0.5
LONGEST_HIDDEN_S = 1.0
DETECTIONS = 5


@dataclass
class Score:
    """Counts over scenes."""

    crossings: Counter[str] = field(default_factory=Counter)
    """Outcomes of crossings in which nobody was out of sight for longer than a second."""
    long_crossings: Counter[str] = field(default_factory=Counter)
    """Outcomes of the others."""
    returns: Counter[str] = field(default_factory=Counter)
    """Outcomes of returns."""
    by_kind: dict[str, Counter[str]] = field(default_factory=dict)
    """Outcomes of crossings by what the detector did."""
    impure: int = 0
    """Detections on a track that belongs to somebody else."""
    detections: int = 0
    """Detections that show one person."""
    seconds: float = 0.0
    """Processor time that tracking took."""
    frames: int = 0
    """Frames tracked."""
    failures: list[str] = field(default_factory=list)
    """The crossings and returns that were not kept."""


def numbers_of(tracks: list[Track], made: Scene) -> np.ndarray:
    """Return (N, T) the number of the track that each person's detection is on; -1 for none, -2 for not found.

    Of two detections of one person, one at most is on a track.
    """
    number = [np.full(len(people), -1) for people in made.detections]
    for index, track in enumerate(tracks):
        for frame, place in zip(track.frames, track.places, strict=True):
            number[frame][place] = index
    rows = np.full((made.people, len(made.times_s)), -2)
    for frame, owners in enumerate(made.owners):
        for place, owner in enumerate(owners):
            if owner >= 0:
                rows[owner, frame] = max(number[frame][place], rows[owner, frame])
    return rows


def meetings(made: Scene, one: int, other: int) -> list[tuple[int, int]]:
    """Return (first, after the last) frame of each meeting of two people."""
    size = np.ptp(made.xy[[one, other]], axis=2).max(-1).mean(0)
    apart = np.linalg.norm(made.xy[one].mean(1) - made.xy[other].mean(1), axis=-1) / size
    near = (apart < NEAR) & made.inside[one] & made.inside[other]
    for back, front, first, last, _ in made.events:
        if {back, front} == {one, other}:
            near[first:last] = True
    return stretches(near, round(PAUSE_S * made.fps))


def majority(numbers: np.ndarray) -> int:
    """Return the commonest number."""
    return Counter(numbers.tolist()).most_common(1)[0][0]


def ends(row: np.ndarray, first: int, last: int, within: int) -> tuple[int, int, int] | None:
    """Return a person's track before and after some frames, and for how many frames they were not found in between."""
    found = np.flatnonzero(row > -2)
    before = found[(found < first) & (found >= first - within)][-DETECTIONS:]
    after = found[(found >= last) & (found < last + within)][:DETECTIONS]
    if not len(before) or not len(after):
        return None
    between = found[(found >= before[-1]) & (found <= after[0])]
    return majority(row[before]), majority(row[after]), int(np.diff(between).max()) - 1


def outcome(person: int, before: int, after: int, owners: dict[int, int], tracks: list[Track]) -> str:
    """Return what became of a person between two tracks."""
    if after == before and after >= 0:
        return "kept"
    if after >= 0 and owners.get(after, person) != person:
        return "exchanged"
    reached, frontier = set[int](), {after}
    while frontier and after >= 0:
        frontier = {n for i in frontier for n in getattr(tracks[i], "may_continue", ())} - reached
        reached |= frontier
    return "marked split" if before in reached and before >= 0 else "unmarked split"


def judge(score: Score, name: str, made: Scene, tracks: list[Track]) -> None:
    """Add a scene's outcomes to the score."""
    rows = numbers_of(tracks, made)
    owned = {n: rows == n for n in np.unique(rows[rows >= 0])}
    score.impure += sum(int(mask.sum() - mask.sum(1).max()) for mask in owned.values())
    score.detections += int((rows > -2).sum())
    within = round(WITHIN_S * made.fps)
    for one in range(made.people):
        for other in range(one):
            for first, last in meetings(made, one, other):
                found = [(person, ends(rows[person], first, last, within)) for person in (one, other)]
                if any(end is None for _, end in found):
                    continue
                was = {n: int(mask[:, :first].sum(1).argmax()) for n, mask in owned.items() if mask[:, :first].any()}
                results = [outcome(person, end[0], end[1], was, tracks) for person, end in found]
                worst = max(results, key=OUTCOMES.index)
                long = max(end[2] for _, end in found) > LONGEST_HIDDEN_S * made.fps
                (score.long_crossings if long else score.crossings)[worst] += 1
                kinds = {e[4] for e in made.events if {e[0], e[1]} == {one, other} and first <= e[2] < last}
                for kind in kinds or {"apart"}:
                    score.by_kind.setdefault(kind, Counter())[worst] += not long
                if worst != "kept":
                    score.failures.append(f"{name}: {one}+{other} {first}-{last} {worst} {found} {sorted(kinds)}")
    for person in range(made.people):
        for first, last in stretches(~made.inside[person], 0):
            away = (last - first) / made.fps
            end = ends(rows[person], first, last, within)
            if 1 <= away <= 20 and end is not None:
                was = {n: int(mask[:, :first].sum(1).argmax()) for n, mask in owned.items() if mask[:, :first].any()}
                result = outcome(person, end[0], end[1], was, tracks)
                score.returns[result] += 1
                if result != "kept":
                    score.failures.append(f"{name}: {person} away {first}-{last} ({away:.1f} s) {result} {end}")


def run(clips: list[MocapClip], seeds: Iterable[int]) -> Score:
    """Track the scenes of some seeds and score them."""
    score = Score()
    for number in seeds:
        made = scene(clips, number)
        start = time.process_time()
        tracks = track_clip(made.detections, made.times_s)
        score.seconds += time.process_time() - start
        score.frames += len(made.times_s)
        judge(score, f"scene {number}", made, tracks)
    return score


def table(score: Score) -> str:
    """Return the counts as a table."""
    rows = [("crossings, out of sight for up to 1 s", score.crossings), ("crossings, longer", score.long_crossings)]
    rows += [("returns after 1 to 20 s", score.returns)]
    rows += [(f"  crossings, {kind}", counts) for kind, counts in sorted(score.by_kind.items())]
    lines = ["| | number | " + " | ".join(OUTCOMES) + " |", "|---" * 6 + "|"]
    for name, counts in rows:
        total = sum(counts.values())
        shares = [f"{counts[o]} ({100 * counts[o] / max(total, 1):.1f} %)" for o in OUTCOMES]
        lines.append(f"| {name} | {total} | " + " | ".join(shares) + " |")
    lines.append(f"\nimpure: {100 * score.impure / max(score.detections, 1):.2f} % of {score.detections} detections")
    lines.append(f"{1000 * score.seconds / max(score.frames, 1):.2f} ms a frame over {score.frames} frames")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mocap", type=Path)
    parser.add_argument("--scenes", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--failures", action="store_true", help="list what was not kept")
    args = parser.parse_args()
    score = run(load_mocap(args.mocap), range(args.seed, args.seed + args.scenes))
    if args.failures:
        print("\n".join(score.failures))
    print(table(score))
    if args.json:
        args.json.write_text(json.dumps({key: getattr(score, key) for key in score.__dataclass_fields__}, indent=1))


if __name__ == "__main__":
    main()
