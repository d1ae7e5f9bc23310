"""The command line: one function for each verb."""

import logging
import multiprocessing
import signal
import sys
from collections.abc import Callable, Sequence

import tyro
from rich.logging import RichHandler

from poselift import __version__
from poselift.cli.answer import FLAG, Answering, note_message, with_flag
from poselift.cli.bulk import lift_many
from poselift.cli.cards import check_card, lifters
from poselift.cli.console import err, lab_verb, print_plain, say_error, say_interrupted
from poselift.cli.converting import convert
from poselift.cli.lifting import lift
from poselift.cli.live import live
from poselift.cli.measuring import doctor, evaluate, table
from poselift.cli.process import Interrupted, signals_raised, streams_kept
from poselift.cli.rendering import render
from poselift.cli.serving import serve
from poselift.errors import PoseliftError

VERBS: dict[str, Callable[..., int]] = {
    "lift": lift,
    "lift-many": lift_many,
    "live": live,
    "convert": convert,
    "render": render,
    "serve": serve,
    "doctor": doctor,
    "evaluate": evaluate,
    "table": table,
    "lifters": lifters,
    "check-card": check_card,
}
"""The verbs of the front."""

LAB_VERBS = {
    "pretrain": "Pre-train a lifter's encoder by PoseCLR, without 3D.",
    "train": "Train a lifter by a recipe.",
    "reproduce": "Train and measure every row of a paper's table.",
    "import-weights": "Turn a checkpoint of a paper's authors into weights of ours.",
    "benchmark": "Measure what lifters cost, in torch and in ONNX Runtime.",
}
"""The verbs of the lab with the first line of their help; `poselift.cli.training` has them, and needs torch."""

_DESCRIPTION = (
    "2D keypoints or video to 3D human motion. `poselift --version` prints the version; --json behind any verb answers "
    "in one line of JSON (docs/json.md)."
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: Arguments after the program's name; those of the process when None.

    Returns:
        The exit status: 0 when all went well, 1 when an input was refused or broken or when standard output could not
        be written, and 128 + n when signal n has ended the work, such as 130 for Ctrl-C.
    """
    if getattr(sys, "frozen", False):  # a program made of this one reads C3D files by starting itself once more
        multiprocessing.freeze_support()
    given = list(sys.argv[1:] if argv is None else argv)
    arguments = [word for word in given if word != FLAG]
    logging.getLogger("poselift").handlers[:] = [
        RichHandler(console=err, show_time=False, show_path=False), _Noted()
    ]  # fmt: skip
    logging.getLogger("poselift").setLevel(logging.INFO)
    with (
        streams_kept() as output,
        signals_raised(),
        Answering(next(iter(arguments), ""), len(arguments) < len(given), output) as answer,
    ):
        try:
            status = _run(arguments)
        except PoseliftError as error:
            say_error(error)
            status = 1
        except KeyboardInterrupt as error:
            say_interrupted()
            status = 128 + (error.number if isinstance(error, Interrupted) else signal.SIGINT)
        except SystemExit as ending:  # tyro's, after a help text or a wrong argument
            status = ending.code if isinstance(ending.code, int) else 1
            if not answer.asked:
                output.flush()
                if output.error is None:
                    raise
            answer.usage(status)
        answer.finish(status)
        output.flush()
        if output.error is not None:
            print_plain(f"cannot write to standard output ({output.error.strerror}); the work was finished", err)
            status = status or 1
    return status


class _Noted(logging.Handler):
    """Keeps what is logged in the answer."""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message."""
        note_message(record.getMessage())


def _run(arguments: list[str]) -> int:
    """Run the verb that the arguments name; returns its exit status."""
    if arguments == ["--version"]:
        print_plain(f"poselift {__version__}")
        return 0
    verb = arguments[0] if arguments else ""
    if verb in ("train", "pretrain") and arguments[1:2] and not arguments[1].startswith("-"):
        return lab_verb(verb)(arguments[1], arguments[2:])  # their options depend on the recipe
    verbs = VERBS | {name: _placeholder(text) for name, text in LAB_VERBS.items()}
    if verb in LAB_VERBS:
        verbs[verb] = lab_verb(f"{verb}_verb" if verb in ("train", "pretrain") else verb.replace("-", "_"))
    verbs = {name: with_flag(function) for name, function in verbs.items()}
    return tyro.extras.subcommand_cli_from_dict(verbs, prog="poselift", description=_DESCRIPTION, args=arguments)


def _placeholder(text: str) -> Callable[[], int]:
    """Return a function that stands for a verb of the lab in the list of verbs, with its help but without torch."""

    def verb() -> int:
        raise AssertionError("the verbs of the lab are looked up before they are run")

    verb.__doc__ = text
    return verb
