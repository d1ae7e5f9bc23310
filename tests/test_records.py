import json
from dataclasses import dataclass
from typing import Any, Literal

import pytest

from poselift.errors import FormatError
from poselift.records import record


@dataclass(frozen=True)
class Leaf:
    number: float
    names: tuple[str, ...]


@dataclass(frozen=True)
class Tree:
    leaf: Leaf | None
    counts: dict[str, int]
    free: Any


@dataclass(frozen=True)
class Options:
    kind: Literal["a", "b"]
    rates: tuple[float, float]
    on: bool
    leaf: Leaf


GOOD = {"leaf": {"number": 2, "names": ["a", "b"]}, "counts": {"frames": 3}, "free": [None, {"x": 1}]}


def test_a_dataclass_comes_back_from_json():
    wanted = Tree(Leaf(2, ("a", "b")), {"frames": 3}, [None, {"x": 1}])
    assert record(Tree, json.loads(json.dumps(GOOD)), "a tree") == wanted
    assert record(Tree, GOOD | {"leaf": None}, "a tree").leaf is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "wanted the fields of a tree, got list"),
        ({}, "missing fields counts, free, leaf"),
        (GOOD | {"branch": 1}, "unknown fields branch"),
        (GOOD | {"leaf": {"number": 1}}, "missing fields leaf.names"),
        (GOOD | {"leaf": 1}, "wanted the fields of leaf., got int"),
        (GOOD | {"counts": {"frames": 2.5}}, "wanted counts.frames as int, got 2.5"),
        (GOOD | {"counts": {"frames": True}}, "wanted counts.frames as int, got True"),
        (GOOD | {"leaf": {"number": float("nan"), "names": []}}, "wanted leaf.number as float, got nan"),
        (GOOD | {"leaf": {"number": 10**400, "names": []}}, "wanted leaf.number as float, got 1000"),
        (GOOD | {"leaf": {"number": 1, "names": "ab"}}, "wanted leaf.names as tuple, got 'ab'"),
        (GOOD | {"leaf": {"number": 1, "names": [1]}}, "wanted leaf.names as str, got 1"),
    ],
)
def test_what_does_not_fit_is_named(content, message):
    with pytest.raises(FormatError, match=message):
        record(Tree, content, "a tree")


def test_choices_pairs_and_flags():
    leaf = Leaf(1.0, ())
    good = {"kind": "b", "rates": [0.1, 0], "on": False, "leaf": leaf}
    assert record(Options, good, "options") == Options("b", (0.1, 0), False, leaf)
    for wrong in ({"kind": "c"}, {"kind": []}, {"rates": [0.1]}, {"rates": [1, 2, 3]}, {"rates": ["a", 1]}, {"on": 0}):
        with pytest.raises(FormatError, match=f"wanted {next(iter(wrong))} as"):
            record(Options, good | wrong, "options")
