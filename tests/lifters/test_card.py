"""Cards are read strictly."""

import dataclasses
import json
from pathlib import Path

import pytest

from poselift.errors import CheckpointError, OutputExistsError
from poselift.lifters.card import MOCAP, Card, Imported, Score, Speed, Training

CARD = Card(
    name="tiny.test", skeleton="H36M_17", in_frames=5, out_frames=(1, 2), fps=50.0, in_channels=3, parameters=7, macs=9,
    sha256="ab", data="some", license="MIT",
    scores={"exact 2D": Score(kind=MOCAP, data="a.npz", protocol={"cameras": 4}, frames=3, mean={"p_mpjpe": 30.5})},
    speed=Speed(frames_per_s=1000.0, window_ms=0.5, batch=64, threads=1, machine="a laptop"),
    training=Training(
        recipe={"steps": 3}, init="encoder.safetensors", commit="abc", date="2026-01-02", steps=3, windows=192,
        hours=0.5, machine="a laptop", threads=1, note="",
    ),
)  # fmt: skip


def write(path: Path, *, without: tuple[str, ...] = (), **changes) -> Path:
    content = dataclasses.asdict(CARD) | changes
    path.write_text(json.dumps({key: value for key, value in content.items() if key not in without}))
    return path


def test_a_card_comes_back_as_it_was_written(tmp_path):
    CARD.write(tmp_path / "card.json")
    assert Card.read(tmp_path / "card.json") == CARD
    foreign = dataclasses.replace(
        CARD, training=None, speed=None, imported=Imported(file="a.pth", sha256="cd", code="url", date="2026-01-02")
    )
    with pytest.raises(OutputExistsError):
        foreign.write(tmp_path / "card.json")
    foreign.write(tmp_path / "card.json", overwrite=True)
    assert Card.read(tmp_path / "card.json") == foreign


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frames": 5, "colour": 1}, "unknown fields colour, frames"),
        ({"training": dataclasses.asdict(CARD.training) | {"epochs": 1}}, "unknown fields training.epochs"),
        ({"training": {"recipe": {}}}, "missing fields training.commit, training.date"),
        ({"scores": {"exact 2D": {"frames": 3}}}, "missing fields scores.exact 2D.data, scores.exact 2D.kind"),
        ({"speed": {}}, "missing fields speed.batch"),
        ({"speed": "fast"}, "wanted the fields of speed., got str"),
        ({"scores": []}, "wanted scores as"),
        ({"out_frames": 3}, "wanted out_frames as"),
        ({"out_frames": "12"}, "wanted out_frames as"),
        ({"out_frames": [1, 2.5]}, "wanted out_frames as int, got 2.5"),
        ({"out_frames": [4, 5]}, "within the window"),
        ({"out_frames": []}, "within the window"),
        ({"in_channels": 2.5}, "wanted in_channels as int, got 2.5"),
        ({"in_channels": True}, "wanted in_channels as int, got True"),
        ({"name": None}, "wanted name as str, got None"),
        ({"skeleton": "H36M_16"}, "unknown skeleton 'H36M_16'; did you mean 'H36M_17'"),
        ({"skeleton": 17}, "wanted skeleton as str"),
        ({"fps": "fast"}, "wanted fps as float, got 'fast'"),
        ({"fps": 0}, "frame rate from"),
        ({"fps": 1e9}, "frame rate from .* to 10,000 frames per second, got 1e.09"),
        ({"fps": float("nan")}, "wanted fps as float, got nan"),
    ],
)
def test_cards_that_make_no_sense_are_refused(tmp_path, changes, message):
    with pytest.raises(CheckpointError, match=message):
        Card.read(write(tmp_path / "card.json", **changes))


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Card)])
def test_every_field_must_be_there(tmp_path, name):
    with pytest.raises(CheckpointError, match=f"missing fields {name}"):
        Card.read(write(tmp_path / "card.json", without=(name,)))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'"card"', b"\xff\xfe", b"null"])
def test_files_that_are_no_cards_are_refused(tmp_path, content):
    (tmp_path / "card.json").write_bytes(content)
    with pytest.raises(CheckpointError, match="card.json is not a card"):
        Card.read(tmp_path / "card.json")


@pytest.mark.parametrize(("out_frames", "delay"), [((4,), 0), ((1, 2), 2), ((0,), 4)])
def test_delay_is_what_the_newest_pose_waits_for(out_frames, delay):
    assert dataclasses.replace(CARD, out_frames=out_frames).delay == delay
