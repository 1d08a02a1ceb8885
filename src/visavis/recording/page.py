"""A self-contained HTML page about a run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from html import escape
from pathlib import Path
from string import Template
from urllib.parse import quote

import numpy as np

from visavis.base.files import whole_file
from visavis.base.machine import machine, versions
from visavis.channels import EXPRESSIONS
from visavis.drawing.panels import COLORS
from visavis.drawing.timelines import channel_chart, expression_chart, legend
from visavis.errors import InputError
from visavis.recording.log import Recording
from visavis.track import Track
from visavis.types import FloatArray

# What each stage of a frame does, in the order of the flow.
STAGES: Mapping[str, str] = {
    "face": "find and follow the face",
    "expression": "read the expression",
    "avatar": "move the avatar",
    "puppet": "draw the avatar",
    "video": "compose and encode the video",
}
TOTAL = "face to avatar"

STYLE = """
:root { color-scheme: light dark; --ink: #1d2130; --soft: #636a80; --page: #f6f7fb; --card: #ffffff;
  --edge: #e1e4ee; --line: #3a55d9; --strip: #f3f4fa; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7e9f3; --soft: #9aa1b8; --page: #14161f;
  --card: #1c1f2b; --edge: #2d3142; --line: #93a5ff; --strip: #232736; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1040px; margin: 0 auto; padding: 32px 20px 56px; }
h1 { font-size: 26px; margin: 0 0 4px; } h2 { font-size: 17px; margin: 0 0 12px; }
p { margin: 0 0 12px; } .soft, figcaption { color: var(--soft); font-size: 14px; }
section { background: var(--card); border: 1px solid var(--edge); border-radius: 12px;
  padding: 20px; margin-top: 18px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px;
  margin-top: 20px; }
.tile { background: var(--card); border: 1px solid var(--edge); border-radius: 12px; padding: 14px 16px; }
.tile b { display: block; font-size: 24px; line-height: 1.25; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: 13px; }
video, svg { display: block; width: 100%; height: auto; } video { border-radius: 8px; background: #000; }
svg text { fill: var(--soft); font: 12px system-ui, sans-serif; }
svg .name { fill: var(--ink); font-size: 13px; }
.strip { fill: var(--strip); } .grid { stroke: var(--edge); } .axis { stroke: var(--soft); }
.line { fill: none; stroke: var(--line); stroke-width: 1.6; stroke-linejoin: round; }
.legend { display: flex; flex-wrap: wrap; gap: 6px 16px; margin: 12px 0 0; font-size: 13px; }
.chip i { display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 6px; }
.chip b { font-weight: 600; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 6px 12px 6px 0; border-bottom: 1px solid var(--edge); font-weight: 400; }
thead th { color: var(--soft); font-size: 13px; } .number { text-align: right; }
tr:last-child > * { border-bottom: 0; } tr.total > * { font-weight: 600; }
"""

PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>visavis: $source</title>
<style>$style</style>
</head>
<body>
<main>
<h1>visavis</h1>
<p class="soft">A run on $source</p>
<div class="tiles">$tiles</div>
$video
<section>
<h2>Expressions</h2>
$expressions
</section>
<section>
<h2>Face</h2>
$channels
</section>
<section>
<h2>Time for each frame, in milliseconds</h2>
<div class="scroll">$latency</div>
</section>
<section>
<h2>Made with</h2>
<div class="scroll">$machine</div>
</section>
<p class="soft" style="margin-top:18px">An expression is not a feeling: these figures say what the network
sees on a face, not what a person feels. Nothing on this page was sent anywhere.</p>
</main>
</body>
</html>
""")


def write_report(
    path: Path, recording: Recording, track: Track, *, source: str, video: Path | None = None
) -> None:
    """Write the page; it appears complete or not at all, and loads only the video next to it.

    Args:
        path: the page, usually ``report.html``.
        recording: counts and timings of the run.
        track: face and expression of the same run.
        source: description of the source.
        video: the run's video; the page links to it by a relative path.

    Raises:
        InputError: the track has no frames, or the page cannot be written.
    """
    if not len(track):
        raise InputError(f"{path}: a report needs at least one frame; the track has none")
    page = PAGE.substitute(
        style=STYLE,
        source=escape(source),
        tiles=_tiles(recording, track),
        video=_video(video, path),
        expressions=_expressions(recording, track),
        channels=channel_chart(track) if track.found.any() else "<p>No face was found.</p>",
        latency=_latency(recording.timings_ms),
        machine=_table(versions() | machine()),
    )
    with whole_file(path) as partial:
        partial.write_text(page, "utf-8")


def total_ms(timings_ms: Mapping[str, FloatArray]) -> FloatArray:
    """Milliseconds (T,) from a frame's arrival to the avatar's pose, without drawing the video."""
    return np.asarray(
        np.sum([timings_ms[stage] for stage in ("face", "expression", "avatar")], axis=0), np.float32
    )


def _tiles(recording: Recording, track: Track) -> str:
    found = recording.frames_with_face / max(recording.frames, 1)
    speed = recording.frames / max(recording.elapsed_s, 1e-9)
    p50, p95 = np.percentile(total_ms(recording.timings_ms), (50, 95))
    tiles = {
        "frames": f"{recording.frames}",
        "with a face": f"{found:.0%}",
        f"frames a second ({speed / track.fps:.1f} times real time)": f"{speed:.0f}",
        f"ms from face to avatar, median (p95 {p95:.1f})": f"{p50:.1f}",
    }
    return "".join(
        f'<div class="tile"><b>{value}</b><span>{name}</span></div>' for name, value in tiles.items()
    )


def _video(video: Path | None, page: Path) -> str:
    if video is None:
        return ""
    link = quote(Path(os.path.relpath(video.resolve(), page.resolve().parent)).as_posix())
    return (
        f'<section><h2>Video</h2><video controls loop muted playsinline src="{link}"></video>'
        f'<p class="soft" style="margin:10px 0 0"><a href="{link}">{escape(video.name)}</a></p></section>'
    )


def _expressions(recording: Recording, track: Track) -> str:
    if np.isnan(track.expression[:, -1]).all():
        return "<p>Expressions were not read.</p>"
    colors = {name: "#{:02x}{:02x}{:02x}".format(*COLORS[name]) for name in EXPRESSIONS}
    return expression_chart(track, colors) + legend(colors, recording.expressions)


def _latency(timings_ms: Mapping[str, FloatArray]) -> str:
    rows = [(stage, STAGES.get(stage, ""), values) for stage, values in timings_ms.items()]
    rows.append((TOTAL, "without the video", total_ms(timings_ms)))
    head = "".join(f'<th class="number">{name}</th>' for name in ("p50", "p95", "max"))
    body = []
    for stage, what, values in rows:
        p50, p95 = np.percentile(values, (50, 95))
        cells = "".join(f'<td class="number">{v:.2f}</td>' for v in (p50, p95, values.max()))
        kind = ' class="total"' if stage == TOTAL else ""
        body.append(f'<tr{kind}><th>{escape(stage)}</th><td class="soft">{escape(what)}</td>{cells}</tr>')
    return (
        f"<table><thead><tr><th>stage</th><th></th>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
    )


def _table(rows: Mapping[str, str]) -> str:
    cells = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows.items()
    )
    return f"<table><tbody>{cells}</tbody></table>"
