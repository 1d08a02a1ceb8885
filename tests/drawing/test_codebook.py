"""The codebook of faces: counts of tokens, and drawings of their faces."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import typer

from support import tiny_tokenizer
from visavis.channels import EXPRESSION_CHANNELS, FACE_CHANNELS
from visavis.cli import app
from visavis.drawing.codebook import CodebookEntry, draw_sheet, most_used
from visavis.errors import InputError
from visavis.reaction.tokenizer import FaceTokenizer
from visavis.track import Track


def track_of(values: Sequence[float | None]) -> Track:
    """A track whose first channels have these values; None is no face."""
    face = np.full((len(values), len(FACE_CHANNELS)), 0.2, np.float32)
    for row, value in zip(face, values, strict=True):
        row[:2] = np.nan if value is None else value
    found = np.asarray([value is not None for value in values])
    face[~found] = np.nan
    expression = np.full((len(values), len(EXPRESSION_CHANNELS)), np.nan, np.float32)
    return Track(np.arange(len(values)) / 25, face, expression, found, 25.0)


@pytest.fixture(params=[1, 2])
def tokenizer(request: pytest.FixtureRequest, tmp_path: Path) -> FaceTokenizer:
    return FaceTokenizer.load(*tiny_tokenizer.write(tmp_path, depth=request.param))


def test_words_are_counted_over_all_tracks(tokenizer: FaceTokenizer) -> None:
    tracks = [track_of([0.05, 0.05, None, 0.99]), track_of([0.05, 0.5])]
    assert most_used(tokenizer, tracks, 2) == [
        CodebookEntry((0,) * tokenizer.depth, 3, 0.6),
        CodebookEntry((15,) * tokenizer.depth, 1, 0.2),
    ]
    with pytest.raises(InputError, match="the tracks show no face"):
        most_used(tokenizer, [track_of([None])], 2)


def test_every_word_is_drawn_in_a_cell_of_its_own(tokenizer: FaceTokenizer) -> None:
    words = [CodebookEntry((token,) * tokenizer.depth, 1, 0.1) for token in range(10)]
    sheet = draw_sheet(tokenizer, words, cell_px=48)
    assert sheet.shape == (2 * 48, 8 * 48, 3)
    cells = [sheet[48 * row :, 48 * column :][:48, :48] for row in range(2) for column in range(8)]
    inked = [len(np.unique(cell)) > 10 for cell in cells]
    assert inked == [True] * 10 + [False] * 6
    assert not np.array_equal(cells[0], cells[9])  # browDownLeft says other things.


def test_the_command_writes_the_sheet_and_says_what_is_on_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    encoder, decoder = tiny_tokenizer.write(tmp_path)
    track_of([0.05, 0.99, 0.99]).save(tmp_path / "t.npz")
    out = tmp_path / "tokens.png"
    files = ["--encoder", str(encoder), "--decoder", str(decoder)]
    words = ["codebook", str(tmp_path / "t.npz"), "--out", str(out)]
    app([*words, *files, "--json"], standalone_mode=False)
    told = json.loads(capsys.readouterr().out)
    assert told["vocabulary"] == [16]
    assert told["entries"] == [
        {"tokens": [15], "count": 2, "share": pytest.approx(2 / 3)},
        {"tokens": [0], "count": 1, "share": pytest.approx(1 / 3)},
    ]
    assert cv2.imread(str(out)).shape == (160, 320, 3)
    app([*words, *files], standalone_mode=False)
    assert "2 tokens, together 100% of the frames" in capsys.readouterr().out
    for wrong, message in (
        (tmp_path / "t.jpg", "ends in .png"),
        (tmp_path / "none" / "t.png", "make it first"),
    ):
        with pytest.raises(InputError, match=message):
            app(["codebook", "no.npz", "--out", str(wrong)], standalone_mode=False)
    with pytest.raises(InputError, match="go together"):
        app([*words, "--encoder", str(encoder)], standalone_mode=False)
    with pytest.raises(typer.BadParameter):
        app([*words, "--most", "0"], standalone_mode=False)
