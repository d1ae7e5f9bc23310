"""Small valid files that the lab reads, each with its reader. They need torch."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from seeds import Seed

from poselift.lab.export.weights import load_initial, load_weights, read_reference, save_weights
from poselift.lab.models import LIFTERS, build, from_reference
from poselift.lab.run.curves import curves_svg
from poselift.lab.run.engine import Engine
from poselift.lab.run.folder import RunFolder
from poselift.lab.run.recipe import TrainRecipe

SMALL = {"width": 24, "mlp_width": 8, "gcn_width": 8, "num_blocks": 1}
RECIPE = TrainRecipe(name="a", lifter="htnet", model=dict(SMALL), device="cpu")


class Resumed(Engine):
    """A run that is resumed and not trained."""

    def __init__(self, folder: Path) -> None:
        super().__init__(RECIPE, folder, lambda: build("htnet", **SMALL))

    def _unused(self, *_: Any) -> Any:
        raise AssertionError("nothing is trained here")

    _trainable = _draw = _forward = _after_step = _describe = _scores = _unused

    def resume(self) -> bool:
        """Load the folder's checkpoint."""
        return self._resume()

    def save(self) -> None:
        """Write a checkpoint after one step."""
        for parameter in self.model.parameters():
            parameter.grad = torch.ones_like(parameter)
        self.optimizer.step()
        self.step = 1
        self._sums = {"loss": torch.ones(())}
        self._save()


def lab_seeds() -> list[tuple[Seed, Callable[[Path], object]]]:
    """The seeds, and what writes them."""
    torch.manual_seed(0)
    model = build("htnet", **SMALL)

    def write_safetensors(folder: Path) -> None:
        save_weights(model, folder / "a.safetensors", lifter="htnet", config=SMALL, overwrite=False)

    def write_reference(folder: Path) -> None:
        reference = LIFTERS["htnet"].reference
        theirs = {reference.name(key): reference.restore(key, value) for key, value in model.state_dict().items()}
        torch.save(theirs, folder / "a.pth")

    def write_old_reference(folder: Path) -> None:
        write_reference(folder)
        torch.save(torch.load(folder / "a.pth"), folder / "a.pth", _use_new_zipfile_serialization=False)

    def write_log(folder: Path) -> None:
        lines = [{"step": n, "loss_mm": 50.0 - n, "lr": 0.001, "dev_p_mpjpe": 40.5} for n in range(6)]
        (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    return [
        (
            Seed("safetensors", "safetensors", "a.safetensors", lambda f: load_weights(f / "a.safetensors")),
            write_safetensors,
        ),
        (
            Seed(
                "safetensors_init", "safetensors", "a.safetensors", lambda f: load_initial(model, f / "a.safetensors")
            ),
            write_safetensors,
        ),
        (Seed("pth", "torch", "a.pth", _import), write_reference),
        (Seed("pth_old", "bytes", "a.pth", _import), write_old_reference),
        (Seed("checkpoint", "torch", "checkpoint.pt", lambda f: Resumed(f).resume()), lambda f: Resumed(f).save()),
        (Seed("log", "text", "log.jsonl", _draw_log), write_log),
    ]


def _import(folder: Path) -> None:
    from_reference("htnet", read_reference(folder / "a.pth"))


def _draw_log(folder: Path) -> None:
    run = RunFolder(folder, {})
    curves_svg("a", run.lines(), [["loss_mm"], ["lr", "dev_p_mpjpe"]])
    run.drop_after(3)


def write_onnx(path: Path) -> None:
    """A network that yields the middle frame of nine, turned by a matrix."""
    import numpy as np
    import onnx
    from onnx import helper, numpy_helper

    constants = {"start": [4], "end": [5], "axis": [1]}
    fixed = [numpy_helper.from_array(np.array(value, np.int64), name) for name, value in constants.items()]
    fixed.append(numpy_helper.from_array(np.eye(3, dtype=np.float32), "turn"))
    nodes = [
        helper.make_node("Slice", ["x", "start", "end", "axis"], ["middle"]),
        helper.make_node("MatMul", ["middle", "turn"], ["y"]),
    ]
    ends = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", frames, 17, 3])
        for name, frames in (("x", 9), ("y", 1))
    ]
    graph = helper.make_graph(nodes, "a", ends[:1], ends[1:], fixed)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
