"""The verbs about cards: list the shipped weights, and measure again what a card claims."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.box import SIMPLE
from rich.table import Table

from poselift.cli.answer import add, record
from poselift.cli.console import ResultFile, lab_module, print_plain, progress
from poselift.cli.console import out as console
from poselift.errors import CheckpointError, DatasetError, MissingExtraError
from poselift.lifters.card import RECORDING, Card
from poselift.lifters.load import DEFAULT_LIFTER, load_lifter, shipped_cards
from poselift.lifters.onnx import OnnxLifter
from poselift.measure.claims import Check, Sources, check_file, check_scores
from poselift.measure.speed import measure_speed

CAPTION = (
    "frames in, out; P-MPJPE in mm on motion capture of people not trained on, with exact 2D and with a detector's "
    "errors, and by camera on a real recording; frames/s on one core"
)


def lifters() -> int:
    """List the weights that come with poselift, with the numbers on their cards."""
    table, licenses = Table(caption=CAPTION, box=SIMPLE, padding=(0, 1, 0, 0), pad_edge=False), dict[str, list[str]]()
    for column in ("name", "frames", "size", "exact", "errors", "real", "frames/s"):
        table.add_column(column, justify="left" if column == "name" else "right", no_wrap=True)
    for card in shipped_cards():
        add("lifters", card)
        row = card_row(card)
        exact, errors = (row[what].split(" / ")[0] for what in ("exact 2D", "detector errors"))
        table.add_row(
            card.name, row["frames"], row["parameters"], exact, errors, row["real recording"], row["frames/s"]
        )
        licenses.setdefault(card.license, []).append(card.name)
    console.print(table)
    for license, names in licenses.items():
        print_plain(f"Licence of {'all of them' if len(licenses) == 1 else ', '.join(names)}: {license}")
    return 0


def card_row(card: Card) -> dict[str, str]:
    """Return the main numbers of a card as text; a dash for those that it lacks."""

    def score(name: str) -> str:
        mean = card.scores[name].mean if name in card.scores else {}
        return f"{mean['p_mpjpe']:.1f} / {mean['mpjpe']:.1f}" if mean else "-"

    kept = {name: score.mean["p_mpjpe"] for name, score in card.scores.items() if score.kind == RECORDING}
    real = [error for name, error in kept.items() if name.startswith("real recording")]
    return {
        "frames": f"{card.in_frames}, {len(card.out_frames)}",
        "parameters": f"{card.parameters / 1e6:.2f} M" if card.parameters else "-",
        "MACs": f"{card.macs / 1e6:.1f} M" if card.macs else "-",
        "exact 2D": score("exact 2D"),
        "detector errors": score("detector errors"),
        "real recording": " / ".join(f"{error:.1f}" for error in real) or "-",
        "frames/s": f"{card.speed.frames_per_s:,.0f}" if card.speed else "-",
    }


def check_card(
    weights: tyro.conf.Positional[str] = DEFAULT_LIFTER,
    /,
    *,
    lifter: str | None = None,
    data: Path | None = None,
    recording: tuple[Path, ...] = (),
    quick: bool = False,
    result: Annotated[ResultFile, tyro.conf.OmitArgPrefixes],
) -> int:
    """Measure again everything that the card of some weights claims, each score by the protocol on the card.

    Claims and measurements are printed side by side; the status is 1 when a claim does not hold. Speed is measured and
    printed, but never makes the check fail.

    Args:
        weights: Name of shipped weights, or path of an .onnx file with its card beside it.
        lifter: The card's lifter when it is your own (module:Class); its module is run to count its parameters.
        data: Motion capture archive that the card names, such as mocap17.npz; its scores are left out when not given.
        recording: The real recordings that the card names; their scores are left out when not given.
        quick: Measure only the scores that take few frames.
        result: File for the checks as JSON.
    """
    result.check(data, *recording)
    network = load_lifter(weights, threads=1)
    if not isinstance(network, OnnxLifter):
        raise CheckpointError(f"{weights} has no card; name shipped weights or the path of an .onnx file")
    card, scores = network.card, list[Check]()
    with progress(f"measuring {card.name}") as tick:
        for check in check_scores(network, card, Sources(data, recording, _detector), quick=quick):
            scores.append(check)
            tick(len(scores), None, check.name)
    if all(check.measured is None for check in scores):
        raise DatasetError(f"none of the scores of {card.name} was measured: {scores[0].note if scores else 'none'}")
    checks = [*check_file(network), *_check_sizes(card, lifter), *scores]
    _show(card, network, checks)
    content = [asdict(check) | {"holds": check.holds} for check in checks]
    result.write(content)
    record(weights=card.name, checks=content)
    return 0 if all(check.holds for check in checks) else 1


def _detector(errors: dict[str, Any]) -> Any:
    return lab_module("observe.detector").simulated_detector(errors)


def _check_sizes(card: Card, lifter: str | None) -> list[Check]:
    """Count parameters and operations on the lifter that the recipe builds; `lifter` is what the user named."""
    claims = {name: value for name in ("parameters", "macs") if (value := getattr(card, name)) is not None}
    if card.training is None:
        return []
    try:
        counted = lab_module("export.card").sizes_of(card.training.recipe, lifter=lifter)
    except (MissingExtraError, CheckpointError) as error:
        return [Check(name, value, None, note=str(error)) for name, value in claims.items()]
    return [Check(name, value, counted[name]) for name, value in claims.items()]


def _show(card: Card, lifter: OnnxLifter, checks: list[Check]) -> None:
    table = Table(title=card.name)
    for column in ("claim", "card", "measured", "difference", ""):
        table.add_column(column, justify="left" if column in ("claim", "") else "right", overflow="fold")
    for check in checks:
        claimed, measured = (_short(value) for value in (check.claimed, check.measured))
        numbers = isinstance(check.claimed, int | float) and isinstance(check.measured, int | float)
        difference = f"{check.measured - check.claimed:+.3f}" if numbers else ""  # type: ignore[operator]
        verdict = f"not measured: {check.note}" if check.measured is None else "" if check.holds else "DOES NOT HOLD"
        table.add_row(check.name, claimed, measured, difference, verdict)
    console.print(table)
    now = measure_speed(lifter)
    record(speed={"card": card.speed, "measured": now})
    for speed, where in ((card.speed, "on the card"), (now, "measured here")):
        text = "none" if speed is None else (
            f"{speed.frames_per_s:,.0f} frames/s, {speed.window_ms:.2f} ms a window, {speed.machine}"
        )  # fmt: skip
        print_plain(f"speed {where}: {text} (not checked)")


def _short(value: float | str | None) -> str:
    return "" if value is None else value[:12] if isinstance(value, str) else f"{value:,}"
