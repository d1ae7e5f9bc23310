"""Print tables of many columns on a narrow terminal: groups of columns below each other, none of them cut."""

from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Column, Table


@dataclass(frozen=True)
class Stacked:
    """A table that is printed in several parts where the terminal has no room for all columns beside each other."""

    table: Table
    """The table; its title stands over the first part and its caption below the last."""
    keep: int = 1
    """Number of its first columns that each part begins with; of these, long cells are folded."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the parts for a terminal of this width."""
        kept, others = self.table.columns[: self.keep], self.table.columns[self.keep :]
        _, right, _, left = self.table.padding
        widths = [_width(column, console, options) + left + right + 1 for column in others]  # 1 for the divider
        before = sum(_width(column, console, options) + left + right + 1 for column in kept)
        room = options.max_width - 1 - min(before, options.max_width // 2)
        groups: list[list[Column]] = [[]]
        used = 0
        for column, width in zip(others, widths, strict=True):
            if groups[-1] and used + width > room:
                groups.append([])
                used = 0
            groups[-1].append(column)
            used += width
        for number, group in enumerate(groups):
            yield self._part([*kept, *group], first=number == 0, last=number == len(groups) - 1)

    def _part(self, columns: list[Column], *, first: bool, last: bool) -> Table:
        """Return a table of some of the columns."""
        made = Table(box=self.table.box, padding=self.table.padding, title_justify=self.table.title_justify,
                     caption_justify=self.table.caption_justify)  # fmt: skip
        made.title, made.caption = self.table.title if first else None, self.table.caption if last else None
        for column in columns:
            made.add_column(
                column.header, style=column.style, justify=column.justify, overflow=column.overflow,
                no_wrap=column.no_wrap, min_width=column.min_width,
            )  # fmt: skip
        for cells in zip(*(column.cells for column in columns), strict=True):
            made.add_row(*cells)
        return made


def _width(column: Column, console: Console, options: ConsoleOptions) -> int:
    """Return the width of a column's widest cell, or of its head."""
    cells = (column.header, *column.cells)
    return max(max(Measurement.get(console, options, cell).maximum for cell in cells), column.min_width or 0)
