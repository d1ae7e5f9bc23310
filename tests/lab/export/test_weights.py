import os
import pickle
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

import numpy as np
import safetensors.torch

from poselift import cli
from poselift.errors import CheckpointError, OutputExistsError, RecipeError
from poselift.lab.export.card import FOREIGN_LICENSE, import_weights, sizes_of
from poselift.lab.export.weights import halve_weights, load_initial, load_weights, read_reference, save_weights
from poselift.lab.models import LIFTERS, build
from poselift.lifters.load import load_lifter

SMALL = {"width": 24, "mlp_width": 16, "gcn_width": 16, "num_blocks": 1}


@pytest.fixture
def model():
    torch.manual_seed(0)
    return build("htnet", **SMALL).eval()


@pytest.fixture
def theirs(model):
    """The model's weights as the authors' code saves them."""
    reference = LIFTERS["htnet"].reference
    return {reference.name(key): reference.restore(key, value) for key, value in model.state_dict().items()}


def test_our_weights_come_back(model, tmp_path):
    path = tmp_path / "htnet.tiny.safetensors"
    save_weights(model, path, lifter="htnet", config=SMALL | {"skeleton": model.skeleton}, overwrite=False)
    again = load_weights(path)
    assert again.config == model.config and not again.training
    x = torch.randn(2, 1, 17, 2)
    assert torch.equal(again(x), model(x))
    with pytest.raises(OutputExistsError):
        save_weights(model, path, lifter="htnet", config=SMALL, overwrite=False)


def test_half_as_large_and_read_by_all_that_reads_weights(tmp_path):
    options = SMALL | {"width": 192, "mlp_width": 128, "gcn_width": 96}
    torch.manual_seed(0)
    model = build("htnet", **options).eval()
    save_weights(model, tmp_path / "full.safetensors", lifter="htnet", config=options, overwrite=False)
    halve_weights(tmp_path / "full.safetensors", tmp_path / "half.safetensors")
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("half", "full")]
    assert sizes[0] < 0.75 * sizes[1]
    for again in (load_weights(tmp_path / "half.safetensors"), build("htnet", **options).eval()):
        load_initial(again, tmp_path / "half.safetensors")
        for name, value in again.state_dict().items():
            assert value.dtype == model.state_dict()[name].dtype
            torch.testing.assert_close(value, model.state_dict()[name], rtol=1e-3, atol=1e-6)
    with pytest.raises(OutputExistsError):
        halve_weights(tmp_path / "full.safetensors", tmp_path / "half.safetensors")
    with pytest.raises(CheckpointError):
        halve_weights(tmp_path / "none.safetensors", tmp_path / "other.safetensors")


@pytest.fixture
def encoder(model, tmp_path):
    path = tmp_path / "htnet.poseclr.safetensors"
    save_weights(model, path, lifter="htnet", config=SMALL, part="encoder", overwrite=False)
    return path


def test_an_encoder_is_taken_and_the_head_is_left(model, encoder):
    other = build("htnet", **SMALL, dropout=0.5, drop_path=(0.3, 0.4))
    head = {name: value.clone() for name, value in other.head.state_dict().items()}
    load_initial(other, encoder)
    for name, value in other.state_dict().items():
        wanted = head[name.removeprefix("head.")] if name.startswith("head.") else model.state_dict()[name]
        assert torch.equal(value, wanted), name
    x = torch.randn(2, 1, 17, 2)
    assert torch.equal(other.eval().encode(x), model.encode(x))
    assert not torch.equal(other(x), model(x))


def test_whole_weights_are_taken_with_their_head(model, tmp_path):
    path = tmp_path / "htnet.tiny.safetensors"
    save_weights(model, path, lifter="htnet", config=SMALL, overwrite=False)
    other = build("htnet", **SMALL, dropout=0.5)
    load_initial(other, path)
    x = torch.randn(2, 1, 17, 2)
    assert torch.equal(other.eval()(x), model(x))


def test_heads_that_only_one_of_two_has_stay_fresh_or_are_left_out(model, tmp_path):
    path, more = tmp_path / "htnet.tiny.safetensors", SMALL | {"spread": True, "up": True}
    save_weights(model, path, lifter="htnet", config=SMALL, overwrite=False)
    other, x = build("htnet", **more).eval(), torch.randn(2, 1, 17, 2)
    load_initial(other, path)
    assert torch.equal(other.answer(x)["joints"], model(x)) and (other.answer(x)["up"][..., 1] == -1).all()
    torch.nn.init.normal_(other.extras.out.weight)
    save_weights(other, path, lifter="htnet", config=more, overwrite=True)
    for options in (SMALL, more, SMALL | {"spread": True}):
        again = build("htnet", **options).eval()
        load_initial(again, path)
        assert torch.equal(again(x), model(x))
        same = options == more and torch.equal(again.answer(x)["up"], other.answer(x)["up"])
        assert same == (options == more)


NANO = {"keep_frames": 3, "in_channels": 3, "width": 48, "mlp_width": 16, "gcn_width": 16, "num_blocks": 1}


@pytest.mark.parametrize(
    ("there", "here"),
    [
        ({"in_frames": 9}, {"in_frames": 27}),
        ({"in_frames": 27}, {"in_frames": 9}),
        ({"in_frames": 9}, {"in_frames": 9, "live": True}),
        ({"in_frames": 9, "live": True}, {"in_frames": 27}),
        ({"in_frames": 9}, {"in_frames": 9}),
    ],
)
def test_weights_of_another_window_are_the_same_function_of_the_frames_both_see(there, here, tmp_path):
    old, new = (build("nanohtnet", **NANO, dct="ortho", **window).eval() for window in (there, here))
    path = tmp_path / "old.safetensors"
    save_weights(old, path, lifter="nanohtnet", config=NANO | {"dct": "ortho"} | there, overwrite=False)
    load_initial(new, path)
    # Frame by frame from the first one given out; what only one of the two sees is zero.
    places = [{t - model.out_frames[0]: t for t in range(model.in_frames)} for model in (old, new)]
    seen = [torch.zeros(2, model.in_frames, 17, 3) for model in (old, new)]
    for offset in places[0].keys() & places[1].keys():
        frame = torch.randn(2, 17, 3)
        for x, place in zip(seen, places, strict=True):
            x[:, place[offset]] = frame
    torch.testing.assert_close(new._encode_joints(seen[1]), old._encode_joints(seen[0]), rtol=0, atol=1e-5)
    assert old._encode_joints(seen[0]).abs().max() > 1e-3
    only_new = [place for offset, place in places[1].items() if offset not in places[0]]
    assert not new.spatial_embed.weight.unflatten(1, (new.in_frames, -1))[:, only_new].any()
    for name, value in new.state_dict().items():
        assert name == "spatial_embed.weight" or torch.equal(value, old.state_dict()[name]), name


def test_other_options_still_refuse_and_other_lifters_need_the_same_window(tmp_path):
    path = tmp_path / "old.safetensors"
    save_weights(build("nanohtnet", **NANO, in_frames=9), path, lifter="nanohtnet", config=NANO | {"in_frames": 9},
        overwrite=False)  # fmt: skip
    with pytest.raises(CheckpointError, match="keep_frames=3; wanted 5, .*; only in_frames, live, skeleton may differ"):
        load_initial(build("nanohtnet", **NANO | {"in_frames": 27, "keep_frames": 5}), path)
    window = {"width": 8, "heads": 4, "kernels": (3, 5)}
    convformer = tmp_path / "convformer.safetensors"
    save_weights(build("convformer", in_frames=9, **window), convformer, lifter="convformer",
        config=window | {"in_frames": 9}, overwrite=False)  # fmt: skip
    message = "made with in_frames=9; wanted 27, as this lifter has it; only skeleton may differ$"
    with pytest.raises(CheckpointError, match=message):
        load_initial(build("convformer", in_frames=27, **window), convformer)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"num_blocks": 2}, "made with num_blocks=1; wanted 2"),
        ({"in_channels": 3}, "made with in_channels=2; wanted 3"),
        ({"fps": 25.0}, "made with fps=50.0; wanted 25.0"),
        ({"heads": 2}, "made with heads="),
    ],
)
def test_an_encoder_of_other_options_is_refused(encoder, config, message):
    other = build("htnet", **SMALL | config)
    before = {name: value.clone() for name, value in other.state_dict().items()}
    with pytest.raises(CheckpointError, match=message):
        load_initial(other, encoder)
    for name, value in other.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_misfits_of_an_encoder_are_named(model, tmp_path):
    path = tmp_path / "bad.safetensors"
    model.position = torch.nn.Parameter(torch.zeros(1, 16, 24))
    model.extra = torch.nn.Parameter(torch.zeros(2))
    model.embed.bias = None
    save_weights(model, path, lifter="htnet", config=SMALL, overwrite=False)
    other = build("htnet", **SMALL)
    before = other.embed.weight.clone()
    with pytest.raises(CheckpointError) as error:
        load_initial(other, path)
    for part in (
        r"embed.bias: wanted (24,), got nothing",
        "extra: wanted nothing, got (2,)",
        "position: wanted (1, 17, 24), got (1, 16, 24)",
    ):
        assert part in str(error.value)
    assert torch.equal(other.embed.weight, before)


def test_an_encoder_of_another_lifter_is_refused(encoder, tmp_path):
    with pytest.raises(CheckpointError, match="is of htnet, and not of PoseSSM"):
        load_initial(build("posessm", width=24, num_blocks=1), encoder)
    with pytest.raises(CheckpointError, match="no weights at"):
        load_initial(build("htnet", **SMALL), tmp_path / "none.safetensors")
    bare = tmp_path / "bare.safetensors"
    safetensors.torch.save_file({"x": torch.zeros(1)}, bare)
    with pytest.raises(CheckpointError, match="does not say which lifter it is of; .* poselift wrote"):
        load_initial(build("htnet", **SMALL), bare)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (SMALL | {"num_blocks": 2}, r"spatial.blocks.1.*wanted and got \(.*\) and nothing"),
        (SMALL | {"mlp_width": 8}, r"mlp.fc\d.\w+: wanted and got \(.*8.*\) and \(.*16.*\)"),
    ],
)
def test_our_weights_load_strictly(model, tmp_path, config, message):
    path = tmp_path / "odd.safetensors"
    save_weights(model, path, lifter="htnet", config=config, overwrite=False)
    with pytest.raises(CheckpointError, match=message):
        load_weights(path)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("{", "config is broken JSON"),
        ("[1]", "wanted them by name, got list"),
        ('{"depth": 3}', "unknown fields depth"),
        ('{"width": "wide"}', "wanted width as int"),
        ('{"width": 24.5}', "wanted width as int"),
        ('{"dropout": NaN}', "wanted dropout as float"),
        ('{"drop_path": [0.1]}', "wanted drop_path as tuple"),
        ('{"skeleton": "H36M_16"}', "unknown skeleton"),
        ('{"width": 0}', "width"),
        ('{"num_blocks": 1000000000}', "wanted up to 100 blocks"),
        ('{"width": 24000000000000000000000}', "numbers up to 10000"),
        ('{"width": 7992, "mlp_width": 9000}', "wanted a lifter of up to 100,000,000 weights"),
        ("7" * 5000, "more than 308 digits"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_options_that_a_file_makes_up(model, tmp_path, config, message):
    path = tmp_path / "odd.safetensors"
    metadata = {"lifter": "htnet", "config": config, "part": "whole"}
    safetensors.torch.save_file(model.state_dict(), path, metadata)
    with pytest.raises(CheckpointError, match=message):
        load_weights(path)
    if "wanted up to" not in message and "numbers up to" not in message and "lifter of up to" not in message:
        with pytest.raises(CheckpointError, match=message):
            load_initial(model, path)


@pytest.mark.parametrize("recipe", [{}, {"lifter": 3}, {"lifter": "htnet"}, {"lifter": "htnet", "model": {"depth": 1}}])
def test_recipes_that_a_card_makes_up(recipe):
    with pytest.raises(CheckpointError, match="the recipe on the card"):
        sizes_of(recipe)


def test_weights_that_hold_fewer_numbers_than_their_shapes_say(theirs, tmp_path):
    name = next(key for key, value in theirs.items() if value.ndim == 2)
    torch.save(theirs | {name: torch.zeros(1).expand(10**6, 10**6)}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=f"wanted plain tensors.*{name}"):
        read_reference(tmp_path / "a.pth")


def test_a_file_does_not_decide_what_is_imported(model, tmp_path, monkeypatch):
    """The weights and the card's recipe name a class in the working folder; it runs when the user names it too."""
    code = "from pathlib import Path\nfrom poselift.lab.models.htnet import HTNet, HTNetConfig\n"
    code += "Path('RAN').touch()\nclass Net(HTNet):\n"
    code += "    def __init__(self, **options):\n        super().__init__(HTNetConfig(**options))\n"
    (tmp_path / "named_by_a_file.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    name, config = "named_by_a_file:Net", {}
    recipe = {"lifter": name, "model": config}
    save_weights(model, "w.safetensors", lifter=name, config=config, overwrite=False)
    for read in (lambda: load_weights("w.safetensors"), lambda: sizes_of(recipe)):
        with pytest.raises(CheckpointError, match=f"'{name}'.* nothing of it was imported.* --lifter {name}"):
            read()
    with pytest.raises(CheckpointError, match=f"is of the lifter '{name}', and not of 'htnet'"):
        load_weights("w.safetensors", lifter="htnet")
    assert not Path("RAN").exists()
    try:
        assert sizes_of(recipe, lifter=name)["parameters"] > 0
        with pytest.raises(CheckpointError, match="the file does not fit named_by_a_file:Net"):  # it is a smaller one
            load_weights("w.safetensors", lifter=name)
    finally:
        sys.modules.pop("named_by_a_file", None)
    assert Path("RAN").exists()


def test_other_safetensors_are_no_weights_of_ours(theirs, tmp_path):
    import safetensors.torch

    path = tmp_path / "other.safetensors"
    safetensors.torch.save_file({key: value.contiguous() for key, value in theirs.items()}, path)
    with pytest.raises(CheckpointError, match="does not say which lifter it is of"):
        load_weights(path)
    assert read_reference(path).keys() == theirs.keys()
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        load_weights(path)


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("wrapped", [False, True])
def test_the_authors_weights_become_ours(model, theirs, tmp_path, prefix, wrapped):
    given = {prefix + key: value for key, value in theirs.items()}
    torch.save({"state_dict": given} if wrapped else given, tmp_path / "model_15_4890.pth")
    path = import_weights("htnet", tmp_path / "model_15_4890.pth", tmp_path / "out", date="2026-01-02")
    assert path.name == "htnet.model_15_4890.onnx"
    assert sorted(file.suffix for file in path.parent.iterdir()) == [".json", ".onnx", ".safetensors"]
    x = np.random.default_rng(0).normal(size=(3, 1, 17, 2)).astype(np.float32)
    wanted = model(torch.from_numpy(x)).detach().numpy()
    lifter = load_lifter(path)
    np.testing.assert_allclose(lifter(x), wanted, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(load_weights(path.with_suffix(".safetensors"))(torch.from_numpy(x)).detach(), wanted)
    assert (lifter.normalization, lifter.card.license) == ("screen", FOREIGN_LICENSE)
    assert lifter.card.imported.file == "model_15_4890.pth"
    assert len(lifter.card.imported.sha256) == 64
    with pytest.raises(OutputExistsError):
        import_weights("htnet", tmp_path / "model_15_4890.pth", tmp_path / "out", date="2026-01-02")


class Hostile:
    def __reduce__(self):
        return os.mkdir, (self.target,)


def test_a_malicious_pickle_is_refused_and_runs_nothing(theirs, tmp_path):
    bomb = Hostile()
    bomb.target = str(tmp_path / "ran")
    for name, save in (
        ("new.pth", torch.save),
        ("old.pth", lambda o, p: torch.save(o, p, _use_new_zipfile_serialization=False)),
    ):
        save(theirs | {"extra": bomb}, tmp_path / name)
        with pytest.raises(CheckpointError, match="refused and nothing in it was run"):
            import_weights("htnet", tmp_path / name, tmp_path / "out", date="")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(bomb))
    with pytest.raises(CheckpointError):
        read_reference(tmp_path / "plain.pth")
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "content", [[1, 2], {"epoch": 3}, {"weights": torch.zeros(1), "epoch": 3}, {1: torch.zeros(1)}]
)
def test_a_file_without_weights_is_an_error(tmp_path, content):
    torch.save(content, tmp_path / "odd.pth")
    with pytest.raises(CheckpointError, match="wanted tensors by name"):
        read_reference(tmp_path / "odd.pth")


def test_a_file_cut_short_is_an_error(theirs, tmp_path):
    path = tmp_path / "cut.pth"
    torch.save(theirs, path)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(CheckpointError, match="cut.pth"):
        read_reference(path)
    with pytest.raises(CheckpointError, match="no weights at"):
        read_reference(tmp_path / "none.pth")


def test_unknown_lifters_are_errors(theirs, tmp_path):
    torch.save(theirs, tmp_path / "x.pth")
    with pytest.raises(RecipeError, match="unknown lifter 'htnt'; did you mean 'htnet'"):
        import_weights("htnt", tmp_path / "x.pth", tmp_path / "out", date="")


def test_the_verb(theirs, tmp_path, capsys):
    torch.save(theirs, tmp_path / "best.pth")
    assert cli.main(["import-weights", "htnet", str(tmp_path / "best.pth"), "-o", str(tmp_path / "out")]) == 0
    assert "htnet.best.onnx" in capsys.readouterr().out
    assert cli.main(["import-weights", "htnet", str(tmp_path / "best.pth"), "-o", str(tmp_path / "out")]) == 1
    assert cli.main(["import-weights", "nanohtnet", str(tmp_path / "best.pth"), "-o", str(tmp_path / "two")]) == 1
    error = capsys.readouterr().err
    assert "tem_patch_embed.weight is missing" in error


def test_weights_that_name_a_lifter_from_elsewhere_do_not_start_ours(tmp_path):
    path = tmp_path / "other.safetensors"
    save_weights(build("htnet"), path, lifter="elsewhere:Lifter", config={"width": 240}, overwrite=False)
    for name in ("htnet", "posessm", "nanohtnet"):
        with pytest.raises(CheckpointError, match="is of elsewhere:Lifter, and not of"):
            load_initial(build(name), path)
