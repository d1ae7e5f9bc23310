"""Write the README's table of weights from their cards.

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

README = Path(__file__).resolve().parents[1] / "README.md"
NETWORKS = {
    "nanohtnet": "NanoHTNet (TIP 2025)", "posessm": "PoseSSM (AAAI 2025)", "htnet": "HTNet (ICASSP 2023)",
    "convformer": "ConvFormer (2023)",
}  # fmt: skip
COLUMNS = {
    "parameters": "parameters", "MACs": "MACs a window", "frames": "frames in, out", "exact 2D": "mocap dev, exact 2D",
    "detector errors": "with detector errors", "real recording": "real recording", "frames/s": "frames/s on one core",
}  # fmt: skip


def table(cards: Sequence[Card]) -> str:
    """Return the table of the cards in Markdown."""
    heads = ["weights", "network", *COLUMNS.values()]
    lines = [heads, ["---"] * len(heads)]
    for card in cards:
        lifter = card.training.recipe["lifter"] if card.training else ""
        row = card_row(card)
        lines.append([f"`{card.name}`", NETWORKS.get(lifter, lifter), *(row[column] for column in COLUMNS)])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def with_table(readme: str, cards: Sequence[Card]) -> str:
    """Return the README's text with the table of these cards."""
    return with_marked(readme, "weights", table(cards))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; status 1 when the README is out of date")
    check = parser.parse_args().check
    readme = README.read_text(encoding="utf-8")
    wanted = with_table(readme, shipped_cards())
    if check:
        sys.exit(int(readme != wanted))
    README.write_text(wanted, encoding="utf-8")


if __name__ == "__main__":
    main()
