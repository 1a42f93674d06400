"""Tables of reports: in Markdown, on the terminal, and in the templates of the pages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from horizon_rt.messages import printable

if TYPE_CHECKING:
    from rich.table import Table as RichTable

__all__ = ["Table", "markdown_text", "rich_table"]


_MARKDOWN = re.compile(r"([\\`|<>&\[\]])")


def markdown_text(text: str) -> str:
    """A text that Markdown shows as it is: no HTML, no links or pictures, no other cell, no other line."""
    return _MARKDOWN.sub(r"\\\1", printable(text))


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
        escaped = (map(markdown_text, line) for line in lines)
        body = "\n".join(f"| {' | '.join(line)} |" for line in escaped)
        return f"### {markdown_text(self.title)}\n\n{body}\n\n{self.note}\n"


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
