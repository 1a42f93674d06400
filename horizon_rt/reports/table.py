"""Tables of reports: in Markdown, and for the terminal and the templates of the pages."""

from __future__ import annotations

import re
from dataclasses import dataclass

from horizon_rt.system.messages import printable

__all__ = ["Table", "cell", "markdown_text"]


_MARKDOWN = re.compile(r"([\\`|<>&\[\]])")


def markdown_text(text: str) -> str:
    """A text that Markdown shows as it is: no HTML, no links or pictures, no other cell, no other line."""
    return _MARKDOWN.sub(r"\\\1", printable(text))


def cell(value: float | None, digits: str, unit: str = "") -> str:
    """A number with so many digits, such as '.1f', and its unit; a dash for none."""
    return "–" if value is None else f"{value:{digits}}{unit}"


@dataclass(frozen=True, slots=True)
class Table:
    """A title, what its columns mean, their heads and the rows, all text; `foot` is a last row of sums."""

    title: str
    note: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    foot: tuple[str, ...] = ()

    def markdown(self) -> str:
        """As a Markdown table under a heading."""
        lines = [self.head, ["---"] * len(self.head), *self.rows]
        escaped = (map(markdown_text, line) for line in lines)
        body = "\n".join(f"| {' | '.join(line)} |" for line in escaped)
        return f"### {markdown_text(self.title)}\n\n{body}\n\n{self.note}\n"
