"""Measure what each lifter costs to run: in the authors' steps, in ours, folded, and in ONNX Runtime.

Speeds are compared within one run: the forms take turns, so that other load on the machine affects all of them alike.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from poselift.errors import RecipeError
from poselift.lab.export.cost import count_macs, count_parameters
from poselift.lab.export.forms import example, fold, published
from poselift.lab.export.onnx import export_onnx
from poselift.lab.export.roofline import MACS, product
from poselift.lab.models import build, options
from poselift.lifters.onnx import PIECE

FORMS = ("published", "eager", "folded", "onnx")
"""The forms: the authors' steps in torch, our steps, our folded network, and the folded graph in ONNX Runtime."""

CASES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("posessm", {}),
    ("nanohtnet", {}),
    ("nanohtnet", {"in_frames": 81}),
    ("htnet", {}),
    ("convformer", {"in_frames": 27}),
    ("convformer", {"in_frames": 81}),
    ("simplebaseline", {}),
    ("videopose3d", {}),
    ("mixste", {"in_frames": 81, "width": 48, "num_blocks": 3}),
    ("poseformerv2", {}),
    ("motionagformer", {}),
)
"""Lifters of the table: the name, and the options that differ from the authors'."""


@dataclass(frozen=True, kw_only=True)
class EfficiencyConfig:
    """How lifters are measured."""

    threads: int = 1
    """Threads of torch and of ONNX Runtime."""
    batch: int = 256
    """Windows in a batch, when bulk speed is measured."""
    rounds: int = 8
    """Number of turns of each form."""
    turn_s: float = 0.15
    """Seconds of a turn, which is long enough for the weights to be in the cache."""
    budget_s: float = 60.0
    """Seconds after which no more turns are taken; every form has two at least."""
    train_batch: int = 64
    """Windows in a training step."""

    @property
    def clock(self) -> Callable[[], float]:
        """The processor's time on one thread, so that other load changes little; else the wall's."""
        return time.process_time if self.threads == 1 else time.perf_counter

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            RecipeError: One is out of range; the message names it.
        """
        for name in ("threads", "batch", "rounds", "train_batch"):
            if getattr(self, name) < 1:
                raise RecipeError(f"{name}: wanted 1 or more, got {getattr(self, name)}")


@dataclass(frozen=True, kw_only=True)
class Row:
    """The cost of one lifter."""

    lifter: str
    """Name of the lifter, with the options that differ from the authors'."""
    parameters: int
    """Number of trained parameters."""
    out_frames: int
    """Frames that the lifter returns for a window."""
    macs: int
    """Multiply-accumulates of a window in the authors' steps."""
    folded_macs: int
    """Multiply-accumulates of a window in the folded form."""
    latency_ms: dict[str, float]
    """Median milliseconds of one window, by form."""
    bulk_ms: dict[str, float]
    """Median milliseconds of a window in a batch, by form."""
    train_ms: float
    """Milliseconds of a window in a training step, forward and backward, in float32."""
    difference: float
    """Largest difference between any form and the authors' steps, in metres."""
    onnx_ms: dict[str, float]
    """Of one window in ONNX Runtime: p5, p95 and p99, milliseconds."""
    whole_ms: float
    """Milliseconds of a window in a batch that ONNX Runtime takes whole, and not in pieces of `PIECE` windows."""
    matmul_ms: float
    """Median milliseconds of the product of `poselift.lab.export.roofline`, in turns with the batches."""
    file_bytes: int
    """Size of the ONNX file, in float32."""

    def frames_per_s(self, form: str) -> float:
        """Return the frames per second that a form returns in bulk."""
        return 1000 * self.out_frames / self.bulk_ms[form]

    @property
    def matmul_rate(self) -> float:
        """Multiply-accumulates a millisecond of the plain product."""
        return MACS / self.matmul_ms

    def fraction(self, milliseconds: float | None = None) -> float:
        """Return the share of the rate of a plain product that ONNX Runtime reaches, by default in bulk."""
        return self.folded_macs / (milliseconds or self.bulk_ms["onnx"]) / self.matmul_rate

    def speedup(self, form: str, *, bulk: bool = False) -> float:
        """Return how many times faster a form is than the authors' steps, for one window or in bulk."""
        times = self.bulk_ms if bulk else self.latency_ms
        return times["published"] / times[form]


def measure(name: str, config: dict[str, Any], settings: EfficiencyConfig) -> Row:
    """Measure one lifter with fresh weights.

    Args:
        name: The lifter's name, as for `poselift.lab.models.build`.
        config: Options that differ from the lifter's defaults.
        settings: How to measure.

    Raises:
        RecipeError: There is no such lifter.
        OutputError: ONNX Runtime does not agree with torch.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(settings.threads)
    try:
        torch.manual_seed(0)
        model = build(name, **config).eval()
        with tempfile.TemporaryDirectory() as folder:
            export_onnx(model, Path(folder) / "lifter.onnx")
            session = _session(Path(folder) / "lifter.onnx", settings.threads)
            forms = {"published": published(model), "eager": model, "folded": fold(model)}
            difference = _difference(forms, session, example(model, 4))
            size = (Path(folder) / "lifter.onnx").stat().st_size
            one, many = (_times(forms, session, example(model, batch), settings) for batch in (1, settings.batch))
        medians, bulk = ({form: float(np.median(taken)) for form, taken in times.items()} for times in (one, many))
        changed = [f"{key}={value}" for key, value in config.items()]
        return Row(
            lifter=" ".join((name, *changed)),
            parameters=count_parameters(model),
            out_frames=len(model.out_frames),
            macs=count_macs(forms["published"], example(model, 1)),
            folded_macs=count_macs(forms["folded"], example(model, 1)),
            latency_ms={form: medians[form] for form in FORMS},
            bulk_ms={form: bulk[form] / settings.batch for form in FORMS},
            onnx_ms={f"p{share}": float(np.percentile(one["onnx"], share)) for share in (5, 95, 99)},
            whole_ms=bulk["onnx whole"] / settings.batch,
            matmul_ms=bulk["product"],
            file_bytes=size,
            train_ms=_train_ms(build(name, **config), settings),
            difference=difference,
        )
    finally:
        torch.set_num_threads(before)


def _session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    """Open an ONNX file on the CPU, with so many threads."""
    session_options = onnxruntime.SessionOptions()
    session_options.intra_op_num_threads = threads
    session_options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, session_options, providers=["CPUExecutionProvider"])


@torch.no_grad()
def _difference(forms: dict[str, nn.Module], session: onnxruntime.InferenceSession, x: Tensor) -> float:
    """Return the largest difference in metres between any form and the authors' steps, for windows (B, T, J, C)."""
    wanted = forms["published"](x).numpy()
    others = [form(x).numpy() for form in forms.values()] + [session.run(None, {"keypoints": x.numpy()})[0]]
    return max(float(np.abs(other - wanted).max()) for other in others)


@torch.no_grad()
def _times(
    forms: dict[str, nn.Module], session: onnxruntime.InferenceSession, x: Tensor, settings: EfficiencyConfig
) -> dict[str, list[float]]:
    """Return the milliseconds of each call by form; forms take turns, whose first calls do not count.

    Besides the forms there are "product", the plain product of matrices, and "onnx whole", without pieces.
    """
    pieces = [x[start : start + PIECE].numpy() for start in range(0, len(x), PIECE)]
    clock = settings.clock

    def torch_call(form: nn.Module) -> Callable[[], Any]:
        return lambda: form(x)

    calls: dict[str, Callable[[], Any]] = {name: torch_call(form) for name, form in forms.items()}
    calls["onnx"] = lambda: [session.run(None, {"keypoints": piece}) for piece in pieces]
    calls["onnx whole"] = lambda: session.run(None, {"keypoints": x.numpy()})
    calls["product"] = product(settings.threads)
    taken: dict[str, list[float]] = {name: [] for name in calls}
    began = time.perf_counter()
    for turn in range(settings.rounds):
        for name, call in calls.items():
            taken[name] += _turn(call, settings.turn_s, clock)
        if turn and time.perf_counter() - began > settings.budget_s:
            break
    return {name: [1000 * seconds for seconds in turns] for name, turns in taken.items()}


def _turn(call: Callable[[], Any], seconds: float, clock: Callable[[], float]) -> list[float]:
    """Return the seconds of each call of a turn, without the first call unless it is the only one."""
    taken: list[float] = []
    while sum(taken[1:]) < seconds and sum(taken) < 4 * seconds or len(taken) < 2 and not sum(taken) > 1:
        began = clock()
        call()
        taken.append(clock() - began)
    return taken[1:] or taken


def _train_ms(model: Any, settings: EfficiencyConfig) -> float:
    """Return the median milliseconds of a window in a training step, forward and backward."""
    x, taken = example(model, settings.train_batch), []
    for _ in range(max(settings.rounds // 2, 2) + 1):
        began = time.perf_counter()
        model(x).square().mean().backward()
        model.zero_grad()
        taken.append(time.perf_counter() - began)
    return 1000 * float(np.median(taken[1:])) / settings.train_batch


def cases(names: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    """Return the named lifters, or all of the table, each with its defaults and the table's variants.

    Raises:
        RecipeError: There is no lifter of a name.
    """
    found = []
    for name in names or dict.fromkeys(name for name, _ in CASES):
        options(name)  # raises for an unknown name, before anything is measured
        found += [case for case in CASES if case[0] == name] or [(name, {})]
    return found
