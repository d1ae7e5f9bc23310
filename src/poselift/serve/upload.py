"""Files that come in: straight to disk, in pieces, with a limit on size and on silence."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

from poselift.files import reason_of
from poselift.serve.limits import MIB, Limits
from poselift.serve.refusal import Refusal

_PIECE = 1 << 20
"""Bytes that are held in memory before they are written."""
_THROWN_AWAY_S = 60.0
"""Seconds for which a file that is refused is still read, and forgotten, so that its sender gets to read the answer."""


async def receive(pieces: AsyncIterator[bytes], path: Path, limits: Limits) -> int:
    """Write what comes to a new file, and return its size.

    Args:
        pieces: The body of the request.
        path: The file.
        limits: How large it may be, and how long nothing may come.

    Raises:
        Refusal: It is empty or too large, nothing came for too long, or the disk is full.
    """
    held, size = bytearray(), 0
    try:
        with path.open("xb") as file:
            while (piece := await _next(pieces, limits.stall_s)) is not None:
                size += len(piece)
                if size > limits.upload_bytes:
                    await throw_away(pieces)
                    raise too_large(limits)
                held += piece
                if len(held) >= _PIECE:
                    await _write(file, held)
            await _write(file, held)
    except OSError as error:
        raise Refusal(507, "OutputError", f"could not store the file: {reason_of(error)}; make room") from error
    if not size:
        raise Refusal(400, "FormatError", "the file is empty; send the file itself as the body of the request")
    return size


def too_large(limits: Limits) -> Refusal:
    """Return the refusal of a file that is too large."""
    return Refusal(
        413, "FormatError",
        f"files of up to {limits.upload_bytes / MIB:,.0f} MiB are taken, and this one is larger; send a part of it, or "
        "start the server with a higher --upload-limit MIB",
    )  # fmt: skip


async def throw_away(pieces: AsyncIterator[bytes]) -> None:
    """Read what is refused, for a while: a sender who is cut off while sending does not read the answer."""
    try:
        async with asyncio.timeout(_THROWN_AWAY_S):
            async for _ in pieces:
                pass
    except TimeoutError:
        return


async def _next(pieces: AsyncIterator[bytes], seconds: float) -> bytes | None:
    """Return the next piece, or None at the end."""
    try:
        async with asyncio.timeout(seconds):
            return await anext(pieces, None)
    except TimeoutError as error:
        raise Refusal(408, "FormatError", f"nothing came for {seconds:g} s; send the file again") from error


async def _write(file: BinaryIO, held: bytearray) -> None:
    """Write and empty what is held, in a thread, so that a slow disk stops nobody else."""
    content = bytes(held)
    held.clear()
    await asyncio.to_thread(file.write, content)
