"""Which clips go into which shard, and which shards are done: what makes a run that was killed go on.

The folder of the results holds `manifest.json`, written once, before any work: what is done with each clip, and how
many clips each shard has. A shard is done when its file is there, because files are renamed to their names when they
are whole, and when it says that it was made from these clips. Failures are in the shards' metadata, too, so that one
rename decides about a shard and about its failures.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from poselift.bulk.sources import Clip, fingerprint
from poselift.errors import FormatError, OutputExistsError
from poselift.files import files_in, read_json, written_whole
from poselift.formats.about import written_by
from poselift.formats.parquet import shard_notes

MANIFEST, FAILED = "manifest.json", "failed.jsonl"
MOST_CLIPS, MOST_ROWS, MOST_BYTES = 128, 32_768, 8 << 20
"""A shard is full with so many clips, rows of Parquet files, or bytes of other files; one clip may have more."""
_VERSION = 1


@dataclass(frozen=True)
class Shard:
    """The clips of one result file."""

    path: Path
    """The file."""
    clips: tuple[Clip, ...]
    """What goes into it."""

    @property
    def made_from(self) -> str:
        """Hash of the clips, with the sizes and times of their files."""
        return fingerprint(self.clips)

    def done(self) -> dict[str, Any] | None:
        """Return the metadata of the file where it is there, whole, and made from these clips; else None."""
        try:
            notes = shard_notes(self.path)
        except FormatError:
            return None
        return notes if notes.get("made_from") == self.made_from else None


def planned(clips: Sequence[Clip], out: Path, identity: Mapping[str, Any], *, force: bool = False) -> list[Shard]:
    """Return the shards of a run: those of the run that began in this folder, or new ones.

    Args:
        clips: Everything to lift.
        out: Folder of the results; it is made.
        identity: What is done with each clip, as JSON holds it.
        force: Begin anew in a folder that holds the results of another run, which are deleted.

    Raises:
        OutputExistsError: The folder holds results of other clips or of other settings, or such without a manifest.
        FormatError: The manifest is broken.
    """
    names = fingerprint(clips, contents=False)
    path = out / MANIFEST
    if path.exists() and not force:
        counts = _continued(path, names, len(clips), identity)
    else:
        left = files_in(out, "poses-*.parquet")
        if left and not force:
            raise OutputExistsError(
                f"{out} holds {left[0].name} and no {MANIFEST}: results of something else; choose another folder, or "
                "begin anew (--force)"
            )
        path.unlink(missing_ok=True)
        for file in left:
            file.unlink()
        counts = _counts(clips)
        content = {
            "version": _VERSION, "written_by": written_by(), "settings": identity,
            "clips": len(clips), "names": names, "shards": counts,
        }  # fmt: skip
        with written_whole(path) as file:
            file.write_text(json.dumps(content) + "\n", encoding="utf-8")
    digits, shards, first = max(5, len(str(len(counts)))), [], 0
    for number, count in enumerate(counts):
        shards.append(Shard(out / f"poses-{number:0{digits}d}.parquet", tuple(clips[first : first + count])))
        first += count
    return shards


def _continued(path: Path, names: str, count: int, identity: Mapping[str, Any]) -> list[int]:
    """Return the sizes of the shards of the run whose manifest this is, if it is this one."""
    found = read_json(path)
    try:
        version, settings, counts = found["version"], dict(found["settings"]), [int(n) for n in found["shards"]]
        whole = version == _VERSION and sum(counts) == found["clips"]
        same = found["names"] == names
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{path} is no manifest of ours ({error}); choose another folder, or use --force") from error
    advice = "choose another folder, or begin anew (--force)"
    if not whole:
        raise FormatError(f"{path} is of another version, or damaged; {advice}")
    for name, value in identity.items():
        if settings.get(name) != value:
            raise OutputExistsError(
                f"{path.parent} holds a run with {name}={settings.get(name)!r}, this one has {value!r}; {advice}"
            )
    if not same:
        raise OutputExistsError(
            f"{path.parent} holds a run over {found['clips']:,} clips that are not these {count:,}; {advice}"
        )
    return counts


def _counts(clips: Sequence[Clip]) -> list[int]:
    """Return how many of the clips go into each shard, in their order; it does not depend on the machine."""
    counts: list[int] = []
    rows = size = 0
    for clip in clips:
        more_rows, more = (0, clip.size) if clip.rows is None else (clip.rows[1] - clip.rows[0], 0)
        full = counts and (
            counts[-1] >= MOST_CLIPS or rows + more_rows > MOST_ROWS or size + more > MOST_BYTES
        )  # fmt: skip
        if not counts or full:
            counts.append(0)
            rows = size = 0
        counts[-1] += 1
        rows, size = rows + more_rows, size + more
    return counts


def write_failures(path: Path, failures: Sequence[Mapping[str, Any]]) -> None:
    """Write the file of failures, a JSON object a line; without any, the file is deleted."""
    if not failures:
        path.unlink(missing_ok=True)
        return
    with written_whole(path, overwrite=True) as file:
        file.write_text("".join(json.dumps(failure) + "\n" for failure in failures), encoding="utf-8")
