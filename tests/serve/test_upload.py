"""Files that come in: in pieces to disk, within limits, and nothing but refusals where something goes wrong."""

import asyncio
import io
import zipfile

import pytest

from poselift.serve import upload
from poselift.serve.bundle import zipped
from poselift.serve.limits import MIB, Limits
from poselift.serve.refusal import Refusal


async def body(*pieces):
    for piece in pieces:
        yield piece


async def silent():
    yield b"abc"
    await asyncio.sleep(3600)
    yield b"never"


def receive(pieces, path, **limits) -> int:
    return asyncio.run(upload.receive(pieces, path, Limits(**limits)))


def test_what_comes_is_written(tmp_path):
    sent = [bytes([number]) * 400_000 for number in range(7)] + [b"", b"end"]
    assert receive(body(*sent), tmp_path / "clip") == 2_800_003
    assert (tmp_path / "clip").read_bytes() == b"".join(sent)


def test_memory_holds_one_piece_alone(tmp_path, monkeypatch):
    held = []
    write = upload._write

    async def watched(file, content):
        held.append(len(content))
        await write(file, content)

    monkeypatch.setattr(upload, "_write", watched)
    receive(body(*[bytes(1 << 16)] * 100), tmp_path / "clip")
    assert max(held) == MIB and sum(held) == 100 << 16


@pytest.mark.parametrize(
    ("pieces", "limits", "status", "said"),
    [
        (lambda: body(), {}, 400, "the file is empty"),
        (lambda: body(b"abc", b"de"), {"upload_bytes": 4}, 413, "files of up to 0 MiB are taken"),
        (silent, {"stall_s": 0.05}, 408, "nothing came for 0.05 s"),
    ],
)
def test_what_is_wrong_is_refused(tmp_path, pieces, limits, status, said):
    with pytest.raises(Refusal, match=said) as told:
        receive(pieces(), tmp_path / "clip", **limits)
    assert told.value.status == status


def test_a_full_disk_is_said(tmp_path, monkeypatch):
    async def full(file, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(upload, "_write", full)
    with pytest.raises(Refusal, match="could not store the file: No space left on device; make room") as told:
        receive(body(b"abc"), tmp_path / "clip")
    assert told.value.status == 507


def test_who_never_stops_sending_what_is_refused_is_cut_off(monkeypatch):
    monkeypatch.setattr(upload, "_THROWN_AWAY_S", 0.05)
    asyncio.run(upload.throw_away(silent()))


def test_results_are_zipped_piece_by_piece(tmp_path):
    files = {"a.bin": bytes(range(256)) * 9000, "Läufer.csv": b"1,2\n" * 1000, "empty": b""}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    pieces = list(zipped([tmp_path / name for name in files]))
    assert len(pieces) > 9 and max(map(len, pieces)) < 1 << 20
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as bundle:
        assert bundle.testzip() is None
        assert {name: bundle.read(name) for name in bundle.namelist()} == files
