"""Stretches of talk for one person of a conversation, from real turn timings.

``turn_timings.csv.gz`` holds the turns of real dialogues (from BACKSpeech): start and end in seconds, speaker
and whether a turn is a short response. Only dialogues of two people are used.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from visavis.base.reading import regular
from visavis.base.words import reason
from visavis.errors import InputError

COLUMNS = ("dialogue", "start", "end", "speaker", "short_response")
# Smallest share of talk in a window; with less talk a listener has too little to react to.
LEAST_TALK = 0.6
# Longer silences of one person within a turn are gaps between turns.
LONGEST_PAUSE_S = 1.0
STEP_S = 5.0


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn, in seconds from the start of its window or dialogue."""

    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of a real dialogue in which one person does most of the talking.

    Attributes:
        dialogue: its name.
        start_s: within the dialogue.
        turns: of the person who talks, cut to the window, times from its start.
    """

    dialogue: str
    start_s: float
    turns: tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class Timings:
    """The turn timings for the simulation.

    Attributes:
        windows: all fitting windows.
        pauses_s: silences of one person within a turn, sorted.
        short_per_minute: short responses of one person per minute of the other's turns.
    """

    windows: tuple[Window, ...]
    pauses_s: tuple[float, ...]
    short_per_minute: float

    def __post_init__(self) -> None:
        if not self.windows or not self.pauses_s:
            raise InputError("the turn timings hold no window in which one of two people talks enough")


def read_timings(path: Path, window_s: float) -> Timings:
    """Find the windows, pauses and short responses of all dialogues of two.

    Raises:
        InputError: the file is not a table of turns, or has no fitting window.
    """
    dialogues: dict[str, list[tuple[str, Turn, bool]]] = {}
    try:
        with gzip.open(regular(path), "rt", encoding="utf-8", newline="") as table:
            for row in csv.DictReader(table):
                name, start, end, speaker, short = (row[column] for column in COLUMNS)
                turn = Turn(float(start), float(end))
                dialogues.setdefault(name, []).append((speaker, turn, short == "1"))
    except (OSError, EOFError, zlib.error, ValueError, KeyError) as error:
        raise InputError(f"{path}: no table of turns with {', '.join(COLUMNS)}: {reason(error)}") from error
    windows: list[Window] = []
    pauses: list[float] = []
    shorts, talk_s = 0, 0.0
    for name, turns in sorted(dialogues.items()):
        people = sorted({speaker for speaker, _, _ in turns})
        if len(people) != 2:
            continue
        for person in people:
            own = [turn for speaker, turn, short in turns if speaker == person and not short]
            windows += _windows(name, own, window_s)
            gaps = [b.start_s - a.end_s for a, b in pairwise(own)]
            pauses += [gap for gap in gaps if 0 < gap < LONGEST_PAUSE_S]
            talk_s += sum(turn.end_s - turn.start_s for turn in own)
        shorts += sum(short for _, _, short in turns)
    rate = shorts / max(talk_s, 1e-9) * 60
    return Timings(tuple(windows), tuple(sorted(pauses)), rate)


def _windows(dialogue: str, own: list[Turn], window_s: float) -> list[Window]:
    found: list[Window] = []
    last = max((turn.end_s for turn in own), default=0.0)
    for start in np.arange(0.0, last - window_s, STEP_S).tolist():
        cut = [
            Turn(max(turn.start_s - start, 0.0), min(turn.end_s - start, window_s))
            for turn in own
            if turn.end_s > start and turn.start_s < start + window_s
        ]
        if sum(turn.end_s - turn.start_s for turn in cut) >= LEAST_TALK * window_s:
            found.append(Window(dialogue, start, tuple(cut)))
    return found
