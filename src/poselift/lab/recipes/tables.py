"""The papers' tables: rows and columns in the papers' order, the numbers that they print, and the recipe of each row.

"-" is a number that could not be obtained. docs/reproduce.md names the sources and the gaps.
"""

from collections.abc import Callable
from dataclasses import dataclass

from poselift.datasets.h36m import ACTIONS
from poselift.measure.scores import Scores

Value = Callable[[Scores, int], float | None]
"""Returns the value in a column, given scores and the number of parameters; None leaves the cell empty."""


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    head: str
    """Head of the column."""
    value: Value
    """Returns our value in this column."""
    digits: int = 1
    """Decimal places of our values."""


@dataclass(frozen=True)
class Row:
    """A row of a table."""

    label: str
    """Label at the beginning of the row."""
    recipe: str
    """Name of the recipe that reproduces the row."""
    published: str
    """The paper's numbers, one word for each column with "-" for none; or "-" alone for a row without numbers."""

    def words(self, columns: int) -> list[str]:
        """Return the paper's numbers, one for each column."""
        words = self.published.split()
        return words * columns if words == ["-"] else words


@dataclass(frozen=True)
class Block:
    """Rows with the same columns, which are measured alike."""

    title: str
    """Title of the block."""
    columns: tuple[Column, ...]
    """Columns, from left to right."""
    rows: tuple[Row, ...]
    """Rows, from top to bottom."""


@dataclass(frozen=True)
class PaperTable:
    """A table of a paper."""

    title: str
    """Title, with the paper and the table's number."""
    measured: str
    """How the published numbers were measured, as far as it is known."""
    blocks: tuple[Block, ...]
    """Blocks of the table."""

    def recipes(self) -> list[str]:
        """Return the names of the recipes of all rows, each once."""
        return list(dict.fromkeys(row.recipe for block in self.blocks for row in block.rows))


def mean(metric: str, head: str, digits: int = 1) -> Column:
    """Return the column of a metric's mean."""
    return Column(head, lambda scores, _: scores.mean.get(metric), digits)


def by_action(metric: str) -> tuple[Column, ...]:
    """Return the columns of a metric for Human3.6M's fifteen actions and their average."""
    heads = "Dir Disc Eat Greet Phone Photo Pose Purch Sit SitD Smoke Wait WalkD Walk WalkT".split()

    def of(action: str) -> Value:
        return lambda scores, _: scores.per_action.get(metric, {}).get(action)

    return (*(Column(head, of(action)) for head, action in zip(heads, ACTIONS, strict=True)), mean(metric, "Avg"))


def by_cell(metric: str) -> tuple[Column, ...]:
    """Return the columns of a metric for HumanEva's nine cells, each an action of a subject, and their mean."""

    def of(cell: str) -> Value:
        return lambda scores, _: scores.per_cell.get(metric, {}).get(cell)

    cells = [
        Column(f"{head} {subject}", of(f"Validate/{subject} {action}"))
        for head, action in (("Walk", "Walking"), ("Jog", "Jog"), ("Box", "Box"))
        for subject in ("S1", "S2", "S3")
    ]
    return (*cells, mean(metric, "Mean", 2))


PARAMETERS = Column("Params, M", lambda _, parameters: parameters / 1e6, 2)
SIZE_AND_MPJPE = (PARAMETERS, mean("mpjpe", "MPJPE"))
DHP_COLUMNS = (mean("pck", "PCK"), mean("auc", "AUC"), mean("mpjpe", "MPJPE"))

NO_ACTIONS = " ".join("-" for _ in ACTIONS)
CPN_BY_ACTION, GT_BY_ACTION = "CPN keypoints, MPJPE, mm", "exact keypoints, MPJPE, mm"
CPN_ALIGNED = "CPN keypoints, P-MPJPE, mm"

BEST_ON_TEST = "flip averaging, root set to 0, weights of the epoch best on the test subjects"
CONVFORMER = "flip averaging and how the weights were chosen are not stated, and there is no code"

CPN_MPJPE = Block(CPN_BY_ACTION, by_action("mpjpe"), (
    Row("T = 143", "convformer_h36m_cpn_143",
        "41.8 43.6 39.3 43.2 44.9 52.8 42.7 41.2 53.1 60.9 45.0 41.9 44.7 29.7 31.1 43.7"),
    Row("T = 243", "convformer_h36m_cpn_243",
        "41.0 43.2 39.0 42.4 44.5 52.2 41.7 40.8 53.0 60.6 44.8 41.3 43.7 29.6 30.9 43.2"),
))  # fmt: skip
GT_MPJPE = Block(GT_BY_ACTION, by_action("mpjpe"), (
    Row("T = 143", "convformer_h36m_gt_143",
        "29.1 32.4 28.1 28.5 29.3 33.3 33.3 30.5 37.0 37.6 29.2 29.5 28.4 21.8 21.3 29.9"),
    Row("T = 243", "convformer_h36m_gt_243",
        "28.9 31.8 28.0 28.2 29.5 33.0 32.9 30.1 36.8 37.4 29.8 29.6 28.2 21.7 21.5 29.8"),
))  # fmt: skip
CPN_P_MPJPE = Block(CPN_ALIGNED, by_action("p_mpjpe"), (
    Row("T = 143", "convformer_h36m_cpn_143",
        "31.9 34.4 32.2 35.0 34.2 40.7 32.9 31.8 42.8 49.1 36.0 31.5 35.0 23.6 25.2 34.5"),
    Row("T = 243", "convformer_h36m_cpn_243",
        "31.4 34.2 32.0 35.2 34.0 40.3 32.7 31.3 42.6 49.0 36.2 31.3 34.8 23.4 24.9 34.2"),
))  # fmt: skip
CPN_MPJVE = Block("CPN keypoints, MPJVE, mm/frame", by_action("mpjve"), (
    Row("T = 143", "convformer_h36m_cpn_143", "2.3 2.3 1.8 2.6 1.8 2.1 2.1 2.5 1.4 2.0 1.7 1.9 3.0 2.4 2.1 2.1"),
))  # fmt: skip
GT_MPJVE = Block("exact keypoints, MPJVE, mm/frame", by_action("mpjve"), (
    Row("T = 143", "convformer_h36m_gt_143", "1.2 1.3 0.9 1.4 1.0 1.2 1.3 1.5 0.7 1.1 0.9 1.1 1.7 1.4 1.2 1.2"),
))  # fmt: skip
FINAL = "convformer_h36m_cpn_9"
"""Name of the recipe of the ablations' final row."""

TABLES: dict[str, PaperTable] = {
    "h36m_posessm": PaperTable("PoseSSM, Human3.6M", BEST_ON_TEST, (
        Block(CPN_BY_ACTION, by_action("mpjpe"), (Row("PoseSSM", "posessm_h36m_cpn", f"{NO_ACTIONS} 48.13"),)),
        Block(CPN_ALIGNED, by_action("p_mpjpe"), (Row("PoseSSM", "posessm_h36m_cpn", "-"),)),
        Block(GT_BY_ACTION, by_action("mpjpe"), (Row("PoseSSM", "posessm_h36m_gt", f"{NO_ACTIONS} 31.26"),)),
    )),
    "3dhp_posessm": PaperTable("PoseSSM, MPI-INF-3DHP", f"{BEST_ON_TEST}; PCK and AUC over 17 joints", (
        Block("exact keypoints", DHP_COLUMNS, (Row("PoseSSM", "posessm_3dhp", "-"),)),
    )),
    "h36m_convformer": PaperTable(
        "ConvFormer, Human3.6M (Table 1)", CONVFORMER, (CPN_MPJPE, GT_MPJPE, CPN_P_MPJPE, CPN_MPJVE, GT_MPJVE)
    ),
    "h36m_convformer_t": PaperTable("ConvFormer by frames, Human3.6M (Table 5)", CONVFORMER, (
        Block("CPN keypoints", SIZE_AND_MPJPE, (
            Row("T = 9", FINAL, "2.56 49.4"),
            Row("T = 27", "convformer_h36m_cpn_27", "2.65 47.7"),
            Row("T = 81", "convformer_h36m_cpn_81", "3.43 45.0"),
            Row("T = 143", "convformer_h36m_cpn_143", "5.24 43.7"),
            Row("T = 243", "convformer_h36m_cpn_243", "10.24 43.2"),
        )),
        Block("exact keypoints", SIZE_AND_MPJPE, (
            Row("T = 9", "convformer_h36m_gt_9", "-"),
            Row("T = 27", "convformer_h36m_gt_27", "-"),
            Row("T = 81", "convformer_h36m_gt_81", "-"),
            Row("T = 143", "convformer_h36m_gt_143", "5.24 29.9"),
            Row("T = 243", "convformer_h36m_gt_243", "10.24 29.8"),
        )),
    )),
    "humaneva_convformer": PaperTable("ConvFormer, HumanEva-I (Table 2, left)", CONVFORMER, (
        Block("P-MPJPE, mm", by_cell("p_mpjpe"), (
            Row("T = 9", "convformer_humaneva_9", "12.5 10.1 25.4 13.3 12.9 22.6 31.7 28.6 29.0 20.68"),
            Row("T = 27", "convformer_humaneva_27", "11.4 9.0 20.1 19.1 11.8 11.8 20.8 28.0 26.1 17.57"),
            Row("T = 43", "convformer_humaneva_43", "10.7 7.9 16.0 16.7 9.3 10.0 18.2 25.0 24.3 15.34"),
        )),
    )),
    "3dhp_convformer": PaperTable("ConvFormer, MPI-INF-3DHP (Table 2, right)", CONVFORMER, (
        Block("exact keypoints", DHP_COLUMNS, (Row("T = 9", "convformer_3dhp_9", "96.4 69.8 53.6"),)),
    )),
    "convformer_depth": PaperTable("ConvFormer by width, blocks and heads, Human3.6M (Table 3)", CONVFORMER, (
        Block("CPN keypoints, T = 9: d, spatial and temporal blocks", SIZE_AND_MPJPE, (
            Row("16, 2, 2", "convformer_depth_16_2_2", ".65 50.8"),
            Row("16, 2, 4", "convformer_depth_16_2_4", "1.26 51.0"),
            Row("16, 4, 2", "convformer_depth_16_4_2", ".69 51.7"),
            Row("32, 2, 2", FINAL, "2.56 49.4"),
            Row("32, 2, 4", "convformer_depth_32_2_4", "4.95 50.6"),
            Row("32, 4, 2", "convformer_depth_32_4_2", "2.70 49.9"),
            Row("64, 2, 2", "convformer_depth_64_2_2", "9.97 50.1"),
        )),
        Block("CPN keypoints, T = 9: heads", (mean("mpjpe", "MPJPE"),), (
            Row("1", "convformer_heads_1", "52.3"),
            Row("2", "convformer_heads_2", "51.0"),
            Row("4", "convformer_heads_4", "49.6"),
            Row("8", FINAL, "49.4"),
        )),
    )),
    "convformer_kernels": PaperTable("ConvFormer by kernels, Human3.6M (Table 4)", CONVFORMER, (
        Block("CPN keypoints, T = 9", (mean("mpjpe", "MPJPE"), PARAMETERS), tuple(
            Row(widths, FINAL if widths == "7,7,7" else f"convformer_kernels_{widths.replace(',', '_')}", published)
            for widths, published in (
                ("3", "51.7 2.44"), ("3,3", "51.6 2.46"), ("3,3,3", "50.8 2.48"),
                ("5", "50.5 2.46"), ("5,5", "52.0 2.49"), ("5,5,5", "51.9 2.52"),
                ("7", "50.5 2.47"), ("7,7", "50.1 2.51"), ("7,7,7", "49.4 2.56"),
                ("9", "51.5 2.48"), ("9,9", "50.8 2.54"), ("9,9,9", "50.6 2.60"),
                ("3,5,7", "50.6 2.52"), ("5,7,9", "51.6 2.56"),
            )
        )),
    )),
    "h36m_htnet": PaperTable("HTNet, Human3.6M", BEST_ON_TEST, (
        Block(CPN_BY_ACTION, by_action("mpjpe"), (Row("HTNet", "htnet_h36m_cpn", f"{NO_ACTIONS} 48.9"),)),
        Block(CPN_ALIGNED, by_action("p_mpjpe"), (Row("HTNet", "htnet_h36m_cpn", f"{NO_ACTIONS} 39.0"),)),
        Block(GT_BY_ACTION, by_action("mpjpe"), (Row("HTNet", "htnet_h36m_gt", f"{NO_ACTIONS} 34.0"),)),
    )),
    "h36m_nanohtnet": PaperTable("NanoHTNet, Human3.6M", BEST_ON_TEST, (
        Block(CPN_BY_ACTION, by_action("mpjpe"), (
            Row("T = 81, K = 9", "nanohtnet_h36m_cpn_81_9", "-"),
            Row("T = 81, K = 27", "nanohtnet_h36m_cpn_81_27", "-"),
            Row("T = 243, K = 9", "nanohtnet_h36m_cpn_243_9", f"{NO_ACTIONS} ~44.5"),
            Row("T = 243, K = 27", "nanohtnet_h36m_cpn_243_27", f"{NO_ACTIONS} ~43.5"),
        )),
        Block(GT_BY_ACTION, by_action("mpjpe"), (
            Row("T = 81, K = 9", "nanohtnet_h36m_gt_81_9", "-"),
            Row("T = 81, K = 27", "nanohtnet_h36m_gt_81_27", "-"),
            Row("T = 243, K = 9", "nanohtnet_h36m_gt_243_9", "-"),
            Row("T = 243, K = 27", "nanohtnet_h36m_gt_243_27", "-"),
        )),
    )),
}  # fmt: skip
"""Every table by name."""
