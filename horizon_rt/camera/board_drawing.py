"""A calibration board for the printer, in true size: SVG, and PDF by Matplotlib."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

from horizon_rt.errors import CalibrationError
from horizon_rt.system.extras import require
from horizon_rt.system.files import write_atomic

__all__ = ["MARGIN_MM", "BoardDrawing"]

MARGIN_MM = 12.0
"""White margin around the pattern, without which no finder sees its outer edge."""
_MM_PER_INCH = 25.4


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardDrawing:
    """Black squares (x, y, side) and discs (x, y, radius) in mm on white, from the upper left of the pattern.

    `width_mm` and `height_mm` are those of the pattern; `label` stands below it.
    """

    width_mm: float
    height_mm: float
    label: str
    squares: tuple[tuple[float, float, float], ...] = ()
    discs: tuple[tuple[float, float, float], ...] = ()

    @property
    def page_mm(self) -> tuple[float, float]:
        """Width and height with the margin."""
        return self.width_mm + 2 * MARGIN_MM, self.height_mm + 2 * MARGIN_MM

    def save(self, path: Path) -> None:
        """Write it as .svg or .pdf; raises CalibrationError, OutputError, and MissingExtra for a PDF."""
        ending = path.suffix.lower()
        if ending not in (".svg", ".pdf"):
            raise CalibrationError(f"{path}: a board is drawn as .svg or .pdf")
        write_atomic(path, self.svg().encode() if ending == ".svg" else self.pdf())

    def svg(self) -> str:
        """As SVG with its size in mm."""
        width, height = self.page_mm
        size = f'width="{width:g}mm" height="{height:g}mm" viewBox="0 0 {width:g} {height:g}"'
        place = f'x="{MARGIN_MM:g}" y="{height - 4:g}" font-size="4" font-family="sans-serif"'
        squares = [
            f"M{MARGIN_MM + x:g} {MARGIN_MM + y:g}h{side:g}v{side:g}h{-side:g}z"
            for x, y, side in self.squares
        ]
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" {size}>',
                '<rect width="100%" height="100%" fill="white"/>',
                *([f'<path d="{"".join(squares)}"/>'] if squares else []),
                *(
                    f'<circle cx="{MARGIN_MM + x:g}" cy="{MARGIN_MM + y:g}" r="{radius:g}"/>'
                    for x, y, radius in self.discs
                ),
                f"<text {place}>{self.label}</text>",
                "</svg>",
                "",
            ]
        )

    def pdf(self) -> bytes:
        """As a PDF whose page has exactly the size of the drawing."""
        require("report", "a board as PDF")
        from matplotlib.collections import PatchCollection
        from matplotlib.figure import Figure
        from matplotlib.patches import Circle, Rectangle

        width, height = self.page_mm
        figure = Figure(figsize=(width / _MM_PER_INCH, height / _MM_PER_INCH))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(-MARGIN_MM, width - MARGIN_MM), ylim=(height - MARGIN_MM, -MARGIN_MM))
        axes.set_axis_off()
        squares = [Rectangle((x, y), side, side) for x, y, side in self.squares]
        discs = [Circle((x, y), radius) for x, y, radius in self.discs]
        axes.add_collection(PatchCollection([*squares, *discs], facecolor="black", edgecolor="none"))
        axes.text(0, height - MARGIN_MM - 4, self.label, fontsize=4 / _MM_PER_INCH * 72, family="sans-serif")
        figure.savefig(data := io.BytesIO(), format="pdf", metadata={"CreationDate": None})
        return data.getvalue()
