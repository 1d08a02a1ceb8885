"""An explanation of listeners' reactions: a JSON file, rows of a table and a figure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from html import escape
from types import MappingProxyType
from typing import Any

import numpy as np

from visavis.base.files import PathText, write_json
from visavis.drawing.svg import document, heading, line, text
from visavis.reaction.causes import BEFORE_S, BLOCK_S, CAUSE_BITS, FACE, NEITHER, SPEECH, Block, Explained
from visavis.reaction.clip import Reaction
from visavis.reaction.gestures import (
    BROWS,
    NOD,
    SMILE,
    Gesture,
    brows_of,
    find_gestures,
    lowered_of,
    smile_of,
)
from visavis.reaction.voice import SPEAKING
from visavis.types import FloatArray

# Maximum number of explained listeners.
MOST_EXPLAINED = 10
COLUMNS = (
    "listener",
    "from",
    "peak",
    "gesture",
    "raised by",
    "the speaker",
    "cause from",
    "face, bits",
    "speech, bits",
)
DOES = MappingProxyType({SMILE: "smiles", NOD: "nods", BROWS: "raises the brows"})
UNITS = MappingProxyType({SMILE: "weight", NOD: "rad", BROWS: "weight"})
# The figure stops at this time; a longer one would be unreadable.
LONGEST_DRAWN_S = 600.0
_STRIP_PX, _GAP_PX, _LEFT_PX, _TOP_PX = 46, 10, 150, 56
_PX_PER_S = (12.0, 40.0)
_USUAL_PX = 900
# Smallest range of a strip, so that a small smile does not look large.
_LEAST_SHOWN = MappingProxyType({SMILE: 0.5, NOD: 0.15, BROWS: 0.5})


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """The causes of the gestures of K listeners of one clip.

    Attributes:
        start_s: time of the first row.
        face, speech: (T, 58) and (T, 44) of the speaker, NaN where not known.
        reaction: the listeners' reactions.
        gestures: explained gestures of each listener.
        speaker: the speaker's own gestures.
    """

    start_s: float
    face: FloatArray
    speech: FloatArray
    reaction: Reaction
    gestures: tuple[tuple[Explained, ...], ...]
    speaker: tuple[Gesture, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "speaker", tuple(find_gestures(self.face)))

    def as_dict(self) -> dict[str, Any]:
        """The contents of the JSON file."""
        return {
            "fps": self.reaction.fps,
            "seed": self.reaction.seed,
            "listeners": len(self.gestures),
            "before_s": BEFORE_S,
            "block_s": BLOCK_S,
            "cause_bits": CAUSE_BITS,
            "gestures": [self._gesture(number, found) for number, found in self._all()],
        }

    def rows(self) -> list[tuple[str, ...]]:
        """The rows of a table with :data:`COLUMNS`: one for each gesture, with listeners numbered from 1."""
        rows: list[tuple[str, ...]] = []
        for number, found in self._all():
            cause = found.cause
            rows.append(
                (
                    str(number + 1),
                    f"{self.time_s(found.gesture.start):.1f} s",
                    f"{self.time_s(found.gesture.peak):.1f} s",  # The cause may begin between the two.
                    found.gesture.kind,
                    found.raised_by,
                    "" if cause is None else self.done(cause, found.raised_by),
                    "" if cause is None else f"{self.time_s(cause.start):.1f} s",
                    f"{found.face_bits:+z.1f}",
                    f"{found.speech_bits:+z.1f}",
                )
            )
        return rows

    def counts(self) -> dict[str, int]:
        """The numbers of gestures caused by the speaker's face, by the speech, and by neither."""
        raised = Counter(found.raised_by for _, found in self._all())
        return {kind: raised[kind] for kind in (FACE, SPEECH, NEITHER)}

    def done(self, block: Block, how: str) -> str:
        """A description of the speaker's face or speech in a block; empty if there is nothing to say."""
        if how == FACE:
            return self._shown(block)
        active = self.speech[block.start : block.end, SPEAKING]
        if np.isnan(active).all():
            return "is not heard"
        first, last = active[0] > 0.5, active[-1] > 0.5
        if first != last:
            return "begins to speak" if last else "falls silent"
        return "speaks" if np.nanmean(active) > 0.5 else "is silent"

    def _shown(self, block: Block) -> str:
        if np.isnan(self.face[block.start : block.end]).all():
            return "is not in view"
        doing = {DOES[g.kind] for g in self.speaker if g.start < block.end and g.peak >= block.start}
        return ", ".join(sorted(doing))

    def _all(self) -> Iterator[tuple[int, Explained]]:
        return ((number, found) for number, each in enumerate(self.gestures) for found in each)

    def time_s(self, frame: int) -> float:
        """The time of a frame of the reaction."""
        return self.start_s + frame / self.reaction.fps

    def _gesture(self, listener: int, found: Explained) -> dict[str, Any]:
        gesture, cause = found.gesture, found.cause
        return {
            "listener": listener,
            "kind": gesture.kind,
            **self._span(gesture.start, gesture.peak, "start_s", "peak_s"),
            "size": round(gesture.size, 4),
            "unit": UNITS[gesture.kind],
            "raised_by": found.raised_by,
            "cause": None
            if cause is None
            else {**self._block(cause), "speaker": self.done(cause, found.raised_by)},
            "face_bits": round(found.face_bits, 3),
            "speech_bits": round(found.speech_bits, 3),
            "together_bits": round(found.together_bits, 3),
            "blocks": [self._block(block) for block in found.blocks],
        }

    def _block(self, block: Block) -> dict[str, float]:
        bits = {name: round(value, 3) for name, value in asdict(block).items() if name.endswith("_bits")}
        return self._span(block.start, block.end, "start_s", "end_s") | bits

    def _span(self, first: int, last: int, *names: str) -> dict[str, float]:
        return {name: round(self.time_s(frame), 3) for name, frame in zip(names, (first, last), strict=True)}


def save_explanation(path: PathText, explanation: Explanation) -> None:
    """Write the JSON file; it appears complete or not at all.

    Raises:
        InputError: the file cannot be written.
    """
    write_json(path, explanation.as_dict())


def explanation_figure(explanation: Explanation) -> str:
    """Speaker and listeners over time as an SVG file, with a line from each gesture to its cause."""
    return _Figure(explanation).draw()


class _Figure:
    """Strips over one time axis: the speaker's speech and smile, and three strips for each listener."""

    def __init__(self, explanation: Explanation) -> None:
        self._told = explanation
        fps = explanation.reaction.fps
        self._frames = min(len(explanation.face), round(LONGEST_DRAWN_S * fps))
        length_s = self._frames / fps
        self._per_frame = min(max(_USUAL_PX / length_s, _PX_PER_S[0]), _PX_PER_S[1]) / fps
        self._parts: list[str] = []
        self._rows = 0

    def draw(self) -> str:
        told = self._told
        places = {SPEECH: self._strip("speaker: speech", told.speech[:, SPEAKING], 1.0)}
        places[FACE] = self._strip("speaker: smile", smile_of(told.face), _LEAST_SHOWN[SMILE])
        for number, (face, gestures) in enumerate(zip(told.reaction.face, told.gestures, strict=False)):
            who = f"listener {number + 1}"
            lowered = lowered_of(face) - np.median(lowered_of(face))
            tops = {
                SMILE: self._strip(f"{who}: smile", smile_of(face), _LEAST_SHOWN[SMILE]),
                NOD: self._strip(f"{who}: head down", lowered, _LEAST_SHOWN[NOD]),
                BROWS: self._strip(f"{who}: brows", brows_of(face), _LEAST_SHOWN[BROWS]),
            }
            for found in gestures:
                if found.gesture.peak < self._frames:
                    self._mark(found, tops[found.gesture.kind], places)
        self._axis()
        width = _LEFT_PX + self._frames * self._per_frame + 30
        height = _TOP_PX + self._rows * (_STRIP_PX + _GAP_PX) + 30
        return document(max(width, 620), height, self._parts, "What raised which gesture")

    def _strip(self, name: str, values: FloatArray, least: float) -> float:
        """Draw a strip with a line; returns the position of its top."""
        top = _TOP_PX + self._rows * (_STRIP_PX + _GAP_PX)
        self._rows += 1
        values = values[: self._frames]
        known = ~np.isnan(values)
        high = max(least, float(values[known].max(initial=0.0)))
        low = min(0.0, float(values[known].min(initial=0.0)))
        self._parts.append(
            f'<rect class="strip" x="{_LEFT_PX}" y="{top}" width="{self._frames * self._per_frame:.1f}" '
            f'height="{_STRIP_PX}"/>'
        )
        self._parts.append(text(_LEFT_PX - 10, top + _STRIP_PX / 2 + 4, name, "end", "ink"))
        edges = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]]).astype(np.int8)))
        for first, last in edges.reshape(-1, 2).tolist():
            points = " ".join(
                f"{self._across(frame):.1f},{top + _STRIP_PX * (high - values[frame]) / (high - low):.1f}"
                for frame in range(first, last)
            )
            self._parts.append(f'<polyline class="line" points="{points}" style="stroke-width: 1.3"/>')
        return top

    def _mark(self, found: Explained, top: float, places: dict[str, float]) -> None:
        """A dot at the start of a gesture, and a line to its cause."""
        told, gesture, cause = self._told, found.gesture, found.cause
        kind = {FACE: "area", NEITHER: "faint"}.get(found.raised_by, "dot")
        x, y = self._across(gesture.start), top + _STRIP_PX - 7
        start_s, peak_s = told.time_s(gesture.start), told.time_s(gesture.peak)
        words = f"{gesture.kind} from {start_s:.1f} s, peak at {peak_s:.1f} s"
        if cause is not None:
            source, left = places[found.raised_by], self._across(cause.start)
            width = self._across(cause.end) - left
            words += f", raised by {found.raised_by} ({told.done(cause, found.raised_by) or 'no gesture'})"
            self._parts.append(
                f'<rect class="{kind}" x="{left:.1f}" y="{source}" width="{width:.1f}" height="{_STRIP_PX}" '
                'fill-opacity="0.3"/>'
            )
            joint = line("line" if kind == "area" else "other", left + width / 2, source + _STRIP_PX, x, y)
            self._parts.append(joint.replace("/>", ' style="stroke-width: 1"/>'))
        words += f": face {found.face_bits:z.1f} bits, speech {found.speech_bits:z.1f} bits"
        self._parts.append(
            f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="5"><title>{escape(words)}</title></circle>'
        )

    def _axis(self) -> None:
        told, fps = self._told, self._told.reaction.fps
        self._parts.insert(
            0,
            heading("What raised which gesture: blue by the face, orange by speech, pale by neither"),
        )
        bottom = _TOP_PX + self._rows * (_STRIP_PX + _GAP_PX)
        step_s = 1 if self._frames / fps <= 40 else 5
        seconds = np.arange(np.ceil(told.start_s), told.start_s + self._frames / fps + 1e-9, step_s)
        for time_s in seconds.tolist():
            x = self._across((time_s - told.start_s) * fps)
            self._parts.append(text(x, bottom + 12, f"{time_s:g} s"))

    def _across(self, frame: float) -> float:
        return _LEFT_PX + frame * self._per_frame
