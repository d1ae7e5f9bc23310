"""All results of a job as one zip file, made while it is sent: it is never whole in memory or on disk."""

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

_PIECE = 1 << 18


class _Pipe:
    """What a zip file is written to: it is no file, so that `zipfile` does not go back in it."""

    def __init__(self) -> None:
        self._held = bytearray()

    def write(self, content: bytes) -> int:
        self._held += content
        return len(content)

    def flush(self) -> None:
        """Do nothing; everything is held until it is taken."""

    def take(self) -> bytes:
        content = bytes(self._held)
        self._held.clear()
        return content


def zipped(paths: Sequence[Path]) -> Iterator[bytes]:
    """Yield the pieces of a zip file of some files, under their names without folders."""
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as bundle:  # type: ignore[call-overload]
        for path in paths:
            with path.open("rb") as source, bundle.open(zipfile.ZipInfo.from_file(path, path.name), "w") as target:
                while piece := source.read(_PIECE):
                    target.write(piece)
                    yield pipe.take()
    yield pipe.take()
