"""docs/reproduce.md is what the tables and recipes say."""

from pathlib import Path

import pytest

pytest.importorskip("torch")

from poselift.lab.recipes import mocap
from poselift.lab.recipes.tables import TABLES

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("reproduce_page")


def test_the_page_is_current(script):
    page = script.PAGE.read_text(encoding="utf-8")
    assert script.with_tables(page) == page, "run python scripts/reproduce_page.py"


def test_every_recipe_of_ours_has_its_command(script):
    said = script.shipped()
    for made in mocap.ROWS:
        assert f"| `{made.__name__}` |" in said and f"`poselift train {made.__name__} " in said


def test_what_was_measured_stands_below_its_row(script):
    (block,) = TABLES["humaneva_convformer"].blocks
    lines = script.lines_of(block).splitlines()
    row = next(number for number, line in enumerate(lines) if "`convformer_humaneva_9`" in line)
    cells = lines[row + 1].strip("| ").split(" | ")
    assert "30 epochs" in cells[0] and len(lines[row + 1].split("|")) == len(lines[0].split("|"))
    *parts, mean, again = map(float, cells[1:])
    assert mean == again == pytest.approx(sum(parts) / len(parts), abs=0.05)


def test_a_table_without_notes_and_a_page_without_its_place_are_told(script, monkeypatch):
    monkeypatch.setattr(script, "NOTES", {name: () for name in TABLES if name != "h36m_htnet"})
    with pytest.raises(SystemExit, match="h36m_htnet"):
        script.tables()
    monkeypatch.undo()
    with pytest.raises(SystemExit, match="<!-- tables -->"):
        script.with_tables("# Nothing\n")
