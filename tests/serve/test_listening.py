"""A session's ear: wishes count from the next frame, sound is bounded, and sessions are separate."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support import scripted_server as scripted
from support import tiny_listener
from support.pictures import jpeg
from support.tiny_listener import Echo
from visavis.base.clock import ManualClock
from visavis.reaction.listener import ListenerModel
from visavis.reaction.speech import SPEECH_CHANNELS
from visavis.reaction.style import Style
from visavis.serve.listening import FARTHEST_S, AudioInbox
from visavis.serve.load import Load
from visavis.serve.messages import FrameMessage, ListenMessage, SettingsMessage, SoundMessage
from visavis.serve.protocol import RefusedError
from visavis.serve.sessions import Session

RATE_HZ = 16_000
ON, OFF = ListenMessage(True, 3, None), ListenMessage(False, 3, None)
ENERGY = SPEECH_CHANNELS.index("energy")


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def networks(tmp_path: Path, echo: Echo) -> ListenerModel:
    return tiny_listener.listener(tmp_path, echo)


def sound(time_s: float, seconds: float = 0.04, level: float = 0.0) -> SoundMessage:
    noise = np.random.default_rng(0).normal(0, level, round(seconds * RATE_HZ)).clip(-1, 1)
    return SoundMessage(RATE_HZ, time_s, (32767 * noise).astype("<i2").tobytes())


def answer(session: Session, number: int, time_s: float, picture: bytes) -> dict[str, Any]:
    session.inbox.offer(FrameMessage(number, time_s, picture))
    return json.loads(session.process(asyncio.run(session.inbox.take(Load(ManualClock())))))


def play(session: Session, frames: range, level: float | None = None) -> list[dict[str, Any]]:
    replies = []
    for number in frames:
        if level is not None:
            session.hear(sound(number / 25, level=level))
        replies.append(answer(session, number, number / 25, jpeg()))
    return replies


def test_it_listens_and_mirrors_as_wished(networks: ListenerModel, echo: Echo) -> None:
    session = Session(scripted.ScriptedPipeline(), listener=networks)
    session.configure(SettingsMessage(False, True))
    assert play(session, range(1, 5))[-1]["hears"] is None
    assert session.ear.listen(ON) is ON
    assert play(session, range(5, 10))[-1]["hears"] is False
    assert len(echo.heard) == 4
    session.calibrate()
    assert answer(session, 10, 0.4, jpeg())["calibrated"] is False  # The avatar shows another's face.
    session.ear.listen(ListenMessage(False, 3, None))
    assert play(session, range(11, 14))[-1]["hears"] is None
    assert len(echo.heard) == 5


def test_sound_reaches_the_listener(networks: ListenerModel, echo: Echo) -> None:
    session = Session(scripted.ScriptedPipeline(), listener=networks)
    session.ear.listen(ON)
    play(session, range(1, 3))  # Sound before the first picture has no place; these are the first.
    play(session, range(3, 30), level=0.0)
    assert play(session, range(30, 60), level=0.2)[-1]["hears"] is True
    energy = np.asarray([heard.sound[0, 0, 0, ENERGY] for heard in echo.heard])
    assert np.nanargmax(np.diff(energy)) + 1 == pytest.approx(30, abs=2)


def test_the_style_changes_live_and_a_seed_makes_another_listener(
    networks: ListenerModel, echo: Echo
) -> None:
    session = Session(scripted.ScriptedPipeline(), listener=networks)
    session.ear.listen(ON)
    play(session, range(1, 8))
    first = session.pipeline.listener
    session.ear.listen(ListenMessage(True, 3, Style(nodding=1.0)))
    play(session, range(8, 12))
    assert session.pipeline.listener is first
    assert np.isnan(echo.heard[0].controls).all()
    assert echo.heard[-1].controls[0, 0, 1] == 1.0
    assert (echo.heard[-1].own >= 0).all()  # It went on from its own past,
    heard = len(echo.heard)
    session.ear.listen(ListenMessage(True, 4, None))
    play(session, range(12, 16))
    assert session.pipeline.listener is not first
    assert (echo.heard[heard].own == -1).all()  # and the new one has none.


def test_sessions_do_not_hear_each_other(networks: ListenerModel) -> None:
    one, two = (Session(scripted.ScriptedPipeline(), listener=networks) for _ in range(2))
    one.ear.listen(ON)
    two.ear.listen(ON)
    play(one, range(1, 3))
    play(two, range(1, 3))
    assert play(one, range(3, 20), level=0.2)[-1]["hears"] is True
    assert play(two, range(3, 20))[-1]["hears"] is False


def test_frames_that_cannot_be_used_bring_no_sound(networks: ListenerModel) -> None:
    session = Session(scripted.ScriptedPipeline(), listener=networks)
    session.ear.listen(ON)
    play(session, range(1, 5))
    heard = []
    session.pipeline.hear = heard.append
    assert answer(session, 5, 1000.0, b"no JPEG")["code"] == "bad_frame"
    with pytest.raises(RefusedError, match=r"beside a picture of 0\.16 s"):
        session.hear(sound(1000.0))
    session.hear(sound(0.2))
    assert answer(session, 6, 0.2, b"no JPEG")["code"] == "bad_frame"
    assert not heard
    answer(session, 7, 0.2, jpeg())
    assert [chunk.time_s for chunk in heard] == [0.2]


def test_without_networks_listening_is_refused() -> None:
    session = Session(scripted.ScriptedPipeline())
    with pytest.raises(RefusedError, match="brings no listener: start the server with --listener") as caught:
        session.ear.listen(ON)
    assert caught.value.code == "no_listener"
    assert "needed only where its tokenizer is none of the package's" in str(caught.value)
    assert session.ear.listen(ListenMessage(False, 0, None)).on is False
    session.hear(sound(0.0))


def test_sound_that_comes_while_mirroring_is_dropped(networks: ListenerModel, echo: Echo) -> None:
    ear, pipeline = AudioInbox(networks, ManualClock()), scripted.ScriptedPipeline()
    heard = []
    pipeline.hear = heard.append
    for wish, time_s in ((OFF, 0.0), (ON, 0.1), (OFF, 0.2), (ON, 0.3)):
        ear.listen(wish)
        ear.hear(sound(time_s), time_s)
        ear.hear(sound(1e6), None)  # Before the first picture, too.
        ear.apply_to(pipeline)
    assert [chunk.time_s for chunk in heard] == [0.1, 0.3]
    ear.listen(OFF)
    for _ in range(1000):
        ear.hear(sound(0.0, 0.5), 0.0)  # What is dropped costs nothing, and is no error.


def test_sound_far_from_the_pictures_is_refused(networks: ListenerModel) -> None:
    ear = AudioInbox(networks, ManualClock())
    ear.listen(ON)
    ear.hear(sound(1e6), None)  # Before the first picture nobody knows.
    for time_s in (100 - FARTHEST_S - 0.1, 100 + FARTHEST_S + 0.1):
        with pytest.raises(RefusedError, match=r"beside a picture of 100\.00 s") as caught:
            ear.hear(sound(time_s), 100.0)
        assert caught.value.code == "bad_sound"
    ear.hear(sound(100 + FARTHEST_S - 0.1), 100.0)


def test_sound_comes_at_the_pace_of_time(networks: ListenerModel) -> None:
    clock = ManualClock()
    ear = AudioInbox(networks, clock)
    ear.listen(ON)

    def accepted(seconds: float, count: int) -> int:
        taken = 0
        for _ in range(count):
            with suppress(RefusedError):
                ear.hear(sound(0.0, seconds), 0.0)
                taken += 1
        return taken

    assert accepted(0.5, 30) == 10  # What waited in a network may come at once,
    clock.sleep_s(4)
    assert accepted(0.5, 30) == 10  # the rest a little faster than time,
    with pytest.raises(RefusedError, match="faster than time passes") as caught:
        ear.hear(sound(0.0, 0.5), 0.0)
    assert caught.value.code == "too_much_sound"
    clock.sleep_s(1000)
    assert accepted(1 / RATE_HZ, 3000) == 1000  # and single samples are no way round.


def test_sound_that_nobody_fetches_does_not_pile_up(networks: ListenerModel, echo: Echo) -> None:
    clock = ManualClock()
    ear, pipeline = AudioInbox(networks, clock), scripted.ScriptedPipeline()
    ear.listen(ON)
    ear.apply_to(pipeline)
    heard = []
    pipeline.hear = heard.append
    for k in range(1000):
        ear.hear(sound(k / 10, 0.1), k / 10)
        clock.sleep_s(0.1)
    ear.apply_to(pipeline)
    assert sum(len(chunk.samples) for chunk in heard) <= 5.2 * RATE_HZ
    assert heard[-1].time_s == pytest.approx(99.9)
