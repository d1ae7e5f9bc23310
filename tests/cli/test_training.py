"""The training verb, end to end, on a tiny archive: train, evaluate, export, and lift with what came out."""

import ast
import dataclasses
import inspect
import io
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from rich.console import Console

import poselift
from poselift import cli
from poselift.cli import training
from poselift.errors import RecipeError
from poselift.lab.export.card import CMU_LICENSE, OTHER_LICENSE, license_of, sizes_of
from poselift.lab.export.weights import load_weights
from poselift.lab.observe import cameras, noise
from poselift.lab.recipes import RECIPES, get_recipe
from poselift.lab.recipes.tables import TABLES
from poselift.lab.reproduce import Outcome, sheets
from poselift.lab.run import losses, optim, recipe
from poselift.lab.windows import mocap as data
from poselift.lifters.card import Card
from poselift.measure.claims import MEASURES
from poselift.skeleton import H36M_17

DEMO = Path(poselift.__file__).parent / "data" / "demo.npz"
TINY = (
    "--steps 2 --batch-size 4 --log-every 1 --checkpoint-every 1 --evaluate-every 2 --device cpu "
    "--model.in-frames 9 --model.keep-frames 3 --model.drop-path 0.0 0.1 --data.exact 0.5 --data.camera.roll-rad 0.1 "
    "--optim.lr 2e-3 --loss.velocity 0.5 --name nanohtnet.tiny"
).split()


@pytest.fixture
def small(monkeypatch):
    """The recipe with a small network, for speed."""
    recipe = get_recipe("nanohtnet_mocap")
    model = recipe.model | {"width": 48, "mlp_width": 16, "gcn_width": 16, "num_blocks": 1}

    def nanohtnet_mocap():
        """As the real one."""
        return dataclasses.replace(recipe, model=model)

    monkeypatch.setitem(RECIPES, "nanohtnet_mocap", nanohtnet_mocap)


def run_cli(*arguments):
    return cli.main([str(argument) for argument in arguments])


def test_from_an_archive_to_a_lifted_clip(archive, small, tmp_path, walk, capsys):
    out = tmp_path / "run"
    assert run_cli("train", "nanohtnet_mocap", "--data", archive, "--out", out, *TINY) == 0
    ours = [f"nanohtnet.tiny.{ending}" for ending in ("json", "onnx", "safetensors")]
    names = ["checkpoint.pt", "log.jsonl", *ours, "recipe.json"]
    assert sorted(file.name for file in out.iterdir()) == names
    recipe = json.loads((out / "recipe.json").read_text())
    assert (recipe["steps"], recipe["data"]["exact"], recipe["optim"]["lr"]) == (2, 0.5, 0.002)
    assert (recipe["data"]["camera"]["roll_rad"], recipe["loss"]["velocity"]) == (0.1, 0.5)
    assert (recipe["model"]["in_frames"], recipe["model"]["drop_path"]) == (9, [0.0, 0.1])
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2]
    assert lines[1]["dev_p_mpjpe"] > 0

    card = Card.read(out / "nanohtnet.tiny.json")
    assert (card.name, card.skeleton, card.in_frames, card.out_frames) == ("nanohtnet.tiny", "H36M_17", 9, (3, 4, 5))
    assert (card.fps, card.in_channels, card.license) == (50.0, 3, CMU_LICENSE)
    assert "tiny.npz" in card.data
    assert card.training.recipe == recipe
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", card.training.date)
    assert (card.training.init, card.training.steps, card.training.windows) == (None, 2, 2 * recipe["batch_size"])
    assert set(card.scores) == set(MEASURES)
    for name, score in card.scores.items():
        assert score.frames == (1 if "quick" in name else 4) * 12
        assert score.mean["mpjpe"] > 0
        assert (score.protocol["errors"] is None) == ("detector" not in name)
    assert card.macs == sizes_of(recipe)["macs"]
    assert run_cli("check-card", out / "nanohtnet.tiny.onnx", "--data", archive, "--quick") == 0
    model = torch.load(out / "checkpoint.pt", weights_only=True)["average"]
    assert card.parameters == sum(value.numel() for value in model.values())

    lifter = poselift.load_lifter(out / "nanohtnet.tiny.onnx")
    x, y, z = np.moveaxis(walk(31).xyz, -1, 0)
    pixels = 500 + 1000 * np.stack([x, 1 - z], -1) / (4 + y)[..., None]
    poses = poselift.lift(poselift.Keypoints2D(pixels, None, H36M_17, 50.0), lifter)
    assert poses.xyz.shape == (31, 17, 3)
    assert (poses.xyz[:, 0] == 0).all()
    assert np.abs(poses.xyz).max() < 10

    assert run_cli("train", "--data", archive, "-o", out, "nanohtnet_mocap") == 1
    assert "another recipe" in capsys.readouterr().err


def exits(*arguments):
    with pytest.raises(SystemExit) as ended:
        run_cli(*arguments)
    return ended.value.code


def test_what_is_wrong_is_said(tmp_path, capsys):
    out = tmp_path / "run"
    assert exits("train", "nanohtnet_mocap", "--out", out) == 2
    assert "--data" in capsys.readouterr().err
    assert exits("train", "nanohtnet_mocap", "--data", "x.npz") == 2
    assert "--out" in capsys.readouterr().err
    assert exits("train", "nanohtnet_mocap", "--data", "x.npz", "--out", out, "--optim.lrr", "1") == 2
    error = capsys.readouterr().err
    assert "--optim.lrr" in error
    assert "--optim.lr" in error.replace("--optim.lrr", "")  # what was meant
    assert exits("train", "nanohtnet_mocap", "--data", "x.npz", "--out", out, "--steps", "many") == 2
    assert "--steps" in capsys.readouterr().err
    assert exits("train", "nanohtnet_mocap", "--data", "x.npz", "--out", out, "--data.exact", "2") == 2
    assert "data.exact: wanted a share in [0, 1], got 2.0" in capsys.readouterr().err
    for arguments, message in [
        (["nanohtnet_mocp"], "unknown recipe 'nanohtnet_mocp'; did you mean 'nanohtnet_mocap'?"),
        (["nanohtnet_mocap", "--data", "x.npz", "--out", out], "no motion capture at x.npz"),
        (["nanohtnet_mocap", "--data", "x.npz", "--out", out, "--steps", "0"], "steps: wanted 1 or more, got 0"),
    ]:
        assert run_cli("train", *arguments) == 1
        assert message in capsys.readouterr().err
    assert not out.exists()


def squeezed(text):
    """Without the boxes, line breaks and backticks of a help page."""
    return re.sub(r"[^\w.,;:()%'\"=/-]+", " ", text)


CONFIGS = {
    "": recipe.TrainRecipe,
    "optim.": optim.OptimConfig,
    "data.": data.DataConfig,
    "data.camera.": cameras.CameraConfig,
    "data.noise.": noise.NoiseConfig,
    "loss.": losses.LossConfig,
}


def field_docstrings(config):
    """{field: the string under it}."""
    trees = [ast.parse(inspect.getsource(kind)).body[0] for kind in reversed(config.__mro__[:-1])]
    return {
        field.target.id: inspect.cleandoc(below.value.value)
        for tree in trees
        for field, below in zip(tree.body[:-1], tree.body[1:], strict=True)
        if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr)
    }


def test_help_lists_every_option_with_its_docstring(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert exits("train", "nanohtnet_mocap", "--help") == 0
    page = capsys.readouterr().out
    shown = squeezed(page)
    assert squeezed(inspect.getdoc(RECIPES["nanohtnet_mocap"]).splitlines()[0]).strip() in shown
    for prefix, config in CONFIGS.items():
        documented = field_docstrings(config)
        for field in dataclasses.fields(config):
            if field.name != "data":  # of two kinds: the one it is has a heading of its own
                assert squeezed(documented[field.name].splitlines()[0]).strip() in shown, field.name
            if not (dataclasses.is_dataclass(field.type) or field.name == "model"):
                assert f"--{prefix}{field.name.replace('_', '-')}" in page, field.name
    for option in ("--data PATH", "-o PATH, --out PATH", "--model.in-frames INT"):
        assert option in page
    assert "Raises" not in page


def test_the_default_weights_recipe_builds():
    from poselift.lab.models import build
    from poselift.lifters.load import DEFAULT_LIFTER

    recipe = get_recipe("nanohtnet_mocap")
    assert recipe.name == DEFAULT_LIFTER
    model = build(recipe.lifter, **recipe.model)
    assert (model.in_frames, model.in_channels, model.fps, model.skeleton) == (81, 3, 50.0, H36M_17)


@pytest.mark.parametrize(("notice", "expected"), [("from mocap.cs.cmu.edu", CMU_LICENSE), ("mine", OTHER_LICENSE)])
def test_the_card_claims_no_licence_for_other_peoples_data(notice, expected, tmp_path):
    np.savez(tmp_path / "data.npz", notice=notice)
    assert license_of(tmp_path / "data.npz") == expected
    np.savez(tmp_path / "bare.npz", pose=np.zeros(1))
    assert license_of(tmp_path / "bare.npz") == OTHER_LICENSE


def test_a_lifter_from_elsewhere_trains_evaluates_exports_and_lifts(archive, tmp_path, walk, monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[2] / "examples")
    assert len(Path("graph_lifter.py").read_text().split('"""', 2)[2].strip().splitlines()) <= 42
    name, out = "graph_lifter:GraphLifter", tmp_path / "run"
    options = "--steps 3 --batch-size 4 --log-every 1 --checkpoint-every 1 --evaluate-every 3 --device cpu".split()
    model = ["--model.width", "16", "--model.in-frames", "9", "--name", "graph.tiny"]
    try:
        assert run_cli("train", "mocap", "--lifter", name, "--data", archive, "--out", out, *options, *model) == 0
        recipe = json.loads((out / "recipe.json").read_text())
        assert recipe["lifter"] == name
        assert recipe["model"] == {"in_frames": 9, "width": 16, "layers": 3}
        weights = out / "graph.tiny.onnx"
        assert run_cli("evaluate", weights, "--data", archive, "--cameras", "1", "-o", tmp_path / "scores.json") == 0
        assert json.loads((tmp_path / "scores.json").read_text())["mean"]["p_mpjpe"] > 0
        assert run_cli("lift", DEMO, "-o", tmp_path / "lifted", "--lifter", weights, "--formats", "npz") == 0
        assert (tmp_path / "lifted" / "demo.npz").exists()
        network = load_weights(out / "graph.tiny.safetensors", lifter=name)
        x = np.zeros((2, 9, 17, 3), np.float32)
        wanted = network(torch.from_numpy(x)).detach().numpy()
        np.testing.assert_allclose(poselift.load_lifter(weights)(x), wanted, atol=1e-5)
    finally:
        sys.modules.pop("graph_lifter", None)


def test_options_of_a_lifter_that_the_recipe_does_not_name_can_be_set(archive, tmp_path):
    options = "--steps 1 --batch-size 2 --log-every 1 --checkpoint-every 1 --evaluate-every 1 --device cpu".split()
    model = "--lifter htnet --model.width 24 --model.mlp-width 8 --model.gcn-width 8 --model.num-blocks 1".split()
    assert run_cli("train", "mocap", "--data", archive, "--out", tmp_path / "run", *options, *model) == 0
    recipe = json.loads((tmp_path / "run" / "recipe.json").read_text())
    assert recipe["model"]["width"] == 24 and recipe["model"]["heads"] == 8
    assert recipe["model"]["skeleton"] == "H36M_17"


def test_keypoints_of_a_benchmark_have_a_short_name(archives, archive, tmp_path, capsys):
    archives.write_h36m(tmp_path, people={name: {"Walking": 5} for name in ("S1", "S5", "S6", "S7", "S8", "S9", "S11")})
    options = (
        "--steps 1 --epochs 0 --batch-size 3 --log-every 1 --checkpoint-every 1 --device cpu --model.width 16".split()
    )
    on_h36m = ["--data", tmp_path, "--out", tmp_path / "run", *options, "--keypoints", "gt"]
    assert run_cli("train", "posessm_h36m_cpn", *on_h36m, "--data.keypoints", "cpn_ft_h36m_dbb") == 1
    assert "got both (gt and cpn_ft_h36m_dbb)" in capsys.readouterr().err
    assert run_cli("train", "posessm_h36m_cpn", *on_h36m, "--data.keypoints", "gt") == 0
    assert json.loads((tmp_path / "run" / "recipe.json").read_text())["data"]["keypoints"] == "gt"
    card = Card.read(next((tmp_path / "run").glob("posessm.*.json")))
    assert card.scores["test"].protocol["data: keypoints"] == "gt" and card.data.startswith("h36m, gt:")
    assert run_cli("train", "nanohtnet_mocap", "--data", archive, "--out", tmp_path / "b", "--keypoints", "gt") == 1
    assert "--keypoints: nanohtnet.mocap-81 is trained on no benchmark" in capsys.readouterr().err
    assert not (tmp_path / "b").exists()


PRETRAINED = (
    "--steps 2 --batch-size 4 --log-every 1 --checkpoint-every 1 --evaluate-every 2 --candidates 6 --device cpu "
    "--model.in-frames 9 --model.keep-frames 3 --model.width 48 --model.mlp-width 16 --model.gcn-width 16 "
    "--model.num-blocks 1 --data.exact 0.5 --contrast.queue-size 8 --contrast.temperature 0.07 --views 2"
).split()


def test_pretrain_then_train_from_it(archive, small, tmp_path):
    """The encoder of a recipe's lifter, and the recipe from it."""
    out = tmp_path / "pretrained"
    where = ["--data", str(archive), "--out", str(out)]
    assert training.pretrain("nanohtnet_mocap", [*where, *PRETRAINED]) == 0
    stored = json.loads((out / "recipe.json").read_text())
    assert (stored["name"], stored["lifter"], stored["views"]) == ("nanohtnet.poseclr", "nanohtnet", 2)
    assert stored["model"]["dct"] == "ortho"  # the recipe's
    assert (stored["data"]["exact"], stored["data"]["own_joints"]) == (0.5, 0.15)
    assert stored["contrast"]["temperature"] == 0.07
    encoder = out / "nanohtnet.poseclr.safetensors"
    run = tmp_path / "run"
    arguments = ["train", "nanohtnet_mocap", "--data", str(archive), "--out", str(run), *TINY, "--init", str(encoder)]
    assert cli.main(arguments) == 0
    assert json.loads((run / "recipe.json").read_text())["init"] == str(encoder)


def test_pretrain_stops_when_the_time_is_up(archive, tmp_path):
    where = ["--data", str(archive), "--out", str(tmp_path / "run"), "--max-minutes", "0"]
    for steps in (1, 2):
        assert training.pretrain("nanohtnet", [*where, *PRETRAINED]) == 0
        lines = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
        assert json.loads(lines[-1])["step"] == steps
    assert (tmp_path / "run" / "nanohtnet.poseclr.safetensors").exists()


def test_pretrain_on_a_benchmark(archives, tmp_path):
    archives.write_h36m(tmp_path)
    arguments = (
        "--steps 1 --batch-size 3 --log-every 1 --checkpoint-every 1 --evaluate-every 0 --device cpu "
        "--model.width 24 --model.num-blocks 1 --contrast.queue-size 8 --data.dataset h36m --views 4"
    ).split()
    where = ["--data", str(tmp_path), "--out", str(tmp_path / "run")]
    assert training.pretrain("posessm", [*where, *arguments]) == 0
    stored = json.loads((tmp_path / "run" / "recipe.json").read_text())
    assert (stored["data"]["dataset"], stored["views"], stored["batch_size"]) == ("h36m", 4, 3)


def test_pretrain_knows_no_such_lifter(tmp_path):
    with pytest.raises(RecipeError, match="did you mean 'nanohtnet'"):
        training.pretrain("nanohtnt", ["--data", "x", "--out", "y"])


def test_a_papers_table_is_whole_on_a_terminal_of_80_columns():
    found = sheets(TABLES["humaneva_convformer"], {"convformer_humaneva_9": Outcome(error="no data")})
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(training._sheet_table(found[0]))
    lines = console.export_text().splitlines()
    words = " ".join(lines).split()
    assert all(len(line) <= 80 for line in lines) and not any("…" in word for word in words)
    for head in found[0].heads[2:]:
        assert any(head in line for line in lines)
    for line in found[0].lines:
        assert set(line[2:]) <= set(words)
