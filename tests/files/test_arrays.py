"""Arrays are read when they are asked for, and only such as can be told to be harmless."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from poselift.errors import FormatError, UntrustedPickle
from poselift.files.arrays import read_arrays, read_npy
from poselift.files.limits import VARIABLE


@pytest.fixture
def file(tmp_path):
    return tmp_path / "a.npz"


def npy(header: bytes, content: bytes = b"") -> bytes:
    """An array's file by hand."""
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + content


def zipped(file: Path, how: int = zipfile.ZIP_STORED, **members: bytes) -> Path:
    with zipfile.ZipFile(file, "w", how) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return file


def test_arrays_come_back(file):
    saved = {
        "one": np.float32(2.5), "none": np.zeros((0, 3)), "text": np.array(["ä", "bc"]), "bytes": np.array(b"ab"),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)), "swapped": np.arange(3, dtype=">i4"), "flag": True,
    }  # fmt: skip
    for save in (np.savez, np.savez_compressed):
        save(file, **saved)
        arrays = read_arrays(file)
        assert list(arrays) == list(saved) and len(arrays) == 7 and "two" not in arrays
        for name, array in saved.items():
            np.testing.assert_array_equal(arrays[name], array)
            assert arrays[name].dtype == np.asarray(array).dtype and arrays[name].flags.writeable
        with pytest.raises(KeyError):
            arrays["two"]


def test_an_array_that_is_not_asked_for_is_not_read(file, monkeypatch):
    """What is beside the keypoints may be a bomb, a pickle, or no array."""
    monkeypatch.setenv(VARIABLE, "0.002")
    np.savez_compressed(file, xy=np.ones(3), bomb=np.zeros(3 << 17), pickled=np.array([print]))
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("text.npy", "no array")
    arrays = read_arrays(file)
    np.testing.assert_array_equal(arrays["xy"], np.ones(3))
    with pytest.raises(UntrustedPickle, match="not opened"):
        arrays["pickled"]
    with pytest.raises(FormatError, match=r"bomb\.npy has 3 MiB; the limit for arrays of npz files is 2 MiB"):
        arrays["bomb"]
    with pytest.raises(FormatError, match="broken npz .*magic"):
        arrays["text"]


def test_an_array_that_grows_too_much_is_refused(file, monkeypatch):
    np.savez_compressed(file, xy=np.zeros((65 << 20) // 4, np.float32))
    with pytest.raises(FormatError, match=r"xy\.npy has 65 MiB; the limit for arrays .* a 200th is 64 MiB.*LIMITS=2"):
        read_arrays(file)["xy"]
    monkeypatch.setenv(VARIABLE, "2")
    assert read_arrays(file)["xy"].sum() == 0


def test_arrays_count_together(file, monkeypatch):
    np.savez(file, a=np.ones(90_000), b=np.ones(90_000))
    monkeypatch.setenv(VARIABLE, "0.001")  # one MiB
    arrays = read_arrays(file)
    assert arrays["a"].sum() == 90_000
    with pytest.raises(FormatError, match="limit for arrays of npz files"):
        arrays["b"]


BROKEN = {
    "huge": (npy(b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }\n"), "1000000000000,"),
    "long and empty": (npy(b"{'descr': '<f8', 'fortran_order': False, 'shape': (999999999, 0), }\n"), "999999999, 0"),
    "no bytes each": (npy(b"{'descr': '<U0', 'fortran_order': False, 'shape': (999999999,), }\n"), "999999999,"),
    "records": (npy(b"{'descr': [('a', '<U2')], 'fortran_order': False, 'shape': (1,), }\n", bytes(8)), "or text"),
    "dates": (npy(b"{'descr': '<M8[s]', 'fortran_order': False, 'shape': (1,), }\n", bytes(8)), "numbers or text"),
    "cut header": (npy(b"{'descr': '<f8', 'fortran_order': (\n"), "EOF in multi-line"),
    "no text": (npy(b"{'descr': '<U1', 'fortran_order': False, 'shape': (1,), }\n", b"\xff" * 4), "no characters"),
    "longer": (npy(b"{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }\n", bytes(9)), "8 bytes, and holds 9"),
    "version": (b"\x93NUMPY\x09\x00" + bytes(100), "version"),
    "empty": (b"", "magic"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_broken_arrays(file, name):
    content, message = BROKEN[name]
    with pytest.raises(FormatError, match=rf"a\.npz is a broken npz .*{message}"):
        read_arrays(zipped(file, x=content))["x"]
    alone = file.with_suffix(".npy")
    alone.write_bytes(content)
    with pytest.raises(FormatError, match=rf"a\.npy is a broken npy file .*{message}"):
        read_npy(alone)


def test_ways_of_compression_that_numpy_does_not_use(file):
    made = io.BytesIO()
    np.lib.format.write_array(made, np.ones(3))
    with pytest.raises(FormatError, match="compressed in a way that numpy does not use"):
        read_arrays(zipped(file, zipfile.ZIP_LZMA, x=made.getvalue()))["x"]


def test_a_checksum_that_does_not_fit(file):
    np.savez(file, x=np.zeros(1000))
    content = bytearray(file.read_bytes())
    content[4000] ^= 1
    file.write_bytes(content)
    with pytest.raises(FormatError, match="CRC"):
        read_arrays(file)["x"]


def test_an_array_alone(tmp_path):
    file = tmp_path / "a.npy"
    np.save(file, np.arange(6.0).reshape(2, 3))
    np.testing.assert_array_equal(read_npy(file), [[0, 1, 2], [3, 4, 5]])
    np.save(file, np.array([print]))
    with pytest.raises(UntrustedPickle, match="not opened"):
        read_npy(file)
