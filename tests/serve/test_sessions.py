"""Sessions: each keeps the newest frame and survives bad ones, and their number is limited."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from support import tiny_tokenizer
from visavis.base.clock import ManualClock
from visavis.errors import InputError, WeightsError
from visavis.reaction.tokenizer import FaceTokenizer, Tokens
from visavis.serve.protocol import (
    Close,
    FrameMessage,
    HangupError,
    RefusedError,
    SettingsMessage,
    WordsMessage,
)
from visavis.serve.sessions import Session, SessionPool
from visavis.serve.vocabulary import Vocabulary
from visavis.types import FloatArray


def answer(session: Session, message: FrameMessage) -> dict[str, Any]:
    """Pass one frame through the inbox and the pipeline."""
    session.offer(message)
    waiting = asyncio.run(session.take())
    reply: dict[str, Any] = json.loads(session.process(waiting))
    return reply


def test_the_newest_frame_wins_and_the_others_are_counted(
    scripted: SimpleNamespace, jpeg: Callable[..., bytes]
) -> None:
    session = Session(scripted.ScriptedPipeline(), ManualClock())
    for number in range(4):
        session.offer(FrameMessage(number, float(number), jpeg()))
    reply = answer(session, FrameMessage(9, 9.0, jpeg()))
    assert (reply["id"], reply["dropped"]) == (9, 4)
    assert session.pipeline.steps == 1


def test_waiting_and_decoding_are_timed(scripted: SimpleNamespace, jpeg: Callable[..., bytes]) -> None:
    clock = ManualClock()
    session = Session(scripted.ScriptedPipeline(), clock)
    session.offer(FrameMessage(1, 1.0, jpeg()))
    clock.sleep_s(0.25)
    reply = json.loads(session.process(asyncio.run(session.take())))
    assert reply["timings_ms"].keys() == {"wait", "decode", "face", "emotion", "avatar"}
    assert reply["timings_ms"]["wait"] == pytest.approx(250)


def test_bad_frames_are_reported_and_the_session_goes_on(
    scripted: SimpleNamespace, jpeg: Callable[..., bytes]
) -> None:
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


def test_times_must_increase(scripted: SimpleNamespace, jpeg: Callable[..., bytes]) -> None:
    session = Session(scripted.ScriptedPipeline())
    assert answer(session, FrameMessage(1, 5.0, jpeg()))["type"] == "moment"
    for time_s in (5.0, 4.9):
        assert "times must increase" in answer(session, FrameMessage(2, time_s, jpeg()))["message"]
    assert answer(session, FrameMessage(3, 5.1, jpeg()))["type"] == "moment"
    assert session.pipeline.steps == 2


def test_with_reading_off_nothing_is_read(scripted: SimpleNamespace, jpeg: Callable[..., bytes]) -> None:
    session = Session(scripted.ScriptedPipeline())
    assert answer(session, FrameMessage(1, 1.0, jpeg()))["emotion"] is not None
    assert session.configure(SettingsMessage(False, False)) == SettingsMessage(False, False)
    assert answer(session, FrameMessage(2, 2.0, jpeg()))["emotion"] is None
    assert session.pipeline.readings == 1
    assert session.pipeline.mirror is False


def test_a_server_without_a_reader_says_so(scripted: SimpleNamespace) -> None:
    pipeline = scripted.ScriptedPipeline()
    pipeline.read_emotions = False
    assert Session(pipeline).configure(SettingsMessage(True, True)) == SettingsMessage(False, True)


def test_whether_tokens_are_dropped_is_asked_of_a_pipeline_once(
    scripted: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[object] = []
    monkeypatch.setattr(scripted.SparsePipeline, "close", lambda pipeline: closed.append(pipeline))
    pool = SessionPool(scripted.SparsePipeline, limit=1)
    assert [pool.drops_tokens, pool.drops_tokens] == [True, True]
    assert len(closed) == 1
    assert Session(scripted.SparsePipeline()).drops_tokens is True
    assert SessionPool(scripted.ScriptedPipeline, limit=1).drops_tokens is False
    assert Session(scripted.ScriptedPipeline()).drops_tokens is False


def test_calibration_is_answered_once(scripted: SimpleNamespace, jpeg: Callable[..., bytes]) -> None:
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


def test_words_are_told_while_they_are_asked_for_and_cost_nothing_else(
    tmp_path: Path, scripted: SimpleNamespace, jpeg: Callable[..., bytes]
) -> None:
    tokenizer = CountingTokenizer.load(*tiny_tokenizer.write(tmp_path, depth=2))
    session = Session(scripted.ScriptedPipeline(), vocabulary=Vocabulary(tokenizer))
    reply = answer(session, FrameMessage(1, 1.0, jpeg()))
    assert reply["word"] is None
    assert "word" not in reply["timings_ms"]
    assert tokenizer.encoded == 0

    assert session.tell_words(WordsMessage(True)) == WordsMessage(True)
    reply = answer(session, FrameMessage(2, 1.5, jpeg()))
    truth = tokenizer.encode(scripted.state(1.5).values[None])[0]
    assert reply["word"]["tokens"] == truth.tolist()
    assert reply["timings_ms"]["word"] >= 0
    assert answer(session, FrameMessage(3, 2.0, jpeg(level=0)))["word"] is None

    before = tokenizer.encoded
    assert session.tell_words(WordsMessage(False)) == WordsMessage(False)
    assert answer(session, FrameMessage(4, 3.0, jpeg()))["word"] is None
    assert tokenizer.encoded == before


def test_words_begin_anew_when_they_are_asked_for_again(
    tmp_path: Path, scripted: SimpleNamespace, jpeg: Callable[..., bytes]
) -> None:
    tokenizer = FaceTokenizer.load(*tiny_tokenizer.write(tmp_path, window=4))
    session = Session(scripted.ScriptedPipeline(), vocabulary=Vocabulary(tokenizer))

    def word(number: int) -> int:
        [token] = answer(session, FrameMessage(number, number / 3, jpeg()))["word"]["tokens"]
        return int(token)

    session.tell_words(WordsMessage(True))
    told = [word(number) for number in range(1, 6)]
    session.tell_words(WordsMessage(True))  # Asked for twice is asked for once.
    told.append(word(6))
    faces = np.stack([scripted.state(number / 3).values for number in range(1, 8)])
    assert told == tokenizer.encode(faces[:6]).tolist()
    session.tell_words(WordsMessage(False))
    session.tell_words(WordsMessage(True))
    alone, after = tokenizer.encode(faces[6:])[0], tokenizer.encode(faces)[6]
    assert word(7) == alone != after


def test_without_a_tokenizer_words_are_refused(scripted: SimpleNamespace, jpeg: Callable[..., bytes]) -> None:
    session = Session(scripted.ScriptedPipeline())
    with pytest.raises(RefusedError, match=r"no face tokenizer.*--encoder") as caught:
        session.tell_words(WordsMessage(True))
    assert caught.value.code == "no_tokenizer"
    assert session.tell_words(WordsMessage(False)) == WordsMessage(False)
    assert answer(session, FrameMessage(1, 1.0, jpeg()))["word"] is None


def test_the_pool_is_bounded_and_frees_its_places(scripted: SimpleNamespace) -> None:
    pool = SessionPool(scripted.ScriptedPipeline, limit=2)

    async def use() -> None:
        async with pool.session() as one, pool.session() as two:
            assert one.pipeline is not two.pipeline
            with pytest.raises(HangupError, match="all 2 sessions") as caught:
                async with pool.session():
                    pass
            assert caught.value.close is Close.FULL
        assert pool.active == 0
        async with pool.session():
            assert pool.active == 1

    asyncio.run(use())


def test_a_failing_pipeline_gives_its_place_back() -> None:
    def broken() -> Any:
        raise WeightsError("face.onnx is damaged")

    pool = SessionPool(broken, limit=1)

    async def use() -> None:
        for _ in range(3):
            with pytest.raises(WeightsError):
                async with pool.session():
                    pass

    asyncio.run(use())
    assert pool.active == 0


def test_a_draining_pool_refuses_and_waits(scripted: SimpleNamespace) -> None:
    pool = SessionPool(scripted.ScriptedPipeline, limit=2)

    async def use() -> None:
        async with pool.session():
            draining = asyncio.create_task(pool.drain(grace_s=5))
            await asyncio.sleep(0.05)
            assert not draining.done()
            with pytest.raises(HangupError) as caught:
                async with pool.session():
                    pass
            assert caught.value.close is Close.RESTARTING
        await asyncio.wait_for(draining, 1)

    asyncio.run(use())


def test_a_pool_needs_a_place() -> None:
    with pytest.raises(InputError, match="at least 1"):
        SessionPool(lambda: None, limit=0)  # type: ignore[arg-type,return-value]
