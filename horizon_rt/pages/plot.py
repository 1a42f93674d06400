"""Plots as SVG that takes its colours from the page, so that it is readable on dark, too."""

from __future__ import annotations

import io
import re
import warnings
from dataclasses import dataclass
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.text import Text

from horizon_rt.messages import printable

__all__ = ["INK", "SERIES", "STYLE", "Plot", "make_plot"]

# Colours that stand for the page's own; no plot uses them otherwise.
INK, _RULE = "#010203", "#040506"
_PAGE = {INK: "var(--ink)", _RULE: "var(--rule)"}
SERIES = ("#2a7de1", "#e8710a", "#12a06b", "#b145d6", "#d63a5e", "#8a8f00", "#00a3b4", "#8d6e4c")
STYLE: Any = {
    "axes.edgecolor": _RULE,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 10,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "figure.constrained_layout.use": True,
    "font.family": "sans-serif",
    "font.size": 9.5,
    "grid.color": _RULE,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "text.color": INK,
    "text.parse_math": False,  # names of datasets may hold a $
    "xtick.color": _RULE,
    "xtick.labelcolor": INK,
    "ytick.color": _RULE,
    "ytick.labelcolor": INK,
}


@dataclass(frozen=True, slots=True)
class Plot:
    """A figure with its caption; `svg` is an element to put into a page."""

    title: str
    caption: str
    svg: str


def make_plot(figure: Figure, title: str, caption: str) -> Plot:
    """A figure drawn under `STYLE` as an element of a page."""
    for shown in figure.findobj(Text):
        shown.set_text("\n".join(map(printable, shown.get_text().split("\n"))))
    # Ids of several pictures in one page must differ.
    with rc_context({"svg.hashsalt": title}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the page has fonts of its own
        figure.savefig(text := io.StringIO(), format="svg", transparent=True, metadata={"Date": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    prefix = re.sub(r"\W+", "-", title.lower())
    svg = re.sub(r'( id="|url\(#|xlink:href="#)', rf"\g<1>{prefix}-", svg)
    for colour, variable in _PAGE.items():
        svg = svg.replace(colour, variable)
    return Plot(title, caption, re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL))
