"""The causes of gestures, in words, as JSON and as a figure."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from support.svg import SVG, read_svg
from visavis.channels import FACE_INDEX
from visavis.drawing.explanation import COLUMNS, Explanation, explanation_figure, save_explanation
from visavis.reaction.causes import FACE, SPEECH, Block, Explained
from visavis.reaction.clip import Reaction
from visavis.reaction.gestures import NOD, SMILE, Gesture
from visavis.reaction.speech import SPEECH_CHANNELS

FRAMES = 100
EARLY, LATE = Block(10, 20, 0.25, -0.5), Block(20, 30, 4.0, 3.0)
SMILES = Explained(Gesture(SMILE, 28, 32, 0.4), 4.5, 2.0, 5.0, (EARLY, LATE))
NODS = Explained(Gesture(NOD, 60, 66, 0.08), 0.5, 2.0, 2.5, (EARLY, LATE))
BY_ITSELF = Explained(Gesture(NOD, 80, 86, 0.08), 0.5, -0.01, 0.5, (EARLY, LATE))


def told(start_s: float = 2.0) -> Explanation:
    """The speaker smiles in the late block, and stops speaking in its middle."""
    face = np.full((FRAMES, 58), 0.1, np.float32)
    face[22:40, [FACE_INDEX["mouthSmileLeft"], FACE_INDEX["mouthSmileRight"]]] = 0.7
    speech = np.zeros((FRAMES, len(SPEECH_CHANNELS)), np.float32)
    speech[:25, SPEECH_CHANNELS.index("speech")] = 1
    reaction = Reaction(np.full((2, FRAMES, 58), 0.1), np.zeros((2, FRAMES, 25)), 25.0, 7)
    return Explanation(start_s, face, speech, reaction, ((SMILES, NODS), (BY_ITSELF,)))


def test_the_file_holds_what_was_found(tmp_path: Path) -> None:
    save_explanation(tmp_path / "why.json", told())
    found = json.loads((tmp_path / "why.json").read_text())
    smile, nod, alone = found.pop("gestures")
    assert found == {
        "fps": 25.0,
        "seed": 7,
        "listeners": 2,
        "before_s": 2.0,
        "block_s": 0.4,
        "cause_bits": 1.0,
    }
    late = {"start_s": 2.8, "end_s": 3.2, "face_bits": 4.0, "speech_bits": 3.0}
    assert smile == {
        "listener": 0,
        "kind": "smile",
        "start_s": 3.12,
        "peak_s": 3.28,
        "size": 0.4,
        "unit": "weight",
        "raised_by": "face",
        "cause": {**late, "speaker": "smiles"},
        "face_bits": 4.5,
        "speech_bits": 2.0,
        "together_bits": 5.0,
        "blocks": [{"start_s": 2.4, "end_s": 2.8, "face_bits": 0.25, "speech_bits": -0.5}, late],
    }
    assert (nod["raised_by"], nod["cause"]["speaker"], nod["unit"]) == ("speech", "falls silent", "rad")
    assert (alone["listener"], alone["raised_by"], alone["cause"]) == (1, "neither", None)


def test_the_table_has_a_row_for_each_gesture() -> None:
    rows = told().rows()
    assert all(len(row) == len(COLUMNS) for row in rows)
    assert rows[0] == ("1", "3.1 s", "3.3 s", "smile", "face", "smiles", "2.8 s", "+4.5", "+2.0")
    assert rows[2] == ("2", "5.2 s", "5.4 s", "nod", "neither", "", "", "+0.5", "+0.0")
    assert told().counts() == {"face": 1, "speech": 1, "neither": 1}


@pytest.mark.parametrize(
    ("how", "block", "words"),
    [
        (SPEECH, Block(10, 20, 0, 0), "speaks"),
        (SPEECH, Block(20, 30, 0, 0), "falls silent"),
        (SPEECH, Block(40, 50, 0, 0), "is silent"),
        (SPEECH, Block(60, 70, 0, 0), "begins to speak"),
        (SPEECH, Block(90, 100, 0, 0), "is not heard"),
        (FACE, Block(20, 30, 0, 0), "smiles"),
        (FACE, Block(50, 60, 0, 0), ""),
        (FACE, Block(90, 100, 0, 0), "is not in view"),
    ],
)
def test_what_the_speaker_did_is_put_in_words(how: str, block: Block, words: str) -> None:
    case = told()
    case.speech[65:70, SPEECH_CHANNELS.index("speech")] = 1
    case.speech[90:] = np.nan
    case.face[90:] = np.nan
    assert case.done(block, how) == words


def test_the_speakers_gestures_are_looked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    explanation = told()
    monkeypatch.delattr("visavis.drawing.explanation.find_gestures")
    assert explanation.done(LATE, FACE) == "smiles"


def test_the_figure_joins_each_gesture_to_its_cause() -> None:
    case = told()
    case.speech[90:] = np.nan
    root = read_svg(explanation_figure(case))
    names = [element.text for element in root.iter(f"{SVG}text")]
    assert {"speaker: speech", "speaker: smile", "listener 1: smile", "listener 2: head down"} <= set(names)
    titles = [element.text or "" for element in root.iter(f"{SVG}title")]
    assert len(titles) == len(list(root.iter(f"{SVG}circle"))) == 3
    assert titles[0].startswith("smile from 3.1 s, peak at 3.3 s, raised by face (smiles): face 4.5 bits")
    assert titles[2].endswith(": face 0.5 bits, speech 0.0 bits")
    strips = [r for r in root.iter(f"{SVG}rect") if r.get("class") == "strip"]
    causes = [r for r in root.iter(f"{SVG}rect") if r.get("fill-opacity")]
    assert len(strips) == 2 + 2 * 3
    assert [(r.get("class"), r.get("y")) for r in causes] == [
        ("area", strips[1].get("y")),
        ("dot", strips[0].get("y")),
    ]
    assert causes[0].get("x") == causes[1].get("x")
    # The gap in the sound is a gap in the line.
    speech = next(root.iter(f"{SVG}polyline")).get("points") or ""
    assert len(speech.split()) == 90


def test_a_long_clip_is_drawn_up_to_a_length() -> None:
    frames = 25 * 700
    reaction = Reaction(np.full((1, frames, 58), 0.1), np.zeros((1, frames, 25)), 25.0, 0)
    late = Explained(Gesture(SMILE, frames - 20, frames - 10, 0.4), 4.5, 2.0, 5.0, (LATE,))
    speech = np.full((frames, len(SPEECH_CHANNELS)), np.nan, np.float32)
    case = Explanation(0.0, np.full((frames, 58), np.nan, np.float32), speech, reaction, ((SMILES, late),))
    root = read_svg(explanation_figure(case))
    assert float(root.get("width") or 0) < 8000
    assert len(list(root.iter(f"{SVG}circle"))) == 1
