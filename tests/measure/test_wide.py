"""Tables on a terminal of 80 columns: every head and number is whole, whatever the table."""

import io

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text

from poselift.measure.scores import UNITS, Scores
from poselift.measure.tables import ACTIONS, action_table, scores_view, table
from poselift.measure.wide import Stacked


def lines_of(renderable, width=80) -> list[str]:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(renderable)
    lines = console.export_text().splitlines()
    assert all(len(line) <= width for line in lines)
    return lines


def scores(name: str) -> Scores:
    means = {metric: 100.0 + number / 7 for number, metric in enumerate(UNITS)}
    parts = {metric: {action: value + place for place, action in enumerate(ACTIONS)} for metric, value in means.items()}
    return Scores(
        lifter=name, dataset="Human3.6M", choices={"root": "zeroed"}, counts={"frames": 9}, remarks=(), mean=means,
        per_joint={}, per_action=parts, per_subject={}, per_sequence={}, per_cell={},
    )  # fmt: skip


LONG = "a lifter of a rather long name, of another folder"


@pytest.mark.parametrize("width", [60, 80, 120])
def test_every_action_and_number_is_whole(width):
    said = lines_of(action_table([scores("one"), scores(LONG)]), width)
    words = " ".join(said).split()
    for place, action in enumerate(ACTIONS):
        assert action in words
        assert words.count(f"{100 + place:.2f}") >= 2
    assert not any("…" in line for line in said)
    assert sum("root zeroed" in line for line in said) == 1


def test_every_metric_and_number_is_whole():
    for made in (table([scores("one"), scores(LONG)]), scores_view(scores("one"))):
        words = " ".join(lines_of(made)).split()
        for number in range(len(UNITS)):
            assert f"{100 + number / 7:.2f}" in words
        assert not any("…" in word for word in words)


def made(columns: int, first: str = "row") -> Stacked:
    plain = Table(title="TITLE", caption="CAPTION")
    plain.add_column(Text(""))
    for number in range(columns):
        plain.add_column(Text(f"head{number}"), no_wrap=True)
    plain.add_row(Text(first), *(Text(f"{number}.25") for number in range(columns)))
    return Stacked(plain)


def test_a_table_that_fits_is_printed_in_one():
    said = lines_of(made(4))
    assert sum("row" in line for line in said) == 1
    (numbers,) = [line for line in said if "0.25" in line]
    assert all(f"{number}.25" in numbers for number in range(4))


def test_parts_begin_alike_under_one_title():
    said = lines_of(made(30, "the row's own name"))
    assert sum("the row's own name" in line for line in said) >= 3
    assert [sum(word in line for line in said) for word in ("TITLE", "CAPTION")] == [1, 1]
    places = [next(n for n, line in enumerate(said) if f"head{number} " in line) for number in range(30)]
    assert places == sorted(places)
    assert said.index(next(line for line in said if "TITLE" in line)) < places[0]


def test_one_column_alone_has_a_part_however_narrow_it_is():
    assert sum("row" in line for line in lines_of(made(5), 17)) == 5
