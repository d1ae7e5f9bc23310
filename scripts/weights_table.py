"""Write the tables of scores in the README and in docs/detectors.md from the cards of the shipped weights.

Usage: python scripts/weights_table.py [--check]
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from marked import with_marked

from poselift.cli.cards import card_row
from poselift.lifters.card import Card
from poselift.lifters.load import shipped_cards

ROOT = Path(__file__).resolve().parents[1]
README, DETECTORS = ROOT / "README.md", ROOT / "docs/detectors.md"
NETWORKS = {
    "nanohtnet": "NanoHTNet (TIP 2025)", "posessm": "PoseSSM (AAAI 2025)", "htnet": "HTNet (ICASSP 2023)",
    "convformer": "ConvFormer (2023)",
}  # fmt: skip
COLUMNS = {
    "parameters": "parameters", "MACs": "MACs a window", "frames": "frames in, out", "exact 2D": "mocap dev, exact 2D",
    "detector errors": "with detector errors", "real recording": "real recording", "frames/s": "frames/s on one core",
}  # fmt: skip
DEFAULT = "nanohtnet.mocap27-243"
"""Weights whose scores have tables of their own: clips of a second and more get them."""
EXPECTED = {
    "exact 2D": ("CMU mocap dev (3 people, 67,308 frames, 4 cameras)", "exact"),
    "exact 2D, flip averaged": ("the same, flip averaging", "exact"),
    "detector errors": ("the same", "with a detector's errors"),
}
"""Rows of what to expect by names of scores: data, and keypoints."""
RECORDED = (
    ("real recording, camera 1 / camera 3", "OpenPose", ("real recording, camera 1", "real recording, camera 3")),
    (
        "seated recording", "AlphaPose / OpenPose / BlazePose",
        tuple(f"keraal_ctk, camera 0 {kind}" for kind in ("COCO_17", "COCO_18", "MEDIAPIPE_33")),
    ),
)  # fmt: skip
"""Rows of real recordings: data, keypoints, names of scores."""
KINDS = {
    "COCO_17": "`COCO_17` (AlphaPose, MoveNet, YOLO, RTMPose body)", "BODY_25B": "`BODY_25B` (OpenPose)",
    "BODY_25": "`BODY_25` (OpenPose)", "HALPE_26": "`HALPE_26` (RTMPose with feet)",
    "COCO_23": "COCO-WholeBody, 133", "MEDIAPIPE_33": "`MEDIAPIPE_33` (our detector)",
}  # fmt: skip
"""Rows of the table of detectors, by kinds of simulated detectors."""
_OF_KINDS = (
    "P-MPJPE, mm", "toes, degrees", "head, degrees", "contacts, F1, %", "up, degrees", "radii of 50 and 90 % hold, %",
    "of unseen joints, %",
)  # fmt: skip


def table(cards: Sequence[Card]) -> str:
    """Return the table of the cards in Markdown."""
    rows = []
    for card in cards:
        lifter = card.training.recipe["lifter"] if card.training else ""
        row = card_row(card)
        rows.append([f"`{card.name}`", NETWORKS.get(lifter, lifter), *(row[column] for column in COLUMNS)])
    return _markdown(["weights", "network", *COLUMNS.values()], rows)


def expected(card: Card) -> str:
    """Return the table of what to expect of weights: motion capture and real recordings."""
    heads = [f"`{card.name}`, measured on", "2D keypoints", "P-MPJPE", "MPJPE", "N-MPJPE", "MPJVE"]
    rows = []
    for score, about in EXPECTED.items():
        mean = card.scores[score].mean
        rows.append([*about, *(f"{mean[key]:.1f}" for key in ("p_mpjpe", "mpjpe", "n_mpjpe", "mpjve"))])
    for name, keypoints, places in RECORDED:
        errors = " / ".join(f"{card.scores[place].mean['p_mpjpe']:.1f}" for place in places)
        rows.append([name, keypoints, errors, "", "", ""])
    return _markdown(heads, rows)


def by_kind(card: Card) -> str:
    """Return the table of what weights give with the points of each kind of detector."""
    rows = []
    for kind, name in KINDS.items():
        mean = card.scores[f"detector errors, {kind}"].mean
        single = ("p_mpjpe", "toe_direction_median", "head_yaw_seen_median", "contact_f1", "up_median")
        pairs = (("coverage_50", "coverage_90"), ("coverage_50_unseen", "coverage_90_unseen"))
        numbers = [f"{mean[key]:.1f}" for key in single]
        rows.append([name, *numbers, *(", ".join(f"{mean[key]:.1f}" for key in pair) for pair in pairs)])
    return _markdown(["points", *_OF_KINDS], rows)


def with_tables(readme: str, detectors: str, cards: Sequence[Card]) -> tuple[str, str]:
    """Return the texts of the README and of docs/detectors.md with the tables of these cards."""
    (default,) = [card for card in cards if card.name == DEFAULT]
    readme = with_marked(readme, "weights", table(cards))
    return with_marked(readme, "expected", expected(default)), with_marked(detectors, "kinds", by_kind(default))


def _markdown(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; status 1 when a table is out of date")
    check = parser.parse_args().check
    pages = [path.read_text(encoding="utf-8") for path in (README, DETECTORS)]
    wanted = with_tables(pages[0], pages[1], shipped_cards())
    if check:
        sys.exit(int(pages != list(wanted)))
    for path, text in zip((README, DETECTORS), wanted, strict=True):
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
