"""The command line: one function a verb."""

import logging
import sys
from collections.abc import Callable, Sequence

import tyro
from rich.logging import RichHandler

from poselift.cli.cards import lifters
from poselift.cli.console import err, lab_module, progress, say_error
from poselift.cli.lifting import lift
from poselift.cli.measuring import doctor, evaluate, table
from poselift.cli.training import benchmark, import_weights, pretrain, reproduce, train
from poselift.errors import PoseliftError

VERBS: dict[str, Callable[..., int]] = {
    "lift": lift,
    "doctor": doctor,
    "evaluate": evaluate,
    "table": table,
    "pretrain": pretrain,
    "train": train,
    "reproduce": reproduce,
    "import-weights": import_weights,
    "benchmark": benchmark,
    "lifters": lifters,
}
"""Every verb."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: Arguments after the program's name; those of the process when None.

    Returns:
        The exit status: 0 when all went well, 1 when something was refused or broken, 130 when interrupted.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    logging.getLogger("poselift").handlers[:] = [RichHandler(console=err, show_time=False, show_path=False)]
    logging.getLogger("poselift").setLevel(logging.INFO)
    try:
        if arguments[:1] in (["train"], ["pretrain"]) and arguments[1:2] and not arguments[1].startswith("-"):
            verb = getattr(lab_module("command"), arguments[0])
            return verb(arguments[1], arguments[2:], progress)  # their options depend on the recipe
        return tyro.extras.subcommand_cli_from_dict(
            VERBS, prog="poselift", description="2D keypoints or video to 3D human motion.", args=arguments
        )
    except PoseliftError as error:
        say_error(error)
        return 1
    except KeyboardInterrupt:
        err.print("interrupted; nothing was left half-written")
        return 130
