"""Self-contained SVG files."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from visavis.base.files import PathText, as_path, whole_file
from visavis.errors import InputError

# A single file has no page around it, so it includes colours for light and dark.
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #636a80; }
.page { fill: #ffffff; } .ink { fill: #1d2130; } .on { fill: #ffffff; }
.area { fill: #3a55d9; } .faint { fill: #b9c2ef; } .strip { fill: #f3f4fa; }
.line { fill: none; stroke: #3a55d9; stroke-width: 2; stroke-linejoin: round; }
.other { fill: none; stroke: #c2571a; stroke-width: 2; stroke-dasharray: 5 4; } .dot { fill: #c2571a; }
.axis { stroke: #636a80; } .grid { stroke: #c9cddd; stroke-dasharray: 3 3; }
@media (prefers-color-scheme: dark) {
text { fill: #9aa1b8; } .page { fill: #1c1f2b; } .ink { fill: #e7e9f3; } .on { fill: #14161f; }
.area { fill: #93a5ff; } .faint { fill: #454f86; } .strip { fill: #232736; } .line { stroke: #93a5ff; }
.other { stroke: #ff9d66; } .dot { fill: #ff9d66; } .axis { stroke: #9aa1b8; } .grid { stroke: #3b4056; } }
"""


def svg_path(path: Path) -> Path:
    """The path, if its name is an SVG file's.

    Raises:
        InputError: the name has another ending.
    """
    if path.suffix.lower() != ".svg":
        raise InputError(f"{path}: figures are SVG files; choose a name that ends in .svg")
    return path


def save_svg(path: PathText, svg: str) -> None:
    """Write a figure; it appears complete or not at all.

    Raises:
        InputError: the file cannot be written.
    """
    path = as_path(path)
    with whole_file(path) as partial:
        partial.write_text(svg, "utf-8")


def heading(words: str) -> str:
    """The heading of a figure."""
    return f'<text class="ink" x="20" y="30" style="font-size: 15px">{escape(words)}</text>'


def text(x: float, y: float, words: str, anchor: str = "middle", kind: str = "") -> str:
    """Text at a position; ``kind`` is a class of :data:`STYLE`, also in the functions below."""
    style = f' class="{kind}"' if kind else ""
    return f'<text{style} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    """A straight line."""
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def document(width: float, height: float, parts: Sequence[str], label: str) -> str:
    """The whole file; ``label`` describes it for people who cannot see it."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
        f'viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(label)}"><style>{STYLE}</style>'
        f'<rect class="page" width="100%" height="100%"/>{"".join(parts)}</svg>\n'
    )
