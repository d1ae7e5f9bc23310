"""Files that torch wrote, and such as somebody changed."""

import pickle
import zipfile

import pytest

torch = pytest.importorskip("torch")

from poselift.errors import CheckpointError
from poselift.lab.run.torch_file import read_torch_file


@pytest.fixture
def file(tmp_path):
    torch.save({"a": torch.arange(3), "b": [1.5, "x"]}, tmp_path / "a.pt")
    return tmp_path / "a.pt"


def test_what_was_saved_comes_back(file):
    found = read_torch_file(file, torch.device("cpu"))
    assert (found["a"].tolist(), found["b"]) == ([0, 1, 2], [1.5, "x"])


OLD = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}."
BROKEN = {
    "empty": b"",
    "text": b"nothing of the kind",
    "a header alone": OLD,
    "cut": OLD + b"\x80\x02]q\x00.",
    "a pickle": pickle.dumps([1, 2]),
    "a storage that is not there": b"\x80\x02(X\x07\x00\x00\x00storageX\x03\x00\x00\x00absQ.",
    "no text": b"\x80\x02X\x02\x00\x00\x00\xff\xfe.",
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files(tmp_path, name):
    (tmp_path / "a.pt").write_bytes(BROKEN[name])
    with pytest.raises(CheckpointError, match=r"a\.pt"):
        read_torch_file(tmp_path / "a.pt")


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9, 0.99])
def test_files_that_are_cut_short(file, kept):
    whole = file.read_bytes()
    file.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(CheckpointError, match=r"a\.pt is not a checkpoint"):
        read_torch_file(file)


def test_parts_that_would_grow_are_refused(file):
    """torch writes its parts as they are, and would inflate others without a limit."""
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    with pytest.raises(CheckpointError, match="holds compressed parts"):
        read_torch_file(file)


def test_what_is_not_there_or_no_file(tmp_path):
    for path, message in ((tmp_path / "none.pt", "none.pt"), (tmp_path, "a folder")):
        with pytest.raises(CheckpointError, match=message):
            read_torch_file(path)
