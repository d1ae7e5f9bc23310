"""A trained lifter to one ONNX file, checked against torch before it gets its name.

`fold` first computes everything that does not depend on the input, so that the file holds only what must be run.
"""

import contextlib
import copy
import json
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from poselift.errors import MissingExtraError, OutputError
from poselift.lab.models.layers import Dropout, DropPath, ModulatedGraphConv
from poselift.output import written_whole

OPSET = 20
TOLERANCE = 1e-5
"""Largest difference allowed between ONNX Runtime and torch, in the unit of the output (metres)."""


class FoldedGraphConv(nn.Module):
    """A `ModulatedGraphConv` for inference: symmetric graph, scales and weights worked out once."""

    weight: Tensor
    scale: Tensor
    others: Tensor
    bias: Tensor

    def __init__(self, layer: ModulatedGraphConv) -> None:
        super().__init__()
        graph = layer.symmetric()
        diagonal = graph.diagonal()
        self.out_width = len(layer.bias)
        self.register_buffer("weight", torch.cat((layer.weight[0], layer.weight[1]), 1))
        self.register_buffer("scale", torch.cat((diagonal[:, None] * layer.modulation, layer.modulation), 1))
        self.register_buffer("others", graph - torch.diag(diagonal))
        self.register_buffer("bias", layer.bias.clone())

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, in_width) to (B, N, out_width)."""
        own, others = (x @ self.weight * self.scale).split(self.out_width, 2)
        return self.others @ others + own + self.bias


def fold(model: nn.Module) -> nn.Module:
    """A copy for inference that computes the same with fewer operations; the model itself is untouched.

    Args:
        model: Any lifter; what is not known here is only put in evaluation mode.

    Returns:
        The copy, in evaluation mode, without gradients.
    """
    folded = copy.deepcopy(model).eval().requires_grad_(False)
    for parent in list(folded.modules()):
        for name, child in parent.named_children():
            if callable(folding := getattr(child, "folded", None)):
                setattr(parent, name, folding())
            elif isinstance(child, ModulatedGraphConv):
                setattr(parent, name, FoldedGraphConv(child))
            elif isinstance(child, (Dropout, DropPath)):
                setattr(parent, name, nn.Identity())
    return folded


def export_onnx(model: nn.Module, path: str | Path, *, overwrite: bool = False) -> None:
    """Write a lifter as one ONNX file with any batch size: `keypoints` (B, T, J, C) to `joints` (B, S, J, 3), float32.

    Args:
        model: A lifter, with `in_frames`, `out_frames`, `skeleton`, `in_channels` and `fps`. Left as it is.
        path: The file to write.
        overwrite: Replace an existing file.

    Raises:
        MissingExtraError: onnx or onnxscript is not installed.
        OutputExistsError: `path` exists and `overwrite` is off.
        OutputError: The file cannot be written, or a weight is not finite, or ONNX Runtime does not give what torch
            gives to `TOLERANCE`; nothing is written then.
    """
    broken = [name for name, value in model.state_dict().items() if not value.isfinite().all()]
    if broken:
        raise OutputError(f"weights are not finite: {', '.join(broken[:5])}; take an earlier checkpoint")
    exact = copy.deepcopy(model).cpu().float().eval().requires_grad_(False)
    with written_whole(path, overwrite=overwrite) as temporary:
        _write(fold(exact), temporary, _metadata(model))
        _verify(exact, temporary)


def _write(model: nn.Module, path: Path, metadata: dict[str, str]) -> None:
    with _quiet():
        try:
            program = torch.onnx.export(
                model,
                (_example(model, 2),),
                dynamo=True,
                dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
                input_names=["keypoints"],
                output_names=["joints"],
                opset_version=OPSET,
                verbose=False,
            )
        except ImportError as error:
            raise MissingExtraError("export needs onnx and onnxscript: pip install 'poselift[lab]'") from error
    assert program is not None  # always so with dynamo=True
    program.model.metadata_props.update(metadata)
    program.save(path, external_data=False)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what torch's exporter says about itself and no caller can act on."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")

    def unrelated(record: logging.LogRecord) -> bool:
        return "torchvision is not installed" not in record.getMessage()

    logger.addFilter(unrelated)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r".*isinstance\(treespec, LeafSpec\)", category=FutureWarning)
            yield
    finally:
        logger.removeFilter(unrelated)


def _verify(model: nn.Module, path: Path) -> None:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for batch in (1, 5):
        x = _example(model, batch)
        (joints,) = session.run(["joints"], {"keypoints": x.numpy()})
        wanted = model(x).numpy()
        if joints.shape != wanted.shape:
            raise OutputError(f"ONNX gives joints {joints.shape} where torch gives {wanted.shape}; nothing was written")
        error = float(np.abs(joints - wanted).max())
        if not error <= TOLERANCE:
            raise OutputError(
                f"ONNX differs from torch by {error:.1e} at batch {batch}, more than {TOLERANCE:.0e}; nothing was "
                "written; check that the model has no branch that depends on values"
            )


def _example(model: Any, batch: int) -> Tensor:
    """(batch, T, J, C) keypoints in [-1, 1], always the same."""
    shape = (batch, model.in_frames, len(model.skeleton), model.in_channels)
    generator = torch.Generator()
    generator.manual_seed(batch)
    return torch.rand(shape, generator=generator) * 2 - 1


def _metadata(model: Any) -> dict[str, str]:
    values = {name: getattr(model, name) for name in ("in_frames", "out_frames", "in_channels", "fps")}
    return {name: json.dumps(value) for name, value in values.items()} | {"skeleton": model.skeleton.name}
