"""The networks of the package and their cards."""

import json
from pathlib import Path

import pytest

from poselift.detect.network import shipped_network
from poselift.files import sha256_of

MODELS = shipped_network("x").parent
CARDS = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(MODELS.glob("*.json"))}
ROOT = Path(__file__).parents[2]


def test_every_file_has_a_card():
    shipped = {name for name, card in CARDS.items() if card["shipped"]}
    assert {path.stem for path in MODELS.glob("*.onnx")} == shipped == {"blazepose_full", "movenet_multipose"}
    assert set(CARDS) - shipped == {"blazepose_lite", "blazepose_heavy"}


@pytest.mark.parametrize("name", [name for name, card in CARDS.items() if card["shipped"]])
def test_a_file_is_the_one_on_its_card(name):
    card, path = CARDS[name], shipped_network(name)
    assert sha256_of(path) == card["sha256"]
    assert path.stat().st_size == card["bytes"] < 30e6


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS)
def test_a_card_says_where_a_file_comes_from(card):
    assert card["name"] in CARDS and card["license"].startswith("Apache-2.0 (LICENSE in this folder)")
    assert all(len(card["source"][name]) == 64 for name in ("sha256", "package_sha256"))
    assert card["trained_on"] and card["authors"].startswith("Google") and card["changes"] and card["paper"]
    notice = " ".join((ROOT / "NOTICE").read_text("utf-8").split())
    assert f"{card['source']['package']} {card['source']['version']}" in notice
    assert "Apache License" in (MODELS / "LICENSE").read_text("utf-8")
