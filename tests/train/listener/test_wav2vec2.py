"""Wav2Vec2's features, with a tiny network of random weights."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from support import conversations, sounds, tiny_listening
from support.research import run_lab, run_visavis
from visavis.errors import MissingExtraError, WeightsError
from visavis.reaction.speech import SpeechFeatures
from visavis_train.data.conversation_pack import SPLITS, load_listening
from visavis_train.listener.wav2vec2 import Wav2Vec2Features

CHANNELS = 8


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("wav2vec2")
    config = transformers.Wav2Vec2Config(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        conv_dim=(CHANNELS,) * 7,
        num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
    )
    transformers.Wav2Vec2Model(config).save_pretrained(folder)
    return folder


def test_wav2vec2_stands_behind_the_interface(weights: Path) -> None:
    features: SpeechFeatures = Wav2Vec2Features(weights)
    assert (len(features.channels), features.causal, features.frame_rate_hz) == (CHANNELS, False, 25)
    for rate_hz, seconds in ((16_000, 1.0), (16_000, 0.05), (48_000, 0.5), (8_000, 0.41)):
        rows = features.features(sounds.talk(seconds, rate_hz), rate_hz)
        assert rows.shape == (int(np.ceil(seconds * 25)), CHANNELS)
        assert rows.std() > 0
    assert features.features(np.zeros(0), 16_000).shape == (0, CHANNELS)


def test_wav2vec2_rows_end_where_ours_do(weights: Path) -> None:
    """But for the scaling over the whole clip: so two clips of the same samples in another order past t."""
    features = Wav2Vec2Features(weights)
    sound = sounds.talk(1.0, 16_000)
    other = np.concatenate([sound[:8_000], sound[8_000:][::-1]])
    before, after = (features.features(clip, 16_000) for clip in (sound, other))
    changed = np.abs(before - after).max(axis=1)
    assert changed[:12].max() < 0.1 * changed[13:].max()
    scaled = features.features(2 * sound, 16_000)
    np.testing.assert_allclose(scaled, before, atol=1e-4)


def test_wav2vec2_is_not_causal_as_it_says(weights: Path) -> None:
    features = Wav2Vec2Features(weights)
    sound = sounds.talk(1.0, 16_000)
    louder = np.concatenate([sound[:8_000], 5 * sound[8_000:]])
    before, after = (features.features(clip, 16_000) for clip in (sound, louder))
    assert np.abs(before[:12] - after[:12]).max() > 1e-3


def test_missing_weights_say_what_to_do(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    with pytest.raises(WeightsError, match=r"no such folder; expected one with config\.json"):
        Wav2Vec2Features(tmp_path / "nowhere")
    with pytest.raises(WeightsError, match=r"no Wav2Vec2 weights here"):
        Wav2Vec2Features(tmp_path)


def test_without_transformers_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtraError, match=r"'speech'"):
        Wav2Vec2Features(tmp_path)


def test_a_listener_learns_from_wav2vec2(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From a corpus to bits a frame; the program does not run such a listener, and says so."""
    rows = [(f"NoXI/c{n}/Expert_video/1", f"NoXI/c{n}/Novice_video/1") for n in range(2)]
    for split in SPLITS:
        conversations.write_react(tmp_path / "corpus", rows, split, frames=30)
    packs = tmp_path / "packs"
    assert run_lab("conversations", tmp_path / "corpus", "--out", packs, "--wav2vec2", weights) == 0
    speech = load_listening(packs / "train.npz").items[0].speaker.speech
    assert speech is not None
    assert speech.shape == (30, CHANNELS)
    assert np.isfinite(speech[:2]).all()
    (tmp_path / "tiny").mkdir()
    toml = tiny_listening.write(tmp_path / "tiny")
    short = ["--set", f"data={packs}", "--set", "training.rounds=1", "--set", "training.round_steps=1"]
    assert run_visavis("train", toml, *short) == 0
    report = json.loads((toml.parent / "run/report.json").read_text())
    assert report["sound_channels"] == CHANNELS
    assert report["test_bits_per_frame"]["true_speaker"] > 0
    assert run_lab("predict", packs / "test.npz", "--out", tmp_path / "R.npz") == 2
    assert f"the packs hold {CHANNELS} numbers of sound a frame" in capsys.readouterr().err
