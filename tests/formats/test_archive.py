"""Archives of pickles: all that numpy writes is read, nothing else is run."""

import io
import pickle
import struct
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poselift.errors import DatasetError, MissingData, UntrustedPickle
from poselift.formats.archive import read_archive

CONTENT = {
    "S1": {"Walking": [np.arange(12, dtype=np.float32).reshape(2, 3, 2), np.ones((1, 3, 2))], "fps": 25},
    "S2": (1.5, True, None, "text", b"bytes", b"", np.float64(2.5), np.int64(-3)),
    "empty": np.zeros((0, 17, 3), np.float32),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "swapped": np.arange(3, dtype=">f8"),
    "flags": np.array([True, False]),
    "names": np.array(["a", "bc"]),
    "ragged": np.array([np.zeros(2), None], dtype=object),
}


class Pickler(pickle._Pickler):
    """Pickles as another numpy would: module names of `core`; with `python2`, text as Python 2's bytes."""

    dispatch = dict(pickle._Pickler.dispatch)

    def __init__(self, file, protocol: int, core: str, python2: bool = False):
        super().__init__(file, protocol)
        self.core, self.python2 = core, python2

    def memoize(self, obj):
        if id(obj) not in self.memo:  # python's own pickler stumbles over two empty arrays in protocol 5
            super().memoize(obj)

    def save_global(self, obj, name=None):
        module = obj.__module__.replace("numpy._core", self.core).replace("numpy.core", self.core)
        if self.proto >= 4:
            self.save(module)
            self.save(obj.__name__)
            self.write(pickle.STACK_GLOBAL)
        else:
            self.write(pickle.GLOBAL + f"{module}\n{obj.__name__}\n".encode())
        self.memoize(obj)

    dispatch[type] = save_global

    def save_text(self, text):
        raw = text if isinstance(text, bytes) else text.encode("latin1")
        if not self.python2:
            return (pickle._Pickler.save_bytes if isinstance(text, bytes) else pickle._Pickler.save_str)(self, text)
        self.write(pickle.BINSTRING + struct.pack("<i", len(raw)) + raw)
        return self.memoize(text)

    dispatch[bytes] = dispatch[str] = save_text


def write(path: Path, stream: bytes, *, key: str = "data", shape: tuple[int, ...] = ()) -> Path:
    """An npz archive with one array of objects, pickled as given."""
    member = io.BytesIO()
    np.lib.format.write_array_header_1_0(member, {"descr": "|O", "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{key}.npy", member.getvalue() + stream)
    return path


def boxed(value: object) -> np.ndarray:
    """What `numpy.savez` makes of a value that is no array."""
    box = np.empty((), object)
    box[()] = value
    return box


def dumps(value: object, protocol: int, core: str, python2: bool = False) -> bytes:
    stream = io.BytesIO()
    Pickler(stream, protocol, core, python2).dump(value)
    return stream.getvalue()


def assert_same(got: object, wanted: object) -> None:
    if isinstance(wanted, np.ndarray) and wanted.dtype != object:
        assert type(got) is np.ndarray and got.dtype == wanted.dtype
        np.testing.assert_array_equal(got, wanted)
    elif isinstance(wanted, dict):
        assert type(got) is dict and list(got) == list(wanted)
        for key in wanted:
            assert_same(got[key], wanted[key])
    elif isinstance(wanted, list | tuple | np.ndarray):
        assert type(got) is type(wanted) and len(got) == len(wanted)
        for one, other in zip(got, wanted, strict=True):
            assert_same(one, other)
    else:
        assert got == wanted


@pytest.mark.parametrize("other", [{"S1": CONTENT["S1"]}, CONTENT | {"flags": np.array([1, 0])}])
def test_the_comparison_can_fail(other):
    with pytest.raises(AssertionError):
        assert_same(other, CONTENT)


def test_what_numpy_saves_is_read(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", positions=CONTENT, plain=np.arange(6).reshape(2, 3), number=np.float32(2))
    content = read_archive(tmp_path / "a.npz")
    assert_same(content["positions"], CONTENT)
    assert_same(content["plain"], np.arange(6).reshape(2, 3))
    assert content["number"] == 2.0


@pytest.mark.parametrize("core", ["numpy.core", "numpy._core"])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_pickles_of_either_numpy_and_any_protocol_are_read(tmp_path, protocol, core):
    stream = dumps(boxed(CONTENT), protocol, core)
    assert core.encode() in stream
    assert_same(read_archive(write(tmp_path / "a.npz", stream))["data"], CONTENT)


def test_pickles_of_python_2_are_read(tmp_path):
    content = {"S1": {"Walking": np.arange(300, dtype=np.float32).reshape(2, 50, 3)}, "empty": np.zeros((0, 3))}
    stream = dumps(boxed(content), 2, "numpy.core", python2=True)
    assert b"_codecs" not in stream and b"TS1" not in stream
    assert_same(read_archive(write(tmp_path / "a.npz", stream))["data"], content)


def test_shared_arrays_stay_shared(tmp_path):
    array = np.ones(3)
    np.savez(tmp_path / "a.npz", data={"one": array, "two": [array]})
    data = read_archive(tmp_path / "a.npz")["data"]
    assert data["one"] is data["two"][0]


class Call:
    """Pickles as a call of any function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def hostile(marker: Path) -> dict[str, object]:
    import os
    import subprocess

    touch = f"touch {marker}"
    code = f"__import__('pathlib').Path({str(marker)!r}).touch()"
    return {
        "posix.system": Call(os.system, touch),
        "builtins.eval": Call(eval, code),
        "builtins.exec": Call(exec, code),
        "builtins.getattr": Call(getattr, "text", "format"),
        "subprocess.Popen": Call(subprocess.Popen, touch, 0, None, None, None, None, None, True, True),
        "numpy.load": Call(np.load, str(marker)),
        "numpy.memmap": Call(np.memmap, str(marker), "u1", "w+", 0, (1,)),
    }


@pytest.mark.skipif(sys.platform == "win32", reason="names POSIX functions")
@pytest.mark.parametrize("name", hostile(Path("x")))
@pytest.mark.parametrize("nested", ["bare", "in a list in the array", "beside good data"])
def test_hostile_pickles_are_refused_by_name_and_run_nothing(tmp_path, name, nested):
    marker = tmp_path / "ran"
    bad = hostile(marker)[name]
    good = np.zeros((2, 17, 3), np.float32)
    content = {
        "bare": bad,
        "in a list in the array": boxed({"S1": {"Walking": [good, bad]}}),
        "beside good data": boxed({"S1": good, "S2": np.array([good, bad, None], dtype=object)}),
    }[nested]
    path = write(tmp_path / "a.npz", pickle.dumps(content, 4))
    with pytest.raises(UntrustedPickle, match=name.replace(".", r"\.")) as refused:
        read_archive(path, owner="https://example.org")
    assert "a.npz" in str(refused.value) and "https://example.org" in str(refused.value)
    assert not marker.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="names POSIX functions")
def test_the_hostile_pickles_would_run(tmp_path):
    """Or the test above would show nothing."""
    for name in ("posix.system", "builtins.eval"):
        marker = tmp_path / name
        pickle.loads(pickle.dumps(hostile(marker)[name]))
        assert marker.exists()


RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n"
DTYPE = b"cnumpy\ndtype\n"


def array_stream(shape: bytes, content: bytes, dtype: bytes = b"(X\x02\x00\x00\x00f4I00\nI01\nt") -> bytes:
    """A pickle of an array whose state is written by hand."""
    state = b"(I3\nX\x01\x00\x00\x00<NNNI-1\nI-1\nI0\nt"
    kind = DTYPE + dtype + b"R" + state + b"b"
    return (
        RECONSTRUCT + b"(cnumpy\nndarray\n(I0\ntX\x01\x00\x00\x00btR(I1\n" + shape + kind + b"I00\n" + content + b"tb."
    )


def test_a_pickle_by_hand_is_read(tmp_path):
    path = write(tmp_path / "a.npz", array_stream(b"(I2\nt", b"C\x08" + bytes(8)), shape=(2,))
    np.testing.assert_array_equal(read_archive(path)["data"], np.zeros(2, np.float32))


OBJECTS = b"(X\x01\x00\x00\x00OI00\nI01\nt"
NOT_WHAT_THEY_CLAIM = {
    "huge": array_stream(b"(I1000000000000\nI17\nI3\nt", b"C\x08" + bytes(8)),
    "huge, of objects": array_stream(b"(I1000000000000\nt", b"]", OBJECTS),
    "too few objects": array_stream(b"(I1000\nt", b"]I1\na", OBJECTS),
    "objects in raw memory": array_stream(b"(I1\nt", b"C\x08" + bytes(8), OBJECTS),
    "numbers in a list": array_stream(b"(I1\nt", b"]I1\na"),
    "negative": array_stream(b"(I-2\nt", b"C\x08" + bytes(8)),
    "too long": array_stream(b"(I1\nt", b"C\x08" + bytes(8)),
    "no array at all": b"I1\n.",
    "an array without content": RECONSTRUCT + b"(cnumpy\nndarray\n(I0\ntX\x01\x00\x00\x00btR.",
    "an array in itself": b"]q\x00h\x00a.",
    "more behind its pickle": array_stream(b"(I2\nt", b"C\x08" + bytes(8)) + b"more",
    "nested too deeply": b"]" * 5000 + b"a" * 4999 + b".",
}


@pytest.mark.parametrize("name", NOT_WHAT_THEY_CLAIM)
def test_arrays_that_are_not_what_they_claim_are_damage(tmp_path, name):
    for shape in ((), (1,), (2,), (1000,)):
        with pytest.raises(DatasetError, match=r"a\.npz is damaged"):
            read_archive(write(tmp_path / "a.npz", NOT_WHAT_THEY_CLAIM[name], shape=shape))


MORE_THAN_ARRAYS = {
    "changes a function": RECONSTRUCT + b"}X\x0c\x00\x00\x00__defaults__(tsb.",
    "calls numpy.ndarray": b"cnumpy\nndarray\n(I9\ntR.",
    "array of class": RECONSTRUCT + b"(I5\n(I0\ntX\x01\x00\x00\x00btR.",
    "data type": DTYPE + b"(X\x05\x00\x00\x00f4,f4I00\nI01\ntR.",
    "structured": DTYPE + b"(X\x02\x00\x00\x00f4tR(I3\nX\x01\x00\x00\x00|(I1\nt(I1\nt}I-1\nI-1\nI0\ntb.",
    "codec": b"c_codecs\nencode\n(X\x01\x00\x00\x00aX\x05\x00\x00\x00rot13tR.",
    "outside the file": b"Psomething\n.",
    "scalar of objects": b"cnumpy.core.multiarray\nscalar\n(" + DTYPE + OBJECTS + b"R]I1\natR.",
    "bare Dtype": DTYPE + b"(X\x02\x00\x00\x00f4tR.",
    "bare Maker": DTYPE + b".",
    "os.system": b"cos\nsystem\n(X\x00\x00\x00\x00tR.",
    "collections.OrderedDict": b"ccollections\nOrderedDict\n)R.",
}


@pytest.mark.parametrize("name", MORE_THAN_ARRAYS)
def test_more_than_arrays_and_plain_containers_is_refused(tmp_path, name):
    with pytest.raises(UntrustedPickle, match=name):
        read_archive(write(tmp_path / "a.npz", MORE_THAN_ARRAYS[name]))


def test_a_plain_array_that_claims_a_huge_shape(tmp_path):
    member = io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": (10**12, 17, 3)}
    np.lib.format.write_array_header_1_0(member, header)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("data.npy", member.getvalue() + bytes(64))
    with pytest.raises(DatasetError, match=r"claims the shape \(1000000000000, 17, 3\).*holds 64"):
        read_archive(tmp_path / "a.npz")


def test_text_that_no_characters_are(tmp_path):
    """numpy turns such text into Python's by a SystemError."""
    for order in "<>":
        text = np.array(["ab"]).astype(f"{order}U2")
        codes = text.view(f"{order}u4")
        codes[1] = 0x110000
        np.savez(tmp_path / "a.npz", data=text)
        with pytest.raises(DatasetError, match=r"data\.npy holds text that no characters are"):
            read_archive(tmp_path / "a.npz")


def test_only_what_is_asked_for_is_read(tmp_path):
    np.savez(tmp_path / "a.npz", data=np.arange(3), other=np.array(print, dtype=object))
    assert list(read_archive(tmp_path / "a.npz", only=("data", "more"))) == ["data"]
    with pytest.raises(UntrustedPickle, match="print"):
        read_archive(tmp_path / "a.npz")


def test_the_shape_in_the_header_must_be_that_of_the_pickle(tmp_path):
    path = write(tmp_path / "a.npz", dumps(boxed(1), 4, "numpy.core"), shape=(3,))
    with pytest.raises(DatasetError, match=r"claims the shape \(3,\) and holds \(\)"):
        read_archive(path)


def test_an_archive_cut_short_anywhere_is_damaged(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", data=CONTENT)
    whole = (tmp_path / "a.npz").read_bytes()
    for length in (0, 1, 30, len(whole) // 2, len(whole) - 30, len(whole) - 1):
        (tmp_path / "cut.npz").write_bytes(whole[:length])
        with pytest.raises(DatasetError, match=r"cut\.npz is damaged.*again from the owner"):
            read_archive(tmp_path / "cut.npz", owner="the owner")


@given(st.data())
def test_damage_is_told_or_harmless(tmp_path_factory, data):
    folder = tmp_path_factory.getbasetemp()
    good = write(folder / "good.npz", dumps(boxed(CONTENT), 4, "numpy.core"))
    with zipfile.ZipFile(good) as archive:
        stream = bytearray(archive.read("data.npy"))
    for _ in range(data.draw(st.integers(1, 3))):
        stream[data.draw(st.integers(0, len(stream) - 1))] = data.draw(st.integers(0, 255))
    with zipfile.ZipFile(folder / "bad.npz", "w") as archive:
        archive.writestr("data.npy", bytes(stream))
    try:
        read_archive(folder / "bad.npz")
    except DatasetError as error:
        assert "bad.npz" in str(error)


def test_a_flipped_bit_is_found_by_the_checksum(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, data={"S1": np.zeros(1000)})
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    with pytest.raises(DatasetError, match="damaged.*CRC"):
        read_archive(path)


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04", pickle.dumps([1])])
def test_files_that_are_no_archives(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(DatasetError, match="damaged or no npz archive"):
        read_archive(tmp_path / "a.npz")


def test_a_missing_file_says_where_the_owner_gives_it(tmp_path):
    with pytest.raises(MissingData, match=r"no file .*a\.npz; get it from example\.org"):
        read_archive(tmp_path / "a.npz", owner="example.org")
    with pytest.raises(MissingData):
        read_archive(tmp_path)
