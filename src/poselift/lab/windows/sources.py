"""The collections of motion that weights of this project are trained on, each of which can be left out by name."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from poselift.datasets.clip import MocapClip
from poselift.datasets.mocap import load_mocap
from poselift.errors import DatasetError


@dataclass(frozen=True, kw_only=True)
class Source:
    """A collection of motion: an archive, or the part of one that a beginning of the clips' names marks."""

    archive: str = ""
    """File name of the archive, which lies beside the one that is named; empty for that one itself."""
    begins: str = ""
    """Beginning of the names of its clips."""
    license: str
    """Its licence, for the card."""


SOURCES = {
    "main": Source(license="that of the archive named"),
    "rocketbox": Source(archive="mocap27_extra.npz", begins="rb_", license="Microsoft Rocketbox, MIT"),
    "mesh2motion": Source(archive="mocap27_extra.npz", begins="m2m_", license="Mesh2Motion and Quaternius, CC0-1.0"),
    "idle": Source(archive="mocap17_idle.npz", begins="ri_", license="ReActIdle, MIT"),
}
"""By name, the collections: the archive that is named on the command line is `main`."""


def load_sources(shares: Mapping[str, float], archive: Path, split: str) -> list[MocapClip]:
    """Load the clips of every source with a share above 0; each clip's `source` is the source's name.

    Args:
        shares: Shares by name of the source; empty for the archive alone.
        archive: Path of the archive that is `main`.
        split: Name of the split.

    Raises:
        MissingData: An archive is not there.
        DatasetError: A source has no clips in its archive; and everything else that `load_mocap` raises.
    """
    if not shares:
        return load_mocap(archive, split=split)
    loaded: dict[Path, list[MocapClip]] = {}
    found: list[MocapClip] = []
    for name in (name for name, share in shares.items() if share):
        source = SOURCES[name]
        path = archive.with_name(source.archive) if source.archive else archive
        if path not in loaded:
            loaded[path] = load_mocap(path, split=split)
        own = [replace(clip, source=name) for clip in loaded[path] if clip.name.startswith(source.begins)]
        if not own:
            raise DatasetError(f"{path} has no clips of {name} in split {split}; leave it out (data.sources)")
        found += own
    return found


def described(shares: Mapping[str, float], archive: Path) -> str:
    """Return in words which archives are trained on, and with which shares of the windows."""
    total = sum(shares.values())
    used = [(name, share) for name, share in shares.items() if share]
    if not used:
        return archive.name
    words = [f"{SOURCES[name].archive or archive.name} ({name}: {100 * share / total:.0f} %)" for name, share in used]
    return ", ".join(words)


def licenses(shares: Mapping[str, float]) -> str:
    """Return in words the licences of the sources besides the archive that is named; empty when there are none."""
    used = [SOURCES[name].license for name, share in shares.items() if share and SOURCES[name].archive]
    return f"; also {', '.join(used)}" if used else ""
