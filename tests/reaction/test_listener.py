"""Listeners of faces: independent samples, a stream equal to a clip, patches at the right time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from support import tiny_listener, tiny_tokenizer
from support.tiny_listener import Echo
from visavis.errors import InputError, WeightsError
from visavis.reaction.cues import HEARD_CHANNELS, CuedSpeech
from visavis.reaction.listener import ListenerModel
from visavis.reaction.neutral_face import RunningNeutralFace
from visavis.reaction.sampling import Sampling
from visavis.reaction.speech import SPEECH_CHANNELS
from visavis.reaction.style import CONTROLS, Style
from visavis.types import FloatArray

SILENCE = np.full(len(SPEECH_CHANNELS), np.nan, np.float32)


def faces(count: int, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).random((count, 58)).astype(np.float32)


def test_it_hears_the_frame_that_it_reacts_to(tmp_path: Path) -> None:
    listener = tiny_listener.listener(tmp_path)
    face = faces(9)
    np.testing.assert_array_equal(listener.react(face)[0], listener.tokenizer.encode(face))


def test_a_speaker_is_seen_against_what_is_usual_for_them(tmp_path: Path) -> None:
    rest = np.full(58, 0.5)
    encoder, decoder = tiny_tokenizer.write(tmp_path, changes={"rest": rest.tolist()})
    listener = tiny_listener.of_tokenizer(encoder, decoder)
    face = faces(30)
    tokens = listener.react(face)
    person = RunningNeutralFace(rest)
    seen = np.stack([person.moved(frame) for frame in face])
    np.testing.assert_array_equal(tokens[0], listener.tokenizer.encode(seen))
    assert (tokens[0] != listener.tokenizer.encode(face)).any()

    stream = listener.start()
    first = [stream.step(frame, SILENCE) for frame in face]
    stream.reset()
    np.testing.assert_array_equal(first, [stream.step(frame, SILENCE) for frame in face])


def test_no_face_and_no_sound_are_told_from_others(tmp_path: Path) -> None:
    face, speech = faces(4), np.zeros((4, len(SPEECH_CHANNELS)), np.float32)
    face[1] = np.nan
    speech[2, SPEECH_CHANNELS.index("speech")] = 1.0
    assert tiny_listener.listener(tmp_path).react(face, speech)[0, 1:3].tolist() == [1, 14]


def test_a_sample_is_the_same_whatever_the_others(tmp_path: Path) -> None:
    listener = tiny_listener.listener(tmp_path, Echo(even=True))
    three, two = (listener.react(faces(40), samples=count, seed=7) for count in (3, 2))
    np.testing.assert_array_equal(three[:2], two)
    assert len({tuple(row) for row in three}) == 3
    assert (listener.react(faces(40), samples=2, seed=8) != two).any()


def test_a_reset_stream_is_as_new(tmp_path: Path) -> None:
    stream = tiny_listener.listener(tmp_path, Echo(even=True)).start(seed=3, samples=2)
    face = faces(10)
    first = [stream.step(row, SILENCE) for row in face]
    stream.reset()
    np.testing.assert_array_equal(first, [stream.step(row, SILENCE) for row in face])


def test_its_own_past_is_what_it_did(tmp_path: Path) -> None:
    echo = Echo(even=True)
    tokens = tiny_listener.listener(tmp_path, echo).react(faces(5), samples=2)
    assert (echo.heard[0].own == -1).all()
    for frame in range(1, 5):
        np.testing.assert_array_equal(echo.heard[frame].own[:, 0, 0], tokens[:, frame - 1])


def test_a_patch_is_predicted_at_its_first_frame(tmp_path: Path) -> None:
    echo = Echo(patch=4)
    listener = tiny_listener.listener(tmp_path, echo)
    face = faces(10)
    tokens = listener.tokenizer.encode(face)
    listener.react(face)
    assert len(echo.heard) == 3
    assert echo.heard[0].speaker[0, 0].tolist() == [-1, -1, -1, tokens[0]]
    np.testing.assert_array_equal(echo.heard[1].speaker[0, 0], tokens[1:5])


def test_the_style_reaches_the_network_and_may_change(tmp_path: Path) -> None:
    echo = Echo()
    stream = tiny_listener.listener(tmp_path, echo).start()
    stream.step(faces(1)[0], SILENCE)
    stream.style = Style(nodding=1.0, gaze=0.0)
    stream.step(faces(1)[0], SILENCE)
    assert np.isnan(echo.heard[0].controls).all()
    told = dict(zip(CONTROLS, echo.heard[1].controls[0, 0].tolist(), strict=True))
    assert told == dict.fromkeys(CONTROLS, 0.5) | {"nodding": 1.0, "gaze": 0.0}


def test_networks_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    echo = Echo()
    echo.notes = {"tokenizer": "another"}
    with pytest.raises(WeightsError, match="one of faces at 25 Hz trained with another"):
        tiny_listener.listener(tmp_path, echo)
    deaf = Echo()
    deaf.sound_channels = 3
    with pytest.raises(WeightsError, match="hears 3 numbers a frame"):
        tiny_listener.listener(tmp_path, deaf)


def test_bad_input_is_named(tmp_path: Path) -> None:
    listener = tiny_listener.listener(tmp_path)
    with pytest.raises(InputError, match=r"faces has shape \(4, 52\)"):
        listener.react(np.zeros((4, 52)))
    with pytest.raises(InputError, match=r"speech has shape \(3, 44\); expected \(4, 44\)"):
        listener.react(np.zeros((4, 58)), np.zeros((3, 44)))
    with pytest.raises(InputError, match="samples must be 1 or more; found 0"):
        listener.start(samples=0)
    with pytest.raises(InputError, match="gaze is a share, 0 to 1; found 2"):
        Style(gaze=2)


def test_an_empty_clip_has_no_reaction(tmp_path: Path) -> None:
    assert tiny_listener.listener(tmp_path).react(np.zeros((0, 58)), samples=3).shape == (3, 0)


def test_without_weights_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("visavis.base.networks._OPENED", {})
    monkeypatch.setattr("visavis.base.networks.manifest", dict)
    with pytest.raises(WeightsError, match="brings no listener: train one"):
        ListenerModel.default()


def test_guidance_takes_more_of_what_the_speaker_changes(tmp_path: Path) -> None:
    deaf, guided = (
        ListenerModel(
            Echo(surely=1.0), tiny_listener.listener(tmp_path).tokenizer, Sampling(guidance=guidance)
        )
        for guidance in (0.0, 8.0)
    )
    face = faces(200)
    shown = guided.tokenizer.encode(face)
    assert np.mean(guided.react(face)[0] == shown) > 0.9
    # Token 1 is what it shows alone.
    assert np.mean(deaf.react(face)[0] == 1) > np.mean(deaf.react(face)[0] == shown)


def test_a_guided_sample_is_the_same_whatever_the_others(tmp_path: Path) -> None:
    tokenizer = tiny_listener.listener(tmp_path).tokenizer
    listener = ListenerModel(Echo(surely=1.0), tokenizer, Sampling(guidance=2.0))
    three, two = (listener.react(faces(40), samples=count, seed=7) for count in (3, 2))
    np.testing.assert_array_equal(three[:2], two)
    assert (three[0] != three[2]).any()


def test_settings_of_drawing_are_changed_one_by_one(tmp_path: Path) -> None:
    listener = tiny_listener.listener(tmp_path)
    changed = listener.with_sampling(top_k=3, temperature=0.5)
    assert changed.sampling == replace(listener.sampling, top_k=3, temperature=0.5)
    with pytest.raises(InputError, match="guidance must be 0 or more; found -1"):
        listener.with_sampling(guidance=-1.0)


def test_it_hears_cues_beside_the_speech(tmp_path: Path) -> None:
    echo = Echo()
    listener = tiny_listener.listener(tmp_path, echo)
    speech = np.zeros((50, len(SPEECH_CHANNELS)), np.float32)
    speech[:30, SPEECH_CHANNELS.index("speech")] = 1.0
    listener.react(faces(50), speech)
    heard = np.stack([each.sound[0, 0, 0] for each in echo.heard])
    np.testing.assert_array_equal(heard, CuedSpeech().updated(speech))
    assert heard[34, HEARD_CHANNELS.index("pause0")] == 1
