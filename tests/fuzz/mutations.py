"""Damage to valid files, drawn from a seed: bytes, text, JSON, and archives whose checksums are right all the same."""

import io
import json
import re
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

Rng = np.random.Generator

LONGEST = 2_000_000
"""Bytes of a damaged file: what is small may not ask for much."""
EXTREMES: tuple[Any, ...] = (
    0, -1, 1, 255, 2**31, 2**53, 2**63, 2**64, 10**11, 10**18, 10**300, -(10**12), 0.5, 1e-308, 1e39, 1e308, -1e308,
    float("nan"), float("inf"), float("-inf"),
)  # fmt: skip
OTHERS: tuple[Any, ...] = (
    None, True, False, [], {}, "", "x", "ä\u0000", "x" * 5000, [[]], [None], [1, [2]], {"a": {}}, "../..", "os:system",
    "H36M_17", "COCO_17", "1e999", [[0, 0, 0]] * 50, "_" * 50000 + "x", "." + "1" * 50000 + "x", "7" * 5000,
)  # fmt: skip
NUMBERS = (
    *("0", "-1", "1", "2147483648", "1e11", "1e39", "1e308", "1e999", "-1e308", "1e-400", "nan", "inf", "-inf"),
    *("9" * 400, "9" * 5000, "1" * 19, "0x10", "1_0", "1,5", "--1", "+", "."),
)  # fmt: skip
DTYPES = (
    *("<f8", ">f4", "<f2", "<f16", "<i4", "|b1", "<c16", "<U3", ">U1", "<U0", "|S0", "|S9", "|O", "<M8[s]", "|V8"),
    *("<U100000000", "f4,f4", "[('a','<U2')]", "('<f4', (3,))", "x", ""),
)  # fmt: skip
SHAPES = (
    *("()", "(0,)", "(1,)", "(-1,)", "(9999999999999,)", "(0, 9999999999)", "(9999999999, 0)", "(1, 17, 2)", "(2, 2)"),
    *("(1,) * 99999", "(True,)", "(1.0,)", "None", "5", "(1, 1, 1, 1, 1, 1)", "(", "('a',)"),
)  # fmt: skip


def mutate(data: bytes, kind: str, rng: Rng) -> bytes:
    """One damaged copy of a file of a kind, a name in `WAYS`."""
    ways = WAYS[kind]
    for _ in range(int(rng.integers(1, 4))):
        data = ways[int(rng.integers(len(ways)))](data, rng)[:LONGEST]
        if rng.random() < 0.6:
            break
    return data


def pick(choices: Any, rng: Rng) -> Any:
    return choices[int(rng.integers(len(choices)))]


def flip(data: bytes, rng: Rng) -> bytes:
    """Other bits."""
    found = bytearray(data)
    for _ in range(int(rng.integers(1, 9)) if found else 0):
        found[int(rng.integers(len(found)))] ^= 1 << int(rng.integers(8))
    return bytes(found)


def cut(data: bytes, rng: Rng) -> bytes:
    """The beginning alone."""
    return data[: int(rng.integers(len(data) + 1))]


def splice(data: bytes, rng: Rng) -> bytes:
    """A piece taken out, put in once more, or put in its place elsewhere."""
    start, end, place = sorted(int(rng.integers(len(data) + 1)) for _ in range(3))
    piece = data[start:end][:4000]
    return pick(
        (
            data[:start] + data[end:],
            data[:place] + piece + data[place:],
            data[:place] + piece * 3 + data[place:],
            data[:start] + rng.bytes(min(end - start, 20)) + data[min(start + 20, end) :],
        ),
        rng,
    )


def numbers(data: bytes, rng: Rng) -> bytes:
    """Other numbers in a text."""
    text = data.decode("latin-1")
    places = [match.span() for match in re.finditer(r"-?\d+(\.\d+)?(e[-+]?\d+)?", text)]
    for start, end in (
        sorted((pick(places, rng) for _ in range(int(rng.integers(1, 4)))), reverse=True) if places else ()
    ):
        text = text[:start] + pick(NUMBERS, rng) + text[end:]
    return text.encode("latin-1")


def lines(data: bytes, rng: Rng) -> bytes:
    """Lines left out, twice, exchanged, or as long as a book."""
    found = data.split(b"\n")
    first, second = (int(rng.integers(len(found))) for _ in range(2))
    way = int(rng.integers(6))
    if way == 0:
        del found[first]
    elif way == 1:
        found[first:first] = [found[second][: LONGEST // 2000]] * int(pick((1, 3, 2000), rng))
    elif way == 2:
        found[first], found[second] = found[second], found[first]
    elif way == 3:
        found[first] = found[first][: LONGEST // 1000] * 1000
    elif way == 4:
        found[first] = b"{" * 3000 if rng.random() < 0.5 else b""
    else:
        words = re.split(rb"([\s,]+)", found[first])
        words[int(rng.integers(len(words)))] = pick(
            (
                b"",
                b"#",
                b'"',
                b"{",
                b"}",
                b"\x00",
                b"x" * 300,
                b"\xff",
                b"_" * 50000 + b"x",
                b"." + b"1" * 50000 + b"x",
            ),
            rng,
        )
        found[first] = b"".join(words)
    return b"\n".join(found)


def tree(data: bytes, rng: Rng) -> bytes:
    """JSON with other values, types and keys; also nested as deep as nothing is."""
    content = _parsed(data)
    if content is None:
        return flip(data, rng)
    nodes: list[tuple[Any, Any]] = []
    _collect(content, nodes)
    if not nodes:
        return json.dumps(pick(OTHERS, rng)).encode()
    for _ in range(int(rng.integers(1, 4))):
        holder, key = pick(nodes, rng)
        if isinstance(holder, list) and key >= len(holder) or isinstance(holder, dict) and key not in holder:
            continue
        _change(holder, key, pick(nodes, rng), rng)
    text = json.dumps(content, default=str)
    return text.replace('"@deep"', "[" * 50000 + "]" * 50000).replace('"@digits"', "7" * 5000).encode()


def _parsed(data: bytes) -> Any:
    """What the JSON says; None for what is none."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _collect(content: Any, nodes: list[tuple[Any, Any]]) -> None:
    parts = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, part in parts:
        nodes.append((content, key))
        if isinstance(part, dict) or len(nodes) < 3000:
            _collect(part, nodes)


def _change(holder: Any, key: Any, other: tuple[Any, Any], rng: Rng) -> None:
    way = int(rng.integers(7))
    if way == 0:
        del holder[key]
    elif way == 1:
        holder[key] = pick(EXTREMES, rng)
    elif way == 2:
        holder[key] = pick(OTHERS, rng)
    elif way == 3:
        holder[key] = pick(("@deep", "@digits"), rng)
    elif way == 4:
        holder[key] = [json.loads(json.dumps(holder[key]))]
    elif way == 5 and isinstance(holder, dict):
        holder[pick(("x", "frames", "people", ""), rng)] = holder.pop(key)
    else:
        taken = other[0]
        there = other[1] in taken if isinstance(taken, dict) else other[1] < len(taken)
        holder[key] = json.loads(json.dumps(taken[other[1]])) if there else None


def members(data: bytes, rng: Rng) -> bytes:
    """An archive with other arrays in it, and checksums that fit."""
    found = _unzipped(data)
    if not found:
        return flip(data, rng)
    name = pick(sorted(found), rng)
    way = int(rng.integers(6))
    if way == 0:
        del found[name]
    elif way == 1:
        found[name] = found[pick(sorted(found), rng)]
    elif way == 2:
        found[name] = pick((b"", b"no array", found[name][6:], flip(found[name], rng), cut(found[name], rng)), rng)
    elif way == 3:
        found[name] = _other_header(found[name], rng)
    else:
        found[name] = _other_array(found[name], rng)
    return _zipped(found, pick((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED), rng))


def npy(data: bytes, rng: Rng) -> bytes:
    """An array's file with another header, or another array."""
    return pick((_other_header, _other_array), rng)(data, rng)


def streams(data: bytes, rng: Rng) -> bytes:
    """An archive whose pickles and arrays have other bytes, and checksums that fit; never compressed."""
    found = _unzipped(data)
    if not found:
        return flip(data, rng)
    pickled = [name for name in found if name.endswith(".pkl") or b"|O" in found[name][:100]]
    name = pick(sorted(pickled or found), rng)
    stream = found[name]
    place = int(rng.integers(len(stream) + 1))
    opcodes = (
        b"r\xff\xff\xff\x0f",
        b"p99999999\n",
        b"\x8e" + b"\xff" * 5 + b"\0" * 3,
        b"2" * 20,
        b"(" * 50,
        b"]" * 2000,
        b"Rb",
    )
    bombs = stream[:place] + pick(opcodes, rng) + stream[place:]
    found[name] = pick((flip, splice, cut, lambda *_: bombs), rng)(stream, rng)
    return _zipped(found, zipfile.ZIP_STORED)


def _unzipped(data: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except (zipfile.BadZipFile, zlib.error, ValueError, RuntimeError, OSError, EOFError, struct.error):
        return {}


def _zipped(found: dict[str, bytes], how: int) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in found.items():
            archive.writestr(zipfile.ZipInfo(name), content, how)
    return made.getvalue()


def _other_header(stream: bytes, rng: Rng) -> bytes:
    """An array's file whose header claims something else."""
    if len(stream) < 12 or stream[:6] != b"\x93NUMPY":
        return flip(stream, rng)
    length = struct.unpack("<H", stream[8:10])[0]
    header, rest = stream[10 : 10 + length].decode("latin-1"), stream[10 + length :]
    way = int(rng.integers(4))
    if way == 0:
        header = re.sub(r"'shape': \([^)]*\)", lambda _: f"'shape': {pick(SHAPES, rng)}", header)
    elif way == 1:
        header = re.sub(r"'descr': '[^']*'", lambda _: f"'descr': {pick(DTYPES, rng)!r}", header)
    elif way == 2:
        header = header.replace("False", pick(("True", "None", "0", "["), rng))
    else:
        header = flip(header.encode("latin-1"), rng).decode("latin-1")
    text = header.encode("latin-1")[:60000]
    return stream[:8] + struct.pack("<H", len(text)) + text + rest


def _other_array(stream: bytes, rng: Rng) -> bytes:
    """An array of another shape, type or other numbers, written as numpy does."""
    try:
        array = np.lib.format.read_array(io.BytesIO(stream), allow_pickle=False)
        with np.errstate(all="ignore"):
            array = _ARRAYS[int(rng.integers(len(_ARRAYS)))](array, rng)
        made = io.BytesIO()
        np.lib.format.write_array(made, np.asanyarray(array), allow_pickle=True)
    except (ValueError, TypeError, OverflowError, IndexError, SyntaxError, MemoryError, EOFError, tokenize.TokenError):
        return flip(stream, rng)
    return made.getvalue()


def _with_extreme(array: np.ndarray, rng: Rng) -> np.ndarray:
    array = array.copy()
    array.reshape(-1)[int(rng.integers(max(array.size, 1)))] = pick(EXTREMES, rng)
    return array


_ARRAYS: tuple[Callable[[np.ndarray, Rng], Any], ...] = (
    lambda array, rng: array[None],
    lambda array, rng: array[0],
    lambda array, rng: array[:0],
    lambda array, rng: array[..., :-1],
    lambda array, rng: array.T,
    lambda array, rng: np.concatenate([array, array]),
    lambda array, rng: array.astype(pick(("f8", "f2", "i4", "u1", "?", "c8", "U4", "S4", "O", ">f4"), rng)),
    lambda array, rng: np.full(array.shape, pick(EXTREMES[:-3], rng), "f8"),
    lambda array, rng: np.full(array.shape, pick((np.nan, np.inf), rng), "f8"),
    lambda array, rng: np.array(pick(("", "x" * 3000, "H36M_17", "\ud800"), rng)),
    _with_extreme,
    _with_extreme,
)  # fmt: skip


def safetensors(data: bytes, rng: Rng) -> bytes:
    """Another header, of the length that is said."""
    length = int.from_bytes(data[:8], "little")
    header = tree(data[8 : 8 + length], rng)
    if rng.random() < 0.7:
        content = _parsed(data[8 : 8 + length])
        metadata = content.get("__metadata__") if isinstance(content, dict) else None
        if isinstance(metadata, dict) and isinstance(metadata.get("config"), str):
            metadata["config"] = pick((tree, numbers, cut), rng)(metadata["config"].encode(), rng).decode("latin-1")
            if rng.random() < 0.1:
                metadata["lifter"] = pick(("nanohtnet", ":", "os:path", ""), rng)
            header = json.dumps(content).encode()
    return len(header).to_bytes(8, "little") + header + data[8 + length :]


WAYS: dict[str, tuple[Callable[[bytes, Rng], bytes], ...]] = {
    "bytes": (flip, cut, splice),
    "text": (numbers, numbers, lines, lines, flip, cut, splice),
    "json": (tree, tree, tree, numbers, flip, cut, splice),
    "npy": (npy, npy, npy, flip, cut, splice),
    "npz": (members, members, members, flip, cut, splice),
    "pickles": (streams, streams, members, flip, cut, splice),
    "torch": (streams, streams, flip, cut, splice),
    "safetensors": (safetensors, safetensors, flip, cut, splice),
}
