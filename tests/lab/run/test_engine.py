"""What training and pre-training share: parts of batches, processes, stopping. A small benchmark's windows are the
same however they are parted; those of motion capture are drawn anew for each part."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from poselift import cli
from poselift.cli import training
from poselift.errors import CheckpointError, RecipeError
from poselift.lab.run.meter import Board
from poselift.lab.run.optim import OptimConfig
from poselift.lab.run.recipe import TrainRecipe
from poselift.lab.tasks import MocapTask, make_task
from poselift.lab.train import Run
from poselift.lab.windows.benchmark import BenchmarkConfig

SOURCE = Path(__file__).parents[3] / "src"
HTNET = {"width": 24, "mlp_width": 8, "gcn_width": 8, "num_blocks": 1, "dropout": 0.0, "projection_dropout": 0.0}
RECIPE = TrainRecipe(
    name="htnet.tiny", lifter="htnet", model=HTNET | {"drop_path": (0.0, 0.0)}, data=BenchmarkConfig(protocol="htnet"),
    optim=OptimConfig(lr=1e-3, warmup_steps=0, ema=0.9), steps=4, batch_size=30, log_every=2, evaluate_every=0,
    checkpoint_every=4, device="cpu",
)  # fmt: skip


@pytest.fixture
def run(archives, tmp_path):
    (tmp_path / "h36m").mkdir()
    archives.write_h36m(tmp_path / "h36m")

    def make(folder="run", **changes):
        recipe, out = dataclasses.replace(RECIPE, **changes), tmp_path / folder
        return Run(recipe, make_task(recipe, tmp_path / "h36m", out), out)

    return make


def assert_close(one, other, atol=2e-6):
    for name, value in one.items():
        torch.testing.assert_close(value, other[name], rtol=0, atol=atol, msg=lambda text, name=name: f"{name}: {text}")


def test_a_batch_in_parts_moves_the_weights_as_a_whole_one_does(run):
    """1360 windows in batches of 300: the last of an epoch has 160. Plain descent, so that small errors stay small."""
    alike = {"batch_size": 300, "steps": 6, "optim": dataclasses.replace(RECIPE.optim, lr=0.1)}
    whole, parted = run("whole", **alike), run("parted", **alike, accumulate=4)
    for one in (whole, parted):
        one.optimizer = torch.optim.SGD(one.model.parameters())
        one.train()
    start = run("fresh").model.state_dict()
    assert_close(whole.model.state_dict(), parted.model.state_dict())
    assert_close(whole.average.state_dict(), parted.average.state_dict())
    assert any((value - start[name]).abs().max() > 0.01 for name, value in whole.model.state_dict().items())
    logs = [[line["loss_mm"] for line in training.folder.lines()] for training in (whole, parted)]
    assert logs[0] == pytest.approx(logs[1], abs=2e-3)


def test_a_part_of_an_epoch_s_last_batch_may_be_empty(run):
    training = run(batch_size=1359, accumulate=3, steps=2)
    training.step = 1  # of one window
    found = training._one_step()
    assert found["loss"].isfinite()
    assert all(parameter.grad.isfinite().all() for parameter in training.model.parameters())


def test_each_part_is_drawn_by_seed_step_and_part(run):
    training, states = run(accumulate=2), []
    draw = training._draw

    def spy(share):
        states.append((training.generator.initial_seed(), torch.initial_seed()))
        return draw(share)

    training._draw = spy
    for step in (0, 1, 0):
        training.step = step
        training._one_step()
    assert states[:2] == states[4:]
    assert len({seed for pair in states[:4] for seed in pair}) == 8


def test_a_batch_too_small_for_its_parts(run):
    with pytest.raises(RecipeError, match="batch_size: wanted 8 or more for 1 processes and accumulate=8, got 7"):
        run(batch_size=7, accumulate=8)


def test_the_log_tells_of_speed_and_memory_and_a_board_gets_it(run, monkeypatch):
    drawn = []
    monkeypatch.setattr(Board, "__init__", lambda self, folder, step: drawn.append((folder.name, step)))
    monkeypatch.setattr(Board, "add", lambda self, line: drawn.append(line))
    training = run()
    training.train()
    lines = training.folder.lines()
    assert drawn == [("tensorboard", 1), *lines]
    for line in lines:
        assert 0 < line["data_share"] < 1
        assert line["windows_per_s"] > 0
        assert line["memory_mib"] > 50
    assert 0 <= lines[0]["seconds"] <= lines[1]["seconds"]


def test_a_run_that_is_stopped_between_lines_writes_the_same_log(run):
    whole, stopped = run("whole"), run("stopped")
    assert whole.train()
    assert not stopped.train(max_minutes=0)
    assert (stopped.step, stopped.folder.lines()) == (1, [])
    for step in (2, 3):
        stopped = run("stopped")
        assert not stopped.train(max_minutes=0)
        assert stopped.step == step
    resumed = run("stopped")
    assert resumed.train()
    losses = [[(line["step"], line["loss_mm"], line["lr"]) for line in r.folder.lines()] for r in (whole, resumed)]
    assert losses[0] == losses[1]
    assert_close(whole.model.state_dict(), resumed.model.state_dict(), atol=0)
    assert_close(whole.average.state_dict(), resumed.average.state_dict(), atol=0)


# In a process of its own: a run of motion capture (or of its views), as the command line starts it.

MODEL = (
    "--model.in-frames 9 --model.keep-frames 3 --model.width 48 --model.mlp-width 16 --model.gcn-width 16 "
    "--model.num-blocks 1 --device cpu --precision fp32 --data.rare 0"
).split()
TRAIN = ["train", "nanohtnet_mocap", *MODEL, "--name", "nano.tiny", "--evaluate-every", "0"]
PRETRAIN = ["pretrain", "nanohtnet_mocap", *MODEL, "--contrast.queue-size", "40", "--evaluate-every", "0"]


@pytest.fixture
def archive(walk, write_archive, tmp_path):
    """A small archive of walks laid out like mocap17.npz."""
    clips = [walk(60), walk(40, name="other", seed=1), walk(12, name="last", subject="two", seed=2)]
    return write_archive(tmp_path / "walks.npz", clips, ["train", "train", "dev"])


@pytest.fixture(autouse=True)
def _one_thread():
    """As in the processes that are started: sums by two threads differ from those by one in their last bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def start(arguments, processes=1):
    """poselift in a process, or in several by torchrun."""
    many = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)] if processes > 1 else []
    place = {"PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "COLUMNS": "300"}
    return subprocess.Popen(
        [sys.executable, *many, "-m", "poselift", *map(str, arguments)], env=os.environ | place, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def finish(process):
    out, err = process.communicate(timeout=1800)
    assert process.returncode == 0, err
    return out + err


@pytest.fixture
def here(monkeypatch):
    """poselift in this process, which leaves out what comes after a training."""
    monkeypatch.setattr(training, "write_weights", lambda run, **stamp: None)
    monkeypatch.setattr(MocapTask, "finish", lambda self, run, progress: {})

    def run_cli(arguments):
        assert cli.main([str(argument) for argument in arguments]) == 0

    return run_cli


def checkpoint(folder):
    return torch.load(folder / "checkpoint.pt", weights_only=True)


@pytest.mark.slow
@pytest.mark.parametrize("verb", [TRAIN, PRETRAIN], ids=["train", "pretrain"])
def test_two_processes_give_what_one_gives_in_two_rounds(archive, here, tmp_path, verb):
    batch = ["--data", archive, "--batch-size", "9", "--steps", "4", "--log-every", "2"]
    here([*verb, *batch, "--out", tmp_path / "one", "--accumulate", "2"])
    finish(start([*verb, *batch, "--out", tmp_path / "two"], processes=2))
    found = [checkpoint(tmp_path / name) for name in ("one", "two")]
    assert found[0]["step"] == found[1]["step"] == 4
    assert_close(found[0]["model"], found[1]["model"], atol=2e-5)
    if "average" in found[0]:
        assert_close(found[0]["average"], found[1]["average"], atol=2e-5)
    logs = [
        [json.loads(line) for line in (tmp_path / n / "log.jsonl").read_text().splitlines()] for n in ("one", "two")
    ]
    assert [line["step"] for line in logs[0]] == [line["step"] for line in logs[1]] == [2, 4]  # one process writes
    assert len(list((tmp_path / "two").glob("*.safetensors"))) == 1


@pytest.fixture
def usual_hangup():
    """SIGHUP as a terminal sets it for the processes that a test starts, also where it is ignored, as under `nohup`."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(
    ("verb", "number"), [(TRAIN, signal.SIGTERM), (PRETRAIN, signal.SIGHUP)], ids=["train", "pretrain"]
)
def test_a_run_that_gets_a_signal_goes_on_to_the_same_weights(archive, here, tmp_path, verb, number, usual_hangup):
    arguments = [*verb, "--data", archive, "--batch-size", "4", "--steps", "120", "--log-every", "1"]
    here([*arguments, "--out", tmp_path / "whole"])
    stopped = start([*arguments, "--out", tmp_path / "stopped"])
    log = tmp_path / "stopped" / "log.jsonl"
    while not (log.exists() and log.read_text().count("\n") >= 2):
        assert stopped.poll() is None
        time.sleep(0.01)
    stopped.send_signal(number)
    said = finish(stopped)
    assert f"({number.name}); give the same command again to go on from" in said
    step = checkpoint(tmp_path / "stopped")["step"]
    assert f"stopped after step {step} of 120" in said
    assert 2 <= step < 120
    assert not list((tmp_path / "stopped").glob("*.safetensors"))
    here([*arguments, "--out", tmp_path / "stopped"])
    found = [checkpoint(tmp_path / name) for name in ("whole", "stopped")]
    assert found[0]["step"] == found[1]["step"] == 120
    for part in ("model", "average"):
        if part in found[0]:
            assert_close(found[0][part], found[1][part], atol=0)


def test_a_run_that_is_killed_goes_on_from_its_checkpoint_to_the_same_weights(archive, here, tmp_path):
    arguments = [*TRAIN, "--data", archive, "--batch-size", "4", "--steps", "40", "--log-every", "1"]
    arguments += ["--checkpoint-every", "4"]
    here([*arguments, "--out", tmp_path / "whole"])
    killed = start([*arguments, "--out", tmp_path / "killed"])
    log = tmp_path / "killed" / "log.jsonl"
    while not (log.exists() and log.read_text().count("\n") >= 6):
        assert killed.poll() is None
        time.sleep(0.01)
    killed.kill()
    killed.communicate()
    step = checkpoint(tmp_path / "killed")["step"]
    assert 4 <= step < 40
    here([*arguments, "--out", tmp_path / "killed"])
    found = [checkpoint(tmp_path / name) for name in ("whole", "killed")]
    for part in ("model", "average"):
        assert_close(found[0][part], found[1][part], atol=0)
    assert [line["step"] for line in map(json.loads, log.read_text().splitlines())] == list(range(1, 41))
    assert not list((tmp_path / "killed").glob(".*"))


def test_processes_that_do_not_share_a_folder_are_told(run, monkeypatch):
    training = run()
    training._save()
    monkeypatch.setattr(type(training.ranks), "any", lambda self, said: True)
    with pytest.raises(CheckpointError, match="not all processes see the same checkpoint"):
        run()
