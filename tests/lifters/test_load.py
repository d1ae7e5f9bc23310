import dataclasses
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from poselift.errors import CheckpointError, ShapeError, SkeletonError
from poselift.lifters.card import Card
from poselift.lifters.contract import Lifter, check_lifter
from poselift.lifters.load import (
    DEFAULT_LIFTER,
    choose_shipped,
    load_lifter,
    shipped_cards,
    shipped_lifters,
)
from poselift.lifters.onnx import OnnxLifter
from poselift.skeleton import H36M_17, HUMANEVA_15

CARD = Card(
    name="tiny.test", skeleton="H36M_17", in_frames=5, out_frames=(1, 2), fps=50.0, in_channels=3, license="MIT"
)


@pytest.fixture
def weights(tmp_path):
    """Writes a network that yields its input at frames 1 and 2, with its card."""
    onnx = pytest.importorskip("onnx")

    def write(batch="batch", dtype="FLOAT", opset=13, operator="Gather", **changes) -> Path:
        kind = getattr(onnx.TensorProto, dtype)
        frames = onnx.helper.make_tensor("frames", onnx.TensorProto.INT64, [2], [1, 2])
        graph = onnx.helper.make_graph(
            [onnx.helper.make_node(operator, ["windows", "frames"], ["joints"], axis=1)],
            "tiny",
            [onnx.helper.make_tensor_value_info("windows", kind, [batch, 5, 17, 3])],
            [onnx.helper.make_tensor_value_info("joints", kind, [batch, 2, 17, 3])],
            [frames],
        )
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=8)
        path = tmp_path / "tiny.onnx"
        path.write_bytes(model.SerializeToString())
        dataclasses.replace(CARD, **changes).write(path.with_suffix(".json"), overwrite=True)
        return path

    return write


def test_a_network_is_run_as_its_card_says(weights):
    lifter = OnnxLifter(weights(), threads=1)
    assert isinstance(lifter, Lifter)
    check_lifter(lifter)
    assert lifter.skeleton is H36M_17
    assert (lifter.in_frames, lifter.out_frames, lifter.fps, lifter.in_channels) == (5, (1, 2), 50.0, 3)
    for batch in (1, 3):
        windows = np.random.default_rng(0).normal(size=(batch, 5, 17, 3)).astype(np.float32)
        np.testing.assert_array_equal(lifter(windows), windows[:, 1:3])
    with pytest.raises(ShapeError, match=r"wanted windows \(B, 5, 17, 3\), got \(2, 6, 17, 3\)"):
        lifter(np.zeros((2, 6, 17, 3), np.float32))
    with pytest.raises(ShapeError, match="wanted windows"):
        lifter(np.zeros((5, 17, 3), np.float32))


def test_a_network_that_fails_when_it_runs_is_named(weights, tmp_path):
    onnx = pytest.importorskip("onnx")
    path = weights()
    network = onnx.load(path)
    network.graph.initializer[0].CopyFrom(onnx.helper.make_tensor("frames", onnx.TensorProto.INT64, [4], [7, 2, 17, 3]))
    network.graph.node[0].CopyFrom(onnx.helper.make_node("Reshape", ["windows", "frames"], ["joints"]))
    onnx.save(network, path)
    lifter = OnnxLifter(path, threads=1)
    with pytest.raises(CheckpointError, match=r"tiny.onnx fails on 2 windows \(5, 17, 3\): .*Reshape"):
        lifter(np.zeros((2, 5, 17, 3), np.float32))


def test_float64_and_strided_windows_are_taken(weights):
    windows = np.random.default_rng(0).normal(size=(2, 17, 5, 3)).swapaxes(1, 2)
    joints = OnnxLifter(weights())(windows)
    assert joints.dtype == np.float32
    np.testing.assert_array_equal(joints, windows[:, 1:3].astype(np.float32))


def test_weights_by_path(weights):
    assert load_lifter(weights()).card.name == "tiny.test"
    assert load_lifter(str(weights())).card.name == "tiny.test"


def test_missing_weights_and_a_missing_card_are_told(weights, tmp_path):
    with pytest.raises(CheckpointError, match="no weights at .*nothing.onnx"):
        load_lifter(tmp_path / "nothing.onnx")
    path = weights()
    path.with_suffix(".json").unlink()
    with pytest.raises(CheckpointError, match="no card at .*tiny.json"):
        OnnxLifter(path)


@pytest.mark.parametrize("size", [0, 1, 40, -20])
def test_broken_networks_are_told(weights, size):
    path = weights()
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(CheckpointError, match="tiny.onnx is no network that ONNX Runtime can open"):
        OnnxLifter(path)


@pytest.mark.parametrize("how", [{"operator": "Gatter"}, {"opset": 999}])
def test_networks_beyond_this_runtime_are_told(weights, how):
    with pytest.raises(CheckpointError, match="is no network that ONNX Runtime can open"):
        OnnxLifter(weights(**how))


def test_text_instead_of_a_network_is_told(weights):
    path = weights()
    path.write_text("<!doctype html>")
    with pytest.raises(CheckpointError, match="is no network"):
        OnnxLifter(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"in_frames": 6}, r"card says windows \[6, 17, 3\].*takes \[5, 17, 3\]"),
        ({"out_frames": (2,)}, r"to joints \[1, 17, 3\].*gives \[2, 17, 3\]"),
        ({"in_channels": 2}, "card says windows"),
        ({"skeleton": HUMANEVA_15.name}, "card says windows"),
        ({"normalization": "box"}, "unknown normalisation 'box'; this version knows person-scale, screen"),
        ({"batch": 1}, "dynamic batch axis"),
        ({"dtype": "DOUBLE"}, "float32"),
    ],
)
def test_networks_that_contradict_their_card_are_refused(weights, changes, message):
    with pytest.raises(CheckpointError, match=message):
        OnnxLifter(weights(**changes))


def test_an_unknown_name_is_told_with_a_suggestion(monkeypatch):
    monkeypatch.setattr("poselift.lifters.load.shipped_lifters", lambda: ["nanohtnet.mocap-81"])
    with pytest.raises(CheckpointError, match="unknown lifter 'nanohtnt.mocap'; did you mean 'nanohtnet.mocap-81'"):
        load_lifter("nanohtnt.mocap")


def test_without_weights_there_are_no_names(monkeypatch, tmp_path):
    monkeypatch.setattr("poselift.lifters.load.resources.files", lambda package: tmp_path)
    assert list(shipped_lifters()) == []
    with pytest.raises(CheckpointError, match="unknown lifter"):
        load_lifter()


def test_shipped_weights_open_and_carry_what_a_user_must_know():
    names = shipped_lifters()
    if not names:
        pytest.skip("no weights in this checkout")
    assert DEFAULT_LIFTER in names
    for name in names:
        lifter = load_lifter(name, threads=1)
        card = lifter.card
        assert card.name == name
        assert card.license and card.data and card.scores and card.parameters
        joints = lifter(np.zeros((2, lifter.in_frames, len(lifter.skeleton), lifter.in_channels), np.float32))
        assert joints.shape == (2, len(lifter.out_frames), len(lifter.skeleton), 3)
        assert np.isfinite(joints).all()


def test_auto_opens_what_was_chosen_for_the_clip():
    if not shipped_lifters():
        pytest.skip("no weights in this checkout")
    assert [card.name for card in shipped_cards()] == shipped_lifters()
    chosen = choose_shipped(fps=50, length=100).card.name
    assert load_lifter("auto", fps=50, length=100, threads=1).card.name == chosen
    with pytest.raises(CheckpointError, match="wanted fps and length of the clip"):
        load_lifter("auto")


def test_auto_without_delay(monkeypatch, tmp_path):
    """The weights to open are those whose newest pose waits for nothing, and those only."""
    waits = dataclasses.replace(CARD, name="waits.5")
    monkeypatch.setattr("poselift.lifters.load.shipped_cards", lambda: [waits])
    with pytest.raises(CheckpointError, match="no weights here are without delay; .* waits.5, 0.04 s behind"):
        load_lifter("auto", live=True)
    live = dataclasses.replace(CARD, name="live.5", out_frames=(3, 4))
    monkeypatch.setattr("poselift.lifters.load.shipped_cards", lambda: [waits, live])
    with pytest.raises(CheckpointError, match="unknown lifter 'live.5'"):  # chosen, but no file of it is there
        load_lifter("auto", live=True)


def test_what_is_no_lifter_is_told_by_what_it_lacks(fake_lifter):
    check_lifter(fake_lifter())
    with pytest.raises(SkeletonError, match="function is no lifter: it lacks skeleton, in_frames, .*in_channels$"):
        check_lifter(lambda windows: windows)
    with pytest.raises(SkeletonError, match=r"got the name 'some\.thing'; open it with load_lifter\('some\.thing'\)"):
        check_lifter("some.thing")


class Own:
    """A lifter of one's own, without files."""

    skeleton, in_frames, out_frames, fps, in_channels = H36M_17, 1, (0,), 25.0, 2

    def __call__(self, windows):
        return np.zeros((*windows.shape[:3], 3), np.float32)


class Unfinished:
    fps = 25.0


@pytest.fixture
def module(monkeypatch):
    """Makes this file a module that can be named."""
    fake = types.ModuleType("own_lifters")
    fake.Own, fake.Unfinished, fake.number = Own, Unfinished, 3
    monkeypatch.setitem(sys.modules, "own_lifters", fake)


def test_a_lifter_of_ones_own_is_named_by_module_and_class(module):
    lifter = load_lifter("own_lifters:Own")
    assert isinstance(lifter, Own)
    with pytest.raises(CheckpointError, match="no module 'nowhere'"):
        load_lifter("nowhere:Own")
    with pytest.raises(CheckpointError, match="Unfinished cannot be .* Unfinished is no lifter: it lacks skeleton"):
        load_lifter("own_lifters:Unfinished")


@pytest.mark.parametrize("name", ["subprocess:Popen", "enum:Enum", "json:JSONDecodeError", "uuid:UUID"])
def test_a_class_that_wants_arguments_is_refused(name):
    with pytest.raises(CheckpointError, match=f"{name} cannot be used as a lifter: .* argument.*TypeError"):
        load_lifter(name)


def test_a_torch_network_must_be_trained_first(module):
    torch = pytest.importorskip("torch")
    assert torch.nn.Linear
    with pytest.raises(CheckpointError, match="poselift train mocap --lifter torch.nn:Linear"):
        load_lifter("torch.nn:Linear")


def test_large_batches_are_run_in_pieces_with_the_same_result(monkeypatch):
    lifter = load_lifter("nanohtnet.mocap27-27", threads=1)
    shape = (7, lifter.in_frames, len(lifter.skeleton), lifter.in_channels)
    windows = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    whole, sizes = lifter.answer(windows), []
    run = lifter._session.run

    class Session:
        def run(self, names, feed):
            sizes.append(len(next(iter(feed.values()))))
            return run(names, feed)

    monkeypatch.setattr(lifter, "_piece", 3)
    monkeypatch.setattr(lifter, "_session", Session())
    pieces = lifter.answer(windows)
    assert sizes == [3, 3, 1]
    for name in lifter.outputs:
        np.testing.assert_allclose(pieces[name], whole[name], atol=1e-5)
