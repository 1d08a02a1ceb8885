"""Real parts: turns, utterances, faces, mouths and smiles are read and used unchanged."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from support import tiny_simulation as tiny
from visavis.base.files import write_json
from visavis.base.waveform import SPEECH_RATE_HZ
from visavis.channels import EXPRESSION_CHANNELS, FACE_CHANNELS, FACE_INDEX
from visavis.errors import InputError
from visavis.expression.action_units import action_units
from visavis.metrics.pairing import peak_r
from visavis.reaction.speech import speech_features
from visavis_train.data.track_pack import Clip
from visavis_train.simulation.coupling import SmileCoupling
from visavis_train.simulation.cues import Speaker
from visavis_train.simulation.expressions import expression_values, units_of
from visavis_train.simulation.eyes import LOOK_LISTENING, gaze_change, glances, lid_closing
from visavis_train.simulation.measure_smiles import coupling_json, measure_coupling, rises, training_calls
from visavis_train.simulation.mouth import Mouths, opening, string_together, wanted_opening
from visavis_train.simulation.own_face import own_face
from visavis_train.simulation.real_faces import MOUTH_AT, real_faces, relaxed, resample_clip
from visavis_train.simulation.seed_stream import SeedStream
from visavis_train.simulation.speaker import mood_of, smile_track, speaking, talk
from visavis_train.simulation.turns import Timings, Turn, read_timings
from visavis_train.simulation.utterances import GRID_SPEAKER, decode, trim
from visavis_train.simulation.voice import Said, Voice, speak


def smiles(seed: int, frames: int = 5400) -> np.ndarray:
    """A rise of .4 every 6 s or so."""
    rng = np.random.default_rng(seed)
    signal = np.zeros(frames)
    for start in np.cumsum(rng.integers(150, 210, 40)):
        signal[start : start + 60] += 0.4 * np.sin(np.pi * np.arange(60) / 60)[: max(frames - start, 0)]
    return signal


def test_rises_are_counted_once_each() -> None:
    signal = smiles(1)
    found = rises(signal)
    assert len(found) == int((np.diff((signal > 0.2).astype(int)) == 1).sum())
    assert {round(rise.height, 2) for rise in found} == {0.4}
    assert rises(np.linspace(0, 0.1, 50)) == []


def test_a_delayed_speaker_is_found_to_reply(tmp_path: Path) -> None:
    calls = [(signal, np.roll(signal, 24)) for signal in map(smiles, range(4))]
    found = measure_coupling(calls, 30.0)
    # Every smile of A is answered, and none of B's.
    assert found.reply_share == pytest.approx(0.5, abs=0.03)
    assert found.reply_share - found.reply_share_by_chance > 0.1
    assert found.reply_s.at(0.5) == pytest.approx(0.8, abs=0.07)
    assert found.reply_gain.at(0.5) == pytest.approx(1, abs=0.05)
    assert found.peak_r > 0.99
    assert found.peak_r_of_strangers < 0.6
    write_json(tmp_path / "s.json", coupling_json(found))
    assert SmileCoupling.load(tmp_path / "s.json") == found


@pytest.mark.shared
def test_the_measured_smiles_are_those_of_the_calls(shared: Path) -> None:
    calls, fps = training_calls(shared / "data" / "dyads" / "vc_dyads.npz")
    kept = SmileCoupling.load()
    assert len(calls) == kept.calls == 30
    peaks = [peak_r(*call, round(2 * fps)) for call in calls]
    assert np.mean(peaks) == pytest.approx(kept.peak_r, abs=1e-3)


def test_turns_of_two_give_windows_of_the_one_who_talks(tmp_path: Path) -> None:
    rows = ["dialogue,start,end,speaker,chars,overlap,short_response", "d,0,4,A,9,0,0", "d,4.5,9.5,A,9,0,0"]
    rows += ["d,9.6,10,B,2,0,1", "d,10.2,30,A,9,0,0", "d,30,32,B,2,0,0", "three,0,60,C,9,0,0"]
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress("\n".join(rows).encode()))
    timings = read_timings(path, 10.0)
    assert {window.dialogue for window in timings.windows} == {"d"}
    assert timings.windows[0].turns == (Turn(0.0, 4.0), Turn(4.5, 9.5))
    assert timings.pauses_s == pytest.approx((0.5, 0.7))
    assert timings.short_per_minute == pytest.approx(60 / (4 + 5 + 19.8 + 2))
    with pytest.raises(InputError, match="is a folder, not a file"):
        read_timings(tmp_path, 10.0)


@pytest.mark.shared
def test_real_turns_have_pauses_and_short_responses(shared: Path) -> None:
    timings = read_timings(shared / "data" / "speech" / "turn_timings.csv.gz", 30.0)
    assert len(timings.windows) > 1000
    assert 0.3 < timings.short_per_minute < 3


@pytest.mark.shared
def test_a_damaged_packet_costs_only_itself(shared: Path) -> None:
    name = "ravdess/03-01-04-01-01-01-04.flac"
    with tarfile.open(shared / "data" / "speech" / "ravdess_speech_16k.tar") as archive:
        file = archive.extractfile(name)
        assert file is not None
        samples = decode(io.BytesIO(file.read()), name)
    assert 1 < len(samples) / SPEECH_RATE_HZ < 4
    with pytest.raises(InputError, match="x: no readable sound"):
        decode(io.BytesIO(b"nothing"), "x")


def test_silence_around_an_utterance_is_cut() -> None:
    said = tiny.tone(1.0, 120)
    padded = np.concatenate([np.zeros(8000, np.float32), said, np.zeros(16000, np.float32)])
    assert len(trim(padded)) == pytest.approx(len(said) + 1600, abs=320)
    assert trim(padded)[0] == 0


def test_a_voice_follows_the_turns_and_never_overlaps() -> None:
    parts = tiny.parts()
    own = parts.utterances["ravdess_01"]
    voice = speak(own, parts.timings, 8.0, np.random.default_rng(0))
    assert len(voice.samples) == 8 * SPEECH_RATE_HZ
    assert voice.said[0].start_s == 0.4
    for one, other in zip(voice.said, voice.said[1:], strict=False):
        assert one.end_s <= other.start_s
    assert not any(5.9 > one.start_s > 5.2 for one in voice.said)
    loud = np.abs(voice.samples[: round(0.35 * SPEECH_RATE_HZ)]).max()
    assert loud < 0.01 < np.abs(voice.samples).max()


def test_turns_too_short_for_what_is_said_are_refused() -> None:
    parts = tiny.parts()
    window = parts.timings.windows[0]
    short = Timings((type(window)("d", 0.0, (Turn(0.0, 0.3),)),), (0.2,), 1.0)
    with pytest.raises(InputError, match="no real turn is long enough for an utterance of ravdess_01"):
        speak(parts.utterances["ravdess_01"], short, 8.0, np.random.default_rng(0))


def test_the_mouth_opens_with_the_sound_and_shuts_in_silence() -> None:
    mouths = Mouths.of((tiny.take("a", 1, 150), tiny.take("b", 2, 150)), np.random.default_rng(0))
    speech = (np.arange(200) % 100) < 60
    energy = (np.sin(np.arange(200) / 3) * speech).astype(np.float32)
    wanted = wanted_opening(energy, speech, mouths)
    face = string_together(wanted, mouths)
    assert np.corrcoef(opening(face), wanted)[0, 1] > 0.9
    assert np.abs(face[70:90]).max() < 0.05
    others = np.setdiff1d(np.arange(len(FACE_CHANNELS)), MOUTH_AT)
    assert not face[:, others].any()


def test_a_talker_moves_the_mouth_with_its_own_sound() -> None:
    parts = tiny.parts()
    voice = speak(parts.utterances["ravdess_01"], parts.timings, 8.0, np.random.default_rng(0))
    features = Speaker.of(
        speech_features(voice.samples, SPEECH_RATE_HZ)[:200], np.zeros((200, 58), np.float32)
    )
    face = talk(
        voice, features, tiny.faces("train"), tiny.habits(), SmileCoupling.load(), SeedStream((1,))
    ).face
    jaw = face[:, FACE_INDEX["jawOpen"]]
    loud = np.log(np.abs(voice.samples).reshape(200, -1).mean(axis=1) + 1e-4)
    assert np.corrcoef(jaw, loud)[0, 1] > 0.6
    talks = speaking(voice, 200)
    assert jaw[talks].mean() > 3 * jaw[~talks].mean()


def test_a_happy_utterance_smiles_and_a_sad_one_shows_it() -> None:
    parts = tiny.parts()
    happy, sad, _ = parts.utterances["ravdess_01"]
    window = parts.timings.windows[0]
    voice = Voice(np.zeros(1, np.float32), (Said(happy, 1.0), Said(sad, 5.0)), window)
    smile = np.mean(
        [smile_track(voice, 200, SmileCoupling.load(), SeedStream((s,))) for s in range(20)], axis=0
    )
    assert smile[35:50].mean() > smile[140:155].mean() + 0.2
    mood = mood_of(voice, 200, tiny.habits())[:, FACE_INDEX["browInnerUp"]]
    assert mood[:125].max() == 0
    assert mood[140:150].min() > 0.1


def test_grids_talker_has_the_very_face_that_said_it() -> None:
    parts = tiny.parts()
    voice = speak(parts.utterances[GRID_SPEAKER], parts.timings, 8.0, np.random.default_rng(1))
    takes = parts.faces["train"].own_sound
    talker = own_face(voice, takes, 200)
    one = voice.said[0]
    start = round(25 * one.start_s)
    np.testing.assert_array_equal(talker.face[start + 20 : start + 60], takes[one.utterance.name].face[20:60])
    # No jump where a sentence begins or ends: not more than within the sentences.
    steps = np.abs(np.diff(talker.face, axis=0)).max(axis=1)
    within = np.abs(np.diff(takes[one.utterance.name].face, axis=0)).max()
    assert steps.max() < 2.5 * within
    with pytest.raises(InputError, match="no track belongs to the sound"):
        own_face(voice, {}, 200)


def test_only_calm_stills_are_faces_at_rest() -> None:
    calm = np.full((1, 58), 0.05, np.float32)
    calm[:, -3:] = np.nan
    calm[0, FACE_INDEX["jawOpen"]] = 0.01
    smiling = calm.copy()
    smiling[0, FACE_INDEX["mouthSmileLeft"]] = 0.8
    nothing = np.full((1, 25), np.nan, np.float32)
    stills = [Clip(name, "stills", 1.0, face, nothing) for name, face in (("a", calm), ("b", smiling))]
    names, faces = relaxed(stills)
    assert names == ("a",)
    assert not faces[:, -3:].any()
    with pytest.raises(InputError, match="lacks videos, talking faces or relaxed single faces for val"):
        real_faces(stills, "val")


def test_a_sentence_without_a_face_is_left_out() -> None:
    calm, none = np.full((2, 58), 0.01, np.float32), np.full((2, 58), np.nan, np.float32)
    faces = {"lp_d12": calm, "grid_a": calm, "grid_b": none, "still_train_1": calm[:1]}
    sources = ("video", "grid", "grid", "stills")
    clips = [
        Clip(name, source, 25.0, face, np.full((len(face), 25), np.nan, np.float32))
        for (name, face), source in zip(faces.items(), sources, strict=True)
    ]
    assert list(real_faces(clips, "train").own_sound) == [f"{GRID_SPEAKER}_a"]


def test_a_take_is_at_25_frames_a_second() -> None:
    face = np.linspace(0, 1, 31, dtype=np.float32)[:, None] * np.ones(58, np.float32)
    found = resample_clip(Clip("v", "video", 30.0, face, np.full((31, 25), np.nan, np.float32)))
    assert found.face.shape == (26, 58)
    np.testing.assert_allclose(found.face[:, 0], np.arange(26) / 25, atol=1e-6)


def test_people_look_and_blink_as_often_as_published() -> None:
    share = np.full(25 * 600, LOOK_LISTENING, np.float32)
    direction, left = glances(share, SeedStream((1,)))
    assert (np.abs(direction[:, 0]) < 0.1).mean() == pytest.approx(LOOK_LISTENING, abs=0.06)
    assert len(left) == pytest.approx(600 / (2.95 / 0.75), rel=0.3)
    rates = [
        (np.diff((lid_closing(25 * 600, 20.0, SeedStream((s,))) > 0.25).astype(int)) == 1).sum()
        for s in range(8)
    ]
    assert np.mean(rates) / 10 == pytest.approx(20, rel=0.25)


def test_eyes_turn_to_the_side_that_they_are_told() -> None:
    right = gaze_change(np.asarray([[0.4, 0.0]], np.float32))[0]
    assert right[FACE_INDEX["eyeLookOutLeft"]] == right[FACE_INDEX["eyeLookInRight"]] == np.float32(0.4)
    assert right[FACE_INDEX["eyeLookInLeft"]] == np.float32(-0.4)


def test_action_units_are_those_of_the_runtime() -> None:
    faces = np.random.default_rng(0).uniform(0, 1, (9, 58)).astype(np.float32)
    each = np.stack([action_units(face[:52]) for face in faces])
    np.testing.assert_allclose(units_of(faces), each, atol=1e-6)


def test_expressions_are_read_against_the_face_at_rest() -> None:
    rest = np.zeros(58, np.float32)
    rest[FACE_INDEX["browInnerUp"]] = 0.5
    smile = rest.copy()
    smile[[FACE_INDEX["mouthSmileLeft"], FACE_INDEX["mouthSmileRight"]]] = 0.8
    expression = expression_values(np.stack([rest, smile]), rest)
    at = EXPRESSION_CHANNELS.index
    assert expression[0, at("neutral")] > 0.7
    assert expression[1, at("happy")] > 0.7
    assert expression[0, at("AU1")] > 0.4
    np.testing.assert_allclose(expression[:, -8:].sum(axis=1), 1, atol=1e-5)
