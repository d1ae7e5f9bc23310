"""The loop that training and pre-training share: steps made of parts, the log, checkpoints, stopping and resuming.

A run's weights depend on its recipe alone. What is drawn for a part of a step's batch comes from the seed, the step and
the part (`Share`), whatever was drawn before and whichever process draws it. Two processes give the weights that one
process gives in two rounds of accumulation, to float noise; a resumed run gives those of a run that was never stopped,
on a CPU to the bit. Only batch normalisation sees each part by itself; its running statistics are averaged over the
processes after each step.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from poselift.errors import CheckpointError, RecipeError
from poselift.lab.run.folder import RunFolder
from poselift.lab.run.meter import Board, Meter
from poselift.lab.run.optim import freeze_all_but, learning_rate, make_optimizer, rest_in_use
from poselift.lab.run.ranks import join
from poselift.lab.run.recipe import RunRecipe, is_recipe, recipe_json
from poselift.lab.run.stop import Stop
from poselift.lab.windows.batch import Share

logger = logging.getLogger(__name__)

Progress = Callable[[int, int, dict[str, Any]], None]
"""Called with (step, steps, log line) at every log line, in the first process."""


class BatchPart(Protocol):
    """A part of a batch: the windows that one process makes in one round of accumulation."""

    @property
    def inputs(self) -> Tensor:
        """The network's input, (B, ...)."""


D = TypeVar("D", bound=BatchPart)


class Engine(ABC, Generic[D]):
    """One run in one folder."""

    recipe: RunRecipe
    """The run's options."""
    unit = "windows"
    """Name of the things that a batch holds."""
    measures: tuple[str, ...] = ("loss",)
    """Names of the values that `_forward` returns."""
    average: nn.Module | None = None
    """The network with averaged weights; None where there is none."""
    epoch_steps = 1
    """Number of steps in an epoch."""
    evaluate_steps = 0
    """Steps between scores in the log; 0 for no scores."""

    def __init__(self, recipe: RunRecipe, out: Path, build: Callable[[], nn.Module]) -> None:
        """Connect to the other processes, and make the network, its optimizer and the folder.

        Args:
            recipe: The run's options.
            out: Path of the folder.
            build: Makes the network.

        Raises:
            RecipeError: There is no such device, or the batch is too small for so many parts.
        """
        self.ranks = join(recipe.device)
        self.device = self.ranks.device
        self._shares = self.ranks.shares(recipe.accumulate)
        if recipe.batch_size < self._shares[0].count:
            raise RecipeError(
                f"batch_size: wanted {self._shares[0].count} or more for {self.ranks.size} processes and "
                f"accumulate={recipe.accumulate}, got {recipe.batch_size}"
            )
        torch.manual_seed(recipe.seed)
        self.model = build().to(self.device)
        freeze_all_but(self.model, recipe.optim.only)
        self.optimizer = make_optimizer(self.model, recipe.optim)
        self.generator = torch.Generator(self.device)
        self.folder = RunFolder(out, recipe_json(recipe), writes=self.ranks.first)
        self.meter = Meter(self.device)
        self.step, self.steps = 0, recipe.steps
        self.recipe = recipe
        self._sums: dict[str, Tensor] = {}
        self._board: Board | None = None

    @property
    def out(self) -> Path:
        """Path of the folder."""
        return self.folder.path

    @property
    def seconds(self) -> float:
        """Time spent on steps, in seconds."""
        return self.meter.seconds

    def _trainable(self) -> list[nn.Parameter]:
        """Return the parameters that receive a gradient from the loss."""
        return [parameter for parameter in self.model.parameters() if parameter.requires_grad]

    @abstractmethod
    def _draw(self, share: Share) -> D:
        """Draw a part of the step's batch with `self.generator`."""

    @abstractmethod
    def _forward(self, drawn: D) -> dict[str, Tensor]:
        """Return the `measures` of a part that is not empty, each a mean over the part's windows."""

    @abstractmethod
    def _after_step(self) -> None:
        """Do what must follow each step of the optimizer."""

    @abstractmethod
    def _describe(self, means: dict[str, float]) -> dict[str, Any]:
        """Return the fields of the log's line that report the means of the measures since the last line."""

    @abstractmethod
    def _scores(self) -> dict[str, float]:
        """Return scores for the log; only the first process calls this."""

    def _after_checkpoint(self) -> None:
        """Do what must follow each checkpoint; only the first process calls this."""

    def _run(self, progress: Progress | None, max_minutes: float | None, signals: bool) -> bool:
        """Train up to the last step, or until asked to stop; returns whether the last step was reached."""
        recipe = self.recipe
        self._train_mode()
        with Stop(max_minutes, signals=signals) as stop:
            self.meter.start()
            while self.step < self.steps:
                self._add_to_sums(self._one_step())
                self.step += 1
                last = self.step == self.steps
                stopped = self.ranks.any(stop.asked) and not last
                scored = bool(self.evaluate_steps) and (self.step % self.evaluate_steps == 0 or last)
                if self.step % recipe.log_every == 0 or scored or last:
                    self._report(scored, progress)
                if self.step % recipe.checkpoint_every == 0 or last or stopped:
                    self._save()
                if stopped:
                    self._log_stop(stop)
                    return False
        return True

    def _train_mode(self) -> None:
        """Put what is trained into training mode."""
        self.model.train()
        if self.recipe.optim.only:
            rest_in_use(self.model)

    def _one_step(self) -> dict[str, Tensor]:
        """Update the weights once; returns the means of the measures over the batch."""
        recipe = self.recipe
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.step, self.steps, self.epoch_steps, recipe.optim)
        self.optimizer.zero_grad()
        measured, windows = dict.fromkeys(self.measures, torch.zeros((), device=self.device)), 0
        for share in self._shares:
            data_seed, network_seed = _seeds(recipe.seed, self.step, share.index)
            self.generator.manual_seed(data_seed)
            torch.manual_seed(network_seed)
            with self.meter.data(share.size(recipe.batch_size) * self.ranks.size):
                drawn = self._draw(share)
            if size := len(drawn.inputs):
                found = self._forward(drawn)
                (size * found["loss"]).backward()
                measured = {name: value + size * found[name].detach() for name, value in measured.items()}
                windows += size
        means = self._over_ranks(measured, windows)
        if recipe.optim.clip_norm:
            nn.utils.clip_grad_norm_(self._trainable(), recipe.optim.clip_norm)
        self.optimizer.step()
        self._after_step()
        return means

    def _over_ranks(self, measured: dict[str, Tensor], windows: int) -> dict[str, Tensor]:
        """Turn sums over this process's windows into means over the batch: gradients in place, measures as returned."""
        count = torch.full((), float(windows), device=self.device)
        sums = torch.stack([*measured.values(), count])
        parameters = self._trainable()
        if self.ranks.size > 1:
            for parameter in parameters:
                if parameter.grad is None:  # in this process; it may have one in another
                    parameter.grad = torch.zeros_like(parameter)
            running = list(_running_statistics(self.model))
            grads = [parameter.grad for parameter in parameters if parameter.grad is not None]
            self.ranks.add_up([*grads, *running, sums])
            if running:
                torch._foreach_div_(running, self.ranks.size)
        if grads := [parameter.grad for parameter in parameters if parameter.grad is not None]:
            torch._foreach_div_(grads, sums[-1])
        return dict(zip(measured, sums[:-1] / sums[-1], strict=True))

    def _autocast(self) -> AbstractContextManager[Any]:
        """Return a context that computes in bfloat16 where the recipe asks for it."""
        precision = self.recipe.precision
        bf16 = precision == "bf16" or (precision == "auto" and self.device.type == "cuda")
        return torch.autocast(self.device.type, torch.bfloat16, enabled=bf16)

    def _add_to_sums(self, means: dict[str, Tensor]) -> None:
        """Add a step's means to the sums for the next line of the log."""
        for name, value in (means | {"steps": torch.ones((), device=self.device)}).items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value

    def _report(self, scored: bool, progress: Progress | None) -> None:
        """Write a line of the log, with scores if `scored`."""
        steps = self._sums.pop("steps").item()
        means = {name: value.item() / steps for name, value in self._sums.items()}
        self._sums = {}
        if not np.isfinite(means["loss"]):  # the loss is the same in all processes, so all of them stop
            raise RecipeError(f"the loss is no longer finite at step {self.step}; lower optim.lr")
        rates = self.meter.line(self.unit)
        if self.ranks.first:
            lr = {"lr": round(self.optimizer.param_groups[0]["lr"], 7)}
            line = {"step": self.step} | self._describe(means) | lr | rates | (self._scores() if scored else {})
            self._log(line)
            if progress:
                progress(self.step, self.steps, line)
        self.meter.start()

    def _log(self, line: dict[str, Any]) -> None:
        """Write a line to the log and to TensorBoard."""
        self.folder.log(line)
        self._board = self._board or Board(self.out / "tensorboard", line["step"] - 1)
        self._board.add(line)

    def _log_stop(self, stop: Stop) -> None:
        """Log why the run stopped, and how to resume it."""
        if self.ranks.first:
            logger.info(
                "stopped after step %d of %d (%s); give the same command again to go on from %s", self.step, self.steps,
                stop.reason or "another process was asked to", self.out / "checkpoint.pt",
            )  # fmt: skip

    def _save(self) -> None:
        """Write a checkpoint, in the first process."""
        self.meter.pause()
        if self.ranks.first:
            state = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
            if self.average is not None:
                state["average"] = self.average.state_dict()
            self.folder.save(state | {"step": self.step, "seconds": self.seconds, "seen": self._sums})
            self._after_checkpoint()
        self.meter.start()

    def _resume(self) -> bool:
        """Load the folder's checkpoint, if there is one; returns whether there is.

        Raises:
            CheckpointError: The checkpoint is broken, of another recipe, or not the same for all processes.
        """
        state = self.folder.open(self.device, lambda stored: is_recipe(stored, self.recipe))
        if state is not None:
            try:
                self.model.load_state_dict(state["model"])
                self.optimizer.load_state_dict(state["optimizer"])
                if self.average is not None:
                    self.average.load_state_dict(state["average"])
                self.step, self.meter.seconds, self._sums = state["step"], state["seconds"], state["seen"]
            except (RuntimeError, ValueError, LookupError, TypeError, AttributeError) as error:
                message = f"{self.out} holds a run of an older version of this lifter; use a new --out folder"
                raise CheckpointError(message) from error
            self.folder.drop_after(self.step)
        if self.ranks.any(self.ranks.any(self.step > 0) and self.step == 0):
            raise CheckpointError(f"{self.out}: not all processes see the same checkpoint; use a folder they share")
        return state is not None


def _seeds(seed: int, step: int, part: int) -> tuple[int, int]:
    """Return the seeds of the data and of dropout, for one part of a step's batch."""
    data, network = np.random.SeedSequence((seed, step, part)).generate_state(2)
    return int(data), int(network)


def _running_statistics(model: nn.Module) -> Iterable[Tensor]:
    """Yield the running means and variances of the batch normalisations that are in training mode."""
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._NormBase) and module.training:
            yield from (value for value in (module.running_mean, module.running_var) if value is not None)
