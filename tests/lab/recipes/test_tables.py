from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from poselift.lab.models import build
from poselift.lab.recipes import RECIPES, get_recipe
from poselift.lab.recipes.tables import TABLES
from poselift.measure.tables import ACTIONS

ROWS = [
    pytest.param(block, row, id=f"{name}: {block.title}: {row.label}")
    for name, table in TABLES.items()
    for block in table.blocks
    for row in block.rows
]


def numbers(words):
    return [float(word.strip("~")) for word in words if word != "-"]


@pytest.mark.parametrize(("block", "row"), ROWS)
def test_a_row_has_its_recipe_and_a_word_for_each_column(block, row):
    assert row.recipe in RECIPES
    assert len(row.words(len(block.columns))) == len(block.columns)
    numbers(row.words(len(block.columns)))


@pytest.mark.parametrize(("block", "row"), ROWS)
def test_averages_are_those_of_their_columns(block, row):
    words = row.words(len(block.columns))
    if block.columns[-1].head in ("Avg", "Mean") and "-" not in words:
        *parts, average = numbers(words)
        assert sum(parts) / len(parts) == pytest.approx(average, abs=0.1)  # the paper's own are rounded


def test_the_columns_are_the_papers():
    (first, *_) = TABLES["h36m_convformer"].blocks
    heads = "Dir Disc Eat Greet Phone Photo Pose Purch Sit SitD Smoke Wait WalkD Walk WalkT Avg".split()
    assert [column.head for column in first.columns] == heads
    (cells,) = TABLES["humaneva_convformer"].blocks
    assert [column.head for column in cells.columns] == (
        "Walk S1,Walk S2,Walk S3,Jog S1,Jog S2,Jog S3,Box S1,Box S2,Box S3,Mean".split(",")
    )
    (dhp,) = TABLES["3dhp_convformer"].blocks
    assert [column.head for column in dhp.columns] == ["PCK", "AUC", "MPJPE"]


class Scores:
    """Scores in which every number is another one."""

    mean = {"mpjpe": 100.0, "p_mpjpe": 101.0, "pck": 102.0, "auc": 103.0, "mpjve": 104.0}
    per_action = {"mpjpe": {action: float(n) for n, action in enumerate(ACTIONS)}}
    per_cell = {
        "p_mpjpe": {f"Validate/S{n} {action}": 10 * k + n for k, action in enumerate(ACTIONS) for n in (1, 2, 3)}
    }


def test_each_column_takes_its_number():
    (first, *_) = TABLES["h36m_convformer"].blocks
    assert [column.value(Scores, 0) for column in first.columns] == [*range(15), 100]
    (cells,) = TABLES["humaneva_convformer"].blocks
    where = [ACTIONS.index(action) for action in ("Walking", "Jog", "Box")]
    assert [column.value(Scores, 0) for column in cells.columns] == [
        *(10 * action + subject for action in where for subject in (1, 2, 3)), 101,
    ]  # fmt: skip
    (dhp,) = TABLES["3dhp_convformer"].blocks
    assert [column.value(Scores, 0) for column in dhp.columns] == [102, 103, 100]
    (kernels,) = TABLES["convformer_kernels"].blocks
    assert [column.value(Scores, 2_500_000) for column in kernels.columns] == [100, 2.5]
    missing = type("Scores", (), {"mean": {}, "per_action": {}, "per_cell": {}})
    for block in (first, cells, dhp):
        assert {column.value(missing, 0) for column in block.columns} == {None}


def parameters(recipe):
    with torch.device("meta"):
        model = build(recipe.lifter, **recipe.model)
    return sum(p.numel() for p in model.parameters()) / 1e6


@pytest.mark.parametrize("row", TABLES["convformer_kernels"].blocks[0].rows, ids=lambda row: row.label)
def test_each_row_of_kernels_has_the_papers_size(row):
    assert f"{parameters(get_recipe(row.recipe)):.2f}" == row.words(2)[1]


@pytest.mark.parametrize("row", TABLES["h36m_convformer_t"].blocks[0].rows, ids=lambda row: row.label)
def test_each_row_of_frames_has_the_papers_size(row):
    assert f"{parameters(get_recipe(row.recipe)):.2f}" == row.words(2)[0]


def test_the_rows_of_depth_have_the_papers_order_of_size():
    for row in TABLES["convformer_depth"].blocks[0].rows:
        assert parameters(get_recipe(row.recipe)) == pytest.approx(float(row.words(2)[0]), rel=0.02)


def test_the_page_tells_of_every_table_and_row():
    page = (Path(__file__).parents[3] / "docs" / "reproduce.md").read_text("utf-8")
    for name, table in TABLES.items():
        start = page.index(f"\n## {table.title}\n")
        section = page[start : page.find("\n## ", start + 1) if page.find("\n## ", start + 1) > 0 else None]
        assert f"`poselift reproduce {name} --data DIR --out DIR`" in section
        assert all(f"`{get_recipe(row).data.protocol}`" in section for row in table.recipes())
        rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")]
        for block in table.blocks:
            for row in block.rows:
                words = [word for word in row.words(len(block.columns)) if word != "-"]
                assert any(
                    line[:2] == [row.label, f"`{row.recipe}`"] and [w for w in line[2:-1] if w != "-"] == words
                    for line in rows
                ), (block.title, row.label)
