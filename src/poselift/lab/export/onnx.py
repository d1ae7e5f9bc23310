"""Export a trained lifter to one ONNX file, which is checked against torch before it gets its name.

The folded form is written (`poselift.lab.export.forms`), so the file holds only what inference needs.
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
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from poselift.errors import MissingExtraError, OutputError, install_hint
from poselift.files import written_whole
from poselift.lab.export.forms import example, fold
from poselift.lab.export.half import HALF_TOLERANCE, HALF_TOLERANCE_EXTRAS, halve, strip_debug_info

OPSET = 20
TOLERANCE = 1e-5
"""Largest difference allowed between ONNX Runtime and torch, in the unit of each output (metres; lengths of directions;
probabilities)."""


def export_onnx(model: nn.Module, path: str | Path, *, half: bool = False, overwrite: bool = False) -> None:
    """Write a lifter as one ONNX file with any batch size: `keypoints` (B, T, J, C) to `joints` (B, S, J, 3), float32.

    What else the lifter's `answer` gives are more outputs, each by its name.

    Args:
        model: A lifter, with `in_frames`, `out_frames`, `skeleton`, `in_channels` and `fps`. It is not changed.
        path: The file to write.
        half: Store large weights as float16, for a file half as large (`poselift.lab.export.half`); arithmetic stays
            float32.
        overwrite: Replace an existing file.

    Raises:
        MissingExtraError: onnxscript is not installed.
        OutputExistsError: `path` exists and `overwrite` is off.
        OutputError: The file cannot be written, a weight is not finite, or ONNX Runtime differs from torch by more than
            `TOLERANCE` (with `half`: `poselift.lab.export.half.HALF_TOLERANCE`). Nothing is written then.
    """
    broken = [name for name, value in model.state_dict().items() if not value.isfinite().all()]
    if broken:
        raise OutputError(f"weights are not finite: {', '.join(broken[:5])}; take an earlier checkpoint")
    exact = copy.deepcopy(model).cpu().float().eval().requires_grad_(False)
    with written_whole(path, overwrite=overwrite) as temporary:
        _write(fold(exact), example(exact, 2), temporary, _metadata(model))
        _verify(exact, temporary, TOLERANCE, TOLERANCE)
        if half:
            onnx.save(halve(onnx.load(temporary)), temporary)
            _verify(exact, temporary, HALF_TOLERANCE, HALF_TOLERANCE_EXTRAS)


class Whole(nn.Module):
    """A lifter that returns all that it gives, in a fixed order.

    The lifter is one level down: at the top a buffer called `graph` would clash with the exporter's own name.
    """

    def __init__(self, lifter: Any) -> None:
        """Wrap a lifter, with or without `answer`."""
        super().__init__()
        self.lifter = lifter
        extras = getattr(lifter, "extras", None)
        self.names = ("joints", *(extras.sizes if extras is not None else ()))

    def forward(self, keypoints: Tensor) -> tuple[Tensor, ...]:
        """Map keypoints (B, T, J, C) to what `names` says, joints (B, S, J, 3) first."""
        if len(self.names) == 1:
            return (self.lifter(keypoints),)
        found = self.lifter.answer(keypoints)
        return tuple(found[name] for name in self.names)


def _write(model: nn.Module, example: Tensor, path: Path, metadata: dict[str, str]) -> None:
    """Write a network as an ONNX file with any batch size, traced with example windows (B, T, J, C)."""
    whole = Whole(model).eval()
    with _quiet():
        try:
            program = torch.onnx.export(
                whole,
                (example,),
                dynamo=True,
                dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
                input_names=["keypoints"],
                output_names=list(whole.names),
                opset_version=OPSET,
                verbose=False,
            )
        except ImportError as error:
            raise MissingExtraError(f"export needs onnxscript; run: {install_hint('lab')}") from error
    assert program is not None  # with dynamo=True it never is
    program.model.metadata_props.update(metadata)
    program.save(path, external_data=False)
    network = onnx.load(path)
    strip_debug_info(network)
    onnx.save(network, path)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppress messages of torch's exporter that no caller can act on."""
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


def _verify(model: nn.Module, path: Path, of_joints: float, of_extras: float) -> None:
    """Raise an OutputError unless the file gives what the model gives, to these tolerances, at two batch sizes."""
    session, whole = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]), Whole(model).eval()
    for batch in (1, 5):
        x = example(model, batch)
        found = session.run(list(whole.names), {"keypoints": x.numpy()})
        for name, got, wanted in zip(whole.names, found, [value.numpy() for value in whole(x)], strict=True):
            if got.shape != wanted.shape:
                raise OutputError(
                    f"ONNX gives {name} {got.shape} where torch gives {wanted.shape}; nothing was written"
                )
            error, tolerance = float(np.abs(got - wanted).max()), of_joints if name == "joints" else of_extras
            if not error <= tolerance:
                branch = "check that no branch in the model depends on values"
                raise OutputError(
                    f"ONNX, output {name}: differs from torch by {error:.1e} at batch {batch}, more than "
                    f"{tolerance:.0e}; nothing was written; {'leave out half' if tolerance > TOLERANCE else branch}"
                )


def _metadata(model: Any) -> dict[str, str]:
    """Return the lifter's contract as the strings that stand in the file's metadata."""
    values = {name: getattr(model, name) for name in ("in_frames", "out_frames", "in_channels", "fps")}
    return {name: json.dumps(value) for name, value in values.items()} | {"skeleton": model.skeleton.name}
