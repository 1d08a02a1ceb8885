"""Sessions: each keeps the newest frame and survives bad ones."""

from __future__ import annotations

import asyncio
import gc
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support import scripted_server as scripted
from support import tiny_tokenizer
from support.pictures import jpeg
from visavis.base.clock import ManualClock
from visavis.expression.reader import ExpressionReader
from visavis.pipeline import Pipeline
from visavis.reaction.tokenizer import FaceTokenizer, Tokens
from visavis.serve.load import Load
from visavis.serve.messages import FaceTokensMessage, FrameMessage, SettingsMessage
from visavis.serve.protocol import RefusedError
from visavis.serve.sessions import Session
from visavis.serve.vocabulary import Vocabulary
from visavis.types import FloatArray


def answer(session: Session, message: FrameMessage) -> dict[str, Any]:
    """Pass one frame through the inbox and the pipeline."""
    session.inbox.offer(message)
    waiting = asyncio.run(session.inbox.take(Load(ManualClock())))
    return json.loads(session.process(waiting))


def test_the_newest_frame_wins_and_the_others_are_counted() -> None:
    session = Session(scripted.ScriptedPipeline(), ManualClock())
    for number in range(4):
        session.inbox.offer(FrameMessage(number, float(number), jpeg()))
    reply = answer(session, FrameMessage(9, 9.0, jpeg()))
    assert (reply["id"], reply["dropped"]) == (9, 4)
    assert session.pipeline.steps == 1


def test_waiting_and_decoding_are_timed() -> None:
    clock = ManualClock()
    session = Session(scripted.ScriptedPipeline(), clock)
    session.inbox.offer(FrameMessage(1, 1.0, jpeg()))
    clock.sleep_s(0.25)
    reply = json.loads(session.process(asyncio.run(session.inbox.take(Load(clock)))))
    assert reply["timings_ms"].keys() == {"wait", "decode", "face", "expression", "avatar"}
    assert reply["timings_ms"]["wait"] == pytest.approx(250)


def test_under_load_its_expressions_are_read_more_rarely() -> None:
    clock, reader = ManualClock(), ExpressionReader.default()
    session, load = Session(Pipeline(recognizer=reader), clock), Load(clock)
    for number, spacing in enumerate((4.0, 1.0)):
        load.spacing = spacing
        session.inbox.offer(FrameMessage(number, float(number), jpeg()))
        session.process(asyncio.run(session.inbox.take(load)))
        assert reader.spacing == spacing
    session.close()


def test_bad_frames_are_reported_and_the_session_goes_on() -> None:
    session = Session(scripted.ScriptedPipeline())
    good = jpeg()
    damaged = good.replace(b"\xff\xc0", b"\0\0", 1)  # without its start of frame
    bad = [
        FrameMessage(1, 1.0, b"no picture"),
        FrameMessage(2, 2.0, good[:-20]),
        FrameMessage(3, 3.0, damaged),
        FrameMessage(4, 4.0, jpeg(1, 1)),
    ]
    for number, message in enumerate(bad, start=1):
        reply = answer(session, message)
        assert (reply["type"], reply["code"], reply["id"]) == ("error", "bad_frame", message.id)
        assert f"({number} refused so far)" in reply["message"]
        assert "\n" not in reply["message"]
    assert answer(session, FrameMessage(5, 5.0, good))["type"] == "moment"
    assert session.refused == len(bad)


def test_times_must_increase() -> None:
    session = Session(scripted.ScriptedPipeline())
    assert answer(session, FrameMessage(1, 5.0, jpeg()))["type"] == "moment"
    for time_s in (5.0, 4.9):
        assert "times must increase" in answer(session, FrameMessage(2, time_s, jpeg()))["message"]
    assert answer(session, FrameMessage(3, 5.1, jpeg()))["type"] == "moment"
    assert session.pipeline.steps == 2


def test_with_reading_off_nothing_is_read() -> None:
    session = Session(scripted.ScriptedPipeline())
    assert answer(session, FrameMessage(1, 1.0, jpeg()))["expression"] is not None
    assert session.configure(SettingsMessage(False, False)) == SettingsMessage(False, False)
    assert answer(session, FrameMessage(2, 2.0, jpeg()))["expression"] is None
    assert session.pipeline.readings == 1
    assert session.pipeline.mirror is False


def test_a_server_without_a_reader_says_so() -> None:
    pipeline = scripted.ScriptedPipeline()
    pipeline.read_expressions = False
    assert Session(pipeline).configure(SettingsMessage(True, True)) == SettingsMessage(False, True)


def test_calibration_is_answered_once() -> None:
    session = Session(scripted.ScriptedPipeline())
    session.calibrate()
    assert answer(session, FrameMessage(1, 1.0, jpeg(level=0)))["calibrated"] is False
    session.calibrate()
    assert answer(session, FrameMessage(2, 2.0, jpeg()))["calibrated"] is True
    assert answer(session, FrameMessage(3, 3.0, jpeg()))["calibrated"] is None


class CountingTokenizer(FaceTokenizer):
    """Counts the faces that it is given."""

    encoded = 0

    def encode_windows(self, windows: FloatArray) -> Tokens:
        self.encoded += len(windows)
        return super().encode_windows(windows)


def test_tokens_are_told_while_they_are_asked_for_and_cost_nothing_else(tmp_path: Path) -> None:
    tokenizer = CountingTokenizer.load(*tiny_tokenizer.write(tmp_path, depth=2))
    session = Session(scripted.ScriptedPipeline(), vocabulary=Vocabulary(tokenizer))
    reply = answer(session, FrameMessage(1, 1.0, jpeg()))
    assert reply["face_token"] is None
    assert "face_token" not in reply["timings_ms"]
    assert tokenizer.encoded == 0

    assert session.show_tokens(FaceTokensMessage(True)) == FaceTokensMessage(True)
    reply = answer(session, FrameMessage(2, 1.5, jpeg()))
    truth = tokenizer.encode(scripted.state(1.5).values[None])[0]
    assert reply["face_token"]["tokens"] == truth.tolist()
    assert reply["timings_ms"]["face_token"] >= 0
    assert answer(session, FrameMessage(3, 2.0, jpeg(level=0)))["face_token"] is None

    before = tokenizer.encoded
    assert session.show_tokens(FaceTokensMessage(False)) == FaceTokensMessage(False)
    assert answer(session, FrameMessage(4, 3.0, jpeg()))["face_token"] is None
    assert tokenizer.encoded == before


def test_tokens_begin_anew_when_they_are_asked_for_again(tmp_path: Path) -> None:
    tokenizer = FaceTokenizer.load(*tiny_tokenizer.write(tmp_path, window=4))
    session = Session(scripted.ScriptedPipeline(), vocabulary=Vocabulary(tokenizer))

    def token(number: int) -> int:
        [token] = answer(session, FrameMessage(number, number / 3, jpeg()))["face_token"]["tokens"]
        return int(token)

    session.show_tokens(FaceTokensMessage(True))
    told = [token(number) for number in range(1, 6)]
    session.show_tokens(FaceTokensMessage(True))  # Asked for twice is asked for once.
    told.append(token(6))
    faces = np.stack([scripted.state(number / 3).values for number in range(1, 8)])
    assert told == tokenizer.encode(faces[:6]).tolist()
    session.show_tokens(FaceTokensMessage(False))
    session.show_tokens(FaceTokensMessage(True))
    alone, after = tokenizer.encode(faces[6:])[0], tokenizer.encode(faces)[6]
    assert token(7) == alone != after


def test_without_a_tokenizer_tokens_are_refused() -> None:
    session = Session(scripted.ScriptedPipeline())
    with pytest.raises(RefusedError, match=r"no face tokenizer.*--encoder") as caught:
        session.show_tokens(FaceTokensMessage(True))
    assert caught.value.code == "no_tokenizer"
    assert session.show_tokens(FaceTokensMessage(False)) == FaceTokensMessage(False)
    assert answer(session, FrameMessage(1, 1.0, jpeg()))["face_token"] is None


@pytest.mark.slow
def test_a_day_in_simulated_time_leaves_nothing_behind() -> None:
    """A frame every thirty seconds for 24 hours; the memory in use stays flat from the first hour on."""
    clock, picture = ManualClock(), jpeg()
    session, load = Session(scripted.ScriptedPipeline(), clock), Load(clock)
    session.memory.wanted = True
    held: list[int] = []
    for number in range(24 * 120):
        clock.sleep_s(30.0)
        session.inbox.offer(FrameMessage(number, clock.now_s(), picture))
        text = session.process(asyncio.run(session.inbox.take(load)))
        assert json.loads(text)["type"] == "moment"
        session.memory.token(session)
        if number % 120 == 119:
            gc.collect()
            held.append(len(gc.get_objects()))
    assert session.pipeline.steps == 24 * 120
    assert session.refused == 0
    assert max(held) - held[0] < 200
