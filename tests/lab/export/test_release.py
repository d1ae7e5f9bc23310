"""From a run to weights that ship."""

import dataclasses
import shutil

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from poselift.datasets.clip import MocapClip
from poselift.errors import CheckpointError, MissingData
from poselift.lab.export import release as releasing
from poselift.lab.export.onnx import export_onnx
from poselift.lab.export.release import measure_missing, recalibrate, release
from poselift.lab.export.weights import load_weights, save_weights
from poselift.lab.models import build
from poselift.lab.observe.detector import simulated_detector
from poselift.lab.observe.landmarks import DETECTORS
from poselift.lab.run.recipe import TrainRecipe, recipe_json
from poselift.lifters.card import Card, Training
from poselift.lifters.load import load_lifter
from poselift.measure import claims
from poselift.measure.claims import MEASURES, Sources, by_detector, check_file, check_scores
from poselift.skeleton import BODY_27, H36M_17

MODEL = {"width": 192, "mlp_width": 128, "gcn_width": 96, "num_blocks": 1, "in_channels": 3}
RECIPE = TrainRecipe(name="htnet.tiny", lifter="htnet", model=MODEL, init="runs/x/htnet.poseclr.safetensors", steps=5)
TRAINING = Training(
    recipe=recipe_json(RECIPE), init="htnet.poseclr.safetensors", commit="abc", date="2026-01-02", steps=5,
    windows=5 * 256, hours=1.5, machine="x86_64, cpu", threads=1, note="",
)  # fmt: skip
CARD = Card(
    name="htnet.tiny", skeleton="H36M_17", in_frames=1, out_frames=(0,), fps=50.0, in_channels=3, parameters=1,
    training=TRAINING,
)  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder that a training leaves."""
    folder = tmp_path_factory.mktemp("trained")
    torch.manual_seed(0)
    model = build("htnet", **MODEL)
    export_onnx(model, folder / "htnet.tiny.onnx")
    save_weights(model, folder / "htnet.tiny.safetensors", lifter="htnet", config=MODEL, overwrite=False)
    CARD.write(folder / "htnet.tiny.json")
    return folder


@pytest.fixture
def run(trained, tmp_path):
    """The network in a copy of that folder."""
    return shutil.copytree(trained, tmp_path / "run") / "htnet.tiny.onnx"


@pytest.fixture
def sources(monkeypatch, tmp_path):
    rng = np.random.default_rng(0)
    clips = [MocapClip(n, "a", rng.normal(0, 0.3, (6, 17, 3)).astype(np.float32), H36M_17, 50.0) for n in "abcdefgh"]
    monkeypatch.setattr(claims, "load_mocap", lambda path, *, split: clips)
    monkeypatch.setattr(releasing, "measure_speed", lambda lifter: None)
    found = np.concatenate([rng.uniform(100, 500, (2, 6, 25, 2)), np.ones((2, 6, 25, 1))], -1)
    np.savez(
        tmp_path / "two.npz", kp2d_body25b=found, cameras=np.array([1, 3]), X3d17=rng.normal(size=(6, 17, 3)),
        valid=np.ones((6, 17), bool), fps=50.0,
    )  # fmt: skip
    return Sources(tmp_path / "mocap.npz", [tmp_path / "two.npz"], simulated_detector)


def test_what_ships_is_half_as_large_and_its_card_is_of_it(run, sources, tmp_path):
    card = release(run, tmp_path / "weights", tmp_path / "training", sources)
    assert sorted(path.name for path in (tmp_path / "weights").iterdir()) == ["htnet.tiny.json", "htnet.tiny.onnx"]
    lifter = load_lifter(tmp_path / "weights" / "htnet.tiny.onnx")
    assert lifter.card == card
    assert lifter.path.stat().st_size < 0.8 * run.stat().st_size
    real = {"real recording, camera 1", "real recording, camera 3"}
    assert set(card.scores) == set(MEASURES) | real
    assert (card.scores["quick, exact 2D"].frames, card.scores["exact 2D"].frames) == (2 * 6, 4 * 8 * 6)
    checks = [*check_file(lifter), *check_scores(lifter, card, sources)]
    assert all(check.measured is not None and check.holds for check in checks)
    assert card.parameters == sum(p.numel() for p in build("htnet", **MODEL).parameters())
    assert card.training.init == card.training.recipe["init"] == "htnet.poseclr.safetensors"
    assert (card.training.steps, card.training.windows, card.training.threads) == (5, 5 * 256, 1)
    again = load_weights(tmp_path / "training" / "htnet.tiny.safetensors")
    assert all(value.dtype == torch.float32 for value in again.state_dict().values() if value.is_floating_point())


def test_a_card_gets_the_scores_that_it_lacks(run, sources, person, tmp_path, monkeypatch):
    shaken = [person + np.random.default_rng(seed).normal(0, 0.01, (6, 27, 3)).astype(np.float32) for seed in range(3)]
    bodies = [MocapClip(f"{i}", "a", xyz, BODY_27, 50.0) for i, xyz in enumerate(shaken)]
    monkeypatch.setattr(claims, "load_mocap", lambda path, *, split: bodies)
    path = tmp_path / "weights" / "htnet.tiny.json"
    card = release(run, tmp_path / "weights", tmp_path / "training", Sources(sources.mocap, [tmp_path / "two.npz"]))
    kinds = {by_detector(kind) for kind in DETECTORS}
    assert kinds < set(card.scores) and len(kinds) == 6
    few = {name: score for name, score in card.scores.items() if name not in {by_detector("COCO_17"), "exact 2D"}}
    dataclasses.replace(card, scores=few).write(path, overwrite=True)
    again = Sources(sources.mocap, [tmp_path / "two.npz"], simulated_detector)
    assert measure_missing(path, again) == ["exact 2D", by_detector("COCO_17")]
    found = Card.read(path)
    assert found.scores == card.scores
    assert len({score.mean["p_mpjpe"] for name, score in card.scores.items() if name in kinds}) > 4
    lifter = load_lifter(path.with_suffix(".onnx"))
    assert all(check.measured is not None and check.holds for check in check_scores(lifter, found, again))
    old = dataclasses.replace(card.scores["exact 2D"], mean={"p_mpjpe": 1.0})
    dataclasses.replace(card, scores=card.scores | {"exact 2D": old}).write(path, overwrite=True)
    assert measure_missing(path, again) == []
    assert "exact 2D" in measure_missing(path, again, anew=["exact"])
    assert Card.read(path).scores == card.scores and list(Card.read(path).scores) == list(card.scores)


def test_spread_is_fitted_anew_and_joints_stay(sources, person, tmp_path, monkeypatch):
    shaken = [person + np.random.default_rng(seed).normal(0, 0.01, (6, 27, 3)).astype(np.float32) for seed in range(3)]
    bodies = [MocapClip(f"{i}", "a", xyz, BODY_27, 50.0) for i, xyz in enumerate(shaken)]
    monkeypatch.setattr(claims, "load_mocap", lambda path, *, split: bodies)
    torch.manual_seed(0)
    config = MODEL | {"skeleton": "BODY_27", "spread": True}
    model, folder = build("htnet", **config), tmp_path / "run"
    folder.mkdir()
    export_onnx(model, folder / "htnet.tiny.onnx")
    save_weights(model, folder / "htnet.tiny.safetensors", lifter="htnet", config=config, overwrite=False)
    recipe = recipe_json(dataclasses.replace(RECIPE, model=config))
    training = dataclasses.replace(TRAINING, recipe=recipe)
    dataclasses.replace(CARD, skeleton="BODY_27", training=training).write(folder / "htnet.tiny.json")
    before = release(folder / "htnet.tiny.onnx", tmp_path / "weights", tmp_path / "training", sources)
    path = tmp_path / "weights" / "htnet.tiny.json"
    window = np.random.default_rng(1).normal(0, 0.5, (4, 1, 27, 3)).astype(np.float32)
    old = load_lifter(path.with_suffix(".onnx")).answer(window)
    after = recalibrate(path, tmp_path / "training", sources)
    new = load_lifter(path.with_suffix(".onnx"))
    assert new.card == after == Card.read(path)
    assert np.allclose(new.answer(window)["joints"], old["joints"], atol=1e-5)
    assert not np.allclose(new.answer(window)["spread"], old["spread"], rtol=0.1)
    name = "detector errors"
    off = [abs(card.scores[name].mean["coverage_50"] - 50) for card in (before, after)]
    assert off[1] < off[0] / 2  # a fresh network says 5 cm of everything
    torch_answer = load_weights(tmp_path / "training" / "htnet.tiny.safetensors").answer(torch.from_numpy(window))
    assert np.allclose(torch_answer["spread"].detach().numpy(), new.answer(window)["spread"], rtol=1e-2)


def test_weights_without_spread_are_not_calibrated(run, sources, tmp_path):
    release(run, tmp_path / "weights", tmp_path / "training", sources)
    path = tmp_path / "weights" / "htnet.tiny.json"
    before = path.read_bytes()
    with pytest.raises(CheckpointError, match="do not say how far off"):
        recalibrate(path, tmp_path / "training", sources)
    dataclasses.replace(Card.read(path), training=None).write(path, overwrite=True)
    with pytest.raises(CheckpointError, match="not trained here"):
        recalibrate(path, tmp_path / "training", sources)
    path.write_bytes(before)


def test_nothing_ships_that_was_not_measured(run, tmp_path):
    with pytest.raises(MissingData):
        release(run, tmp_path / "weights", tmp_path / "training", Sources())
    assert not (tmp_path / "weights").exists()


def test_weights_of_others_are_not_ours_to_ship(run, sources, tmp_path):
    dataclasses.replace(CARD, training=None).write(run.with_suffix(".json"), overwrite=True)
    with pytest.raises(CheckpointError, match="not trained here"):
        release(run, tmp_path / "weights", tmp_path / "training", sources)
