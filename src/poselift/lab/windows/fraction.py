"""Take a part of motion capture, for questions like "what if only a tenth had labels"."""

from collections.abc import Sequence
from hashlib import blake2s

from poselift.datasets.clip import MocapClip


def part_of(clips: Sequence[MocapClip], fraction: float, seed: int = 0) -> list[MocapClip]:
    """Take clips that make up this share of the recorded time, spread over the subjects.

    The next clip is always from the subject of whose own time the smallest share was taken so far, so that no subject
    gives a second clip before all have given one. At most a quarter of the time wanted is taken from one clip (if there
    are enough clips), and from the last one only what is missing, from its beginning; so the frames add up exactly, and
    even one per cent is not a single recording.

    Args:
        clips: All clips.
        fraction: Share in (0, 1]; 1 gives all clips as they are.
        seed: Seed of the choice, which depends on it and on the names, not on the order of the clips.

    Returns:
        The chosen clips, some of them cut, in the order of `clips`.
    """
    if fraction == 1:
        return list(clips)
    wanted = max(round(fraction * sum(map(len, clips))), 2)
    longest = max(wanted // 4, 2)
    if sum(min(len(clip), longest) for clip in clips) < wanted:
        longest = wanted
    waiting: dict[str, list[int]] = {}
    for number in sorted(range(len(clips)), key=lambda number: _lot(seed, clips[number].name)):
        waiting.setdefault(clips[number].subject, []).append(number)
    recorded = {subject: sum(len(clips[n]) for n in numbers) for subject, numbers in waiting.items()}
    given, chosen = dict.fromkeys(waiting, 0), {}
    while wanted and waiting:
        subject = min(waiting, key=lambda subject: (given[subject] / recorded[subject], _lot(seed, subject)))
        number = waiting[subject].pop(0)
        chosen[number] = min(len(clips[number]), longest, wanted)
        given[subject] += chosen[number]
        wanted -= chosen[number]
        if not waiting[subject]:
            del waiting[subject]
    return [clips[number].first(frames) for number, frames in sorted(chosen.items())]


def _lot(seed: int, name: str) -> bytes:
    """Return the key of a name that sorts names in the order of the draw."""
    return blake2s(f"{seed} {name}".encode()).digest()
