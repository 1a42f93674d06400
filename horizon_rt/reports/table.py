"""Tables of reports: in Markdown, on the terminal, and in the templates of the pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table as RichTable

__all__ = ["Table", "rich_table"]


@dataclass(frozen=True, slots=True)
class Table:
    """A title, what its columns mean, their heads and the rows, all text."""

    title: str
    note: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """As a Markdown table under a heading."""
        lines = [self.head, ["---"] * len(self.head), *self.rows]
        escaped = ([cell.replace("|", "\\|") for cell in line] for line in lines)
        body = "\n".join(f"| {' | '.join(line)} |" for line in escaped)
        return f"### {self.title}\n\n{body}\n\n{self.note}\n"


def rich_table(table: Table) -> RichTable:
    """For the terminal: the first column is headed by the title, and numbers stand close together."""
    from rich.table import Table as RichTable
    from rich.text import Text

    rich = RichTable()
    for index, head in enumerate((table.title.lower(), *table.head[1:])):
        rich.add_column(head, justify="left" if index == 0 or head == "model" else "right", overflow="fold")
    for row in table.rows:
        rich.add_row(*(Text(cell.replace(" / ", "/").replace(" ± ", "±")) for cell in row))
    return rich
