"""Write the tables of docs/reproduce.md from the papers' tables and the recipes.

Usage: python scripts/reproduce_page.py [--check]
"""

import argparse
import re
import sys
import textwrap
from pathlib import Path

from marked import with_marked

from poselift.lab.recipes import RECIPES, get_recipe, mocap
from poselift.lab.recipes.tables import TABLES, Block, PaperTable, Row
from poselift.lab.windows.benchmark import BenchmarkConfig

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reproduce.md"
MEASURED = {
    "convformer_humaneva_9": ("exact keypoints, 30 epochs", "19.9 20.0 23.8 27.4 18.7 20.0 28.1 33.0 32.9 24.9"),
}
"""What we measured of a row, by its recipe: how it differs from the recipe, and a number for each column."""
NOTES: dict[str, tuple[str, ...]] = {
    "h36m_posessm": (
        (
            "Only the names of the two released checkpoints are known (`model_29_4813` and `model_7_3126`: MPJPE at "
            "epochs 29 and 7, chosen on the test subjects). The paper's tables, by action and with P-MPJPE, were not "
            "obtainable."
        ),
    ),
    "3dhp_posessm": (
        (
            "The paper's numbers were not obtainable, and it is not known whether the paper trains on MPI-INF-3DHP or "
            "only tests on it; the released code can do both. The archive does not say which truth it holds: add "
            "`--truth annot3` or `--truth univ_annot3`."
        ),
    ),
    "h36m_convformer": (
        (
            'MPJVE is the paper\'s "Protocol III". It is printed for T = 143 alone, and P-MPJPE with exact keypoints '
            "is not printed."
        ),
    ),
    "h36m_convformer_t": ("With exact keypoints the paper prints T = 143 and 243 alone.",),
    "humaneva_convformer": (
        (
            "Cells are as printed; Jog of T = 9 looks scrambled (22.6 13.3 12.9 would fit). The mean of the nine "
            "cells is computed by us: the 24.3 mm that is quoted as the paper's HumanEva result is its last cell, Box "
            "of S3. Walking of S3, whose motion capture is damaged, is 16 to 25 mm in this paper and about 46 in the "
            "papers it compares with. The paper does not name its keypoints: ours are Mask R-CNN's, as in VideoPose3D."
        ),
        (
            "One row was measured, with exact keypoints and half of the recipe's epochs: `poselift train "
            "convformer_humaneva_9 --data DIR --data.keypoints gt --precision bf16 --epochs 30`, commit 5ec96cc, one "
            "core of an Intel Xeon, 48 minutes; protocol `humaneva`, flip averaging, last epoch; MPJPE 31.5 mm. With "
            "exact keypoints, Walking of S3 is 23.8 mm for us too: 16 to 25 mm is what one may expect there."
        ),
    ),
    "3dhp_convformer": (
        (
            "The paper does not say which truth it uses; the other numbers in its table are on the metric one, "
            "`annot3`. We take the keypoints to be exact, and PCK to be over fourteen joints, as in the data set's "
            "own script."
        ),
    ),
    "convformer_depth": (
        (
            "Some sizes differ from ours: 64, 2, 2 has 10.13 M parameters here, 16, 2, 2 has 0.66 M and 16, 2, 4 has "
            "1.27 M."
        ),
    ),
    "convformer_kernels": (
        (
            "The errors do not follow the kernels' width, as if single runs differed by about a millimetre. Of Table "
            "6 only the text is known: plain attention is about 2 mm worse than one filter (row 7), and three filters "
            "are 1.1 mm better."
        ),
    ),
    "h36m_htnet": (
        (
            "The numbers are from HTNet's README, P-MPJPE is from the README of DRPose. HTNet's rows with refinement "
            "(47.6 and 31.9) use the true depth of the root, and that stage was not released. Its test on "
            "MPI-INF-3DHP follows PoseAug (trained on Human3.6M) and has no recipe here."
        ),
    ),
    "h36m_nanohtnet": (
        (
            "Both numbers are read off a figure in the README (to about 0.1 mm), in which the larger model is "
            'labelled "f = 27". The figure does not say which T the models had, or whether they were pre-trained by '
            "PoseCLR. The paper's own tables were not obtainable."
        ),
    ),
}

"""What a reader should know of a table's numbers, in paragraphs."""


def tables() -> str:
    """Return all tables, each with its command, its protocol and its notes, and the list of our own recipes."""
    if odd := set(NOTES) ^ set(TABLES):
        raise SystemExit(f"NOTES and TABLES differ in {', '.join(sorted(odd))}")
    return "\n".join([*(section(name, table) for name, table in TABLES.items()), shipped()])


def section(name: str, table: PaperTable) -> str:
    """Return the part of the page about one table."""
    protocols = dict.fromkeys(protocol(recipe) for recipe in table.recipes())
    named = ", ".join(f"`{protocol}`" for protocol in protocols)
    parts = [
        f"## {table.title}",
        f"`poselift reproduce {name} --data DIR --out DIR` · protocol{'s' * (len(protocols) > 1)} {named}",
        wrapped(f"Published: {table.measured}."),
        *map(wrapped, NOTES[name]),
    ]
    for block in table.blocks:
        parts += [f"{block.title[0].upper()}{block.title[1:]}:", lines_of(block)]
    return "\n\n".join(parts) + "\n"


def protocol(recipe: str) -> str:
    """Return the name of the protocol that a benchmark's recipe is measured by."""
    data = get_recipe(recipe).data
    assert isinstance(data, BenchmarkConfig)
    return data.protocol


def lines_of(block: Block) -> str:
    """Return a block as a table in Markdown; columns of which no number is known are left out, but for the last."""
    words = {row.recipe: row.words(len(block.columns)) for row in block.rows}
    last = len(block.columns) - 1
    shown = [n for n in range(last + 1) if n == last or any(word[n] != "-" for word in words.values())]
    lines = [["row", "recipe", *(block.columns[n].head for n in shown), "ours"]]
    lines.append(["---"] * len(lines[0]))
    for row in block.rows:
        lines.append([row.label, f"`{row.recipe}`", *(words[row.recipe][n] for n in shown), ours(row)])
        if row.recipe in MEASURED:
            how, numbers = MEASURED[row.recipe]
            lines.append(["", f"*ours: {how}*", *(numbers.split()[n] for n in shown), numbers.split()[-1]])
    return "\n".join(f"|{'|'.join(line)}|" if "---" in line else f"| {' | '.join(line)} |" for line in lines)


def ours(row: Row) -> str:
    """Return what stands in the last column of a paper's row."""
    return "changed, below" if row.recipe in MEASURED else "no data"


def shipped() -> str:
    """Return the part about recipes that train on motion capture, from their docstrings."""
    lines = ["| recipe | what it does | command |", "|---|---|---|"]
    for made in mocap.ROWS:
        said = " ".join((RECIPES[made.__name__].__doc__ or "").split())
        command = re.search(r"Command: (`[^`]+`)", said)
        if command is None:
            raise SystemExit(f"{made.__name__}: wanted 'Command: `...`' in its docstring")
        lines.append(f"| `{made.__name__}` | {said.split('. ')[0].rstrip('.')} | {command[1]} |")
    intro = wrapped(
        "These have no published numbers; the errors of weights that come with poselift are on their cards, and "
        "`poselift check-card NAME` measures them again."
    )
    return "\n\n".join(["## Recipes on motion capture", intro, "\n".join(lines)]) + "\n"


def wrapped(text: str) -> str:
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)


def with_tables(page: str) -> str:
    """Return the page's text with the tables in their place."""
    return with_marked(page, "tables", f"\n{tables()}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; status 1 when the page is out of date")
    check = parser.parse_args().check
    page = PAGE.read_text(encoding="utf-8")
    wanted = with_tables(page)
    if check:
        sys.exit(int(page != wanted))
    PAGE.write_text(wanted, encoding="utf-8")


if __name__ == "__main__":
    main()
