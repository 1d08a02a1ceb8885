"""Wav2Vec2's features and speech units, with a tiny network of random weights."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from support import sounds
from visavis.errors import InputError, MissingExtraError, WeightsError
from visavis.reaction.speech import LogMelFeatures, SpeechFeatures, speech_features
from visavis.types import FloatArray

pytest.importorskip("torch")
from visavis_train.listener.speech_units import SpeechUnits, UnitFeatures, Wav2Vec2Features

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
    with pytest.raises(WeightsError, match=r"no Wav2Vec2 weights here.*give its path"):
        Wav2Vec2Features(tmp_path)


def test_without_transformers_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtraError, match=r"'speech'"):
        Wav2Vec2Features()


def clusters() -> FloatArray:
    noise = np.random.default_rng(0).normal(0, 0.1, (200, 4))
    return (np.repeat(5 * np.eye(4), 50, axis=0) + noise).astype(np.float32)


def test_units_find_the_clusters() -> None:
    rows = clusters()
    units = SpeechUnits.fit(rows, 4, seed=1)
    codes = units.encode(rows).reshape(4, 50)
    assert (codes == codes[:, :1]).all()
    assert sorted(codes[:, 0]) == [0, 1, 2, 3]
    nearest = ((rows[:, None] - units.codebook) ** 2).sum(axis=2).argmin(axis=1)
    np.testing.assert_array_equal(units.encode(rows), nearest)
    np.testing.assert_array_equal(SpeechUnits.fit(rows, 4, seed=1).codebook, units.codebook)


def test_a_codebook_survives_the_disk(tmp_path: Path) -> None:
    units = SpeechUnits.fit(clusters(), 3)
    units.save(tmp_path / "units.safetensors")
    np.testing.assert_array_equal(SpeechUnits.load(tmp_path / "units.safetensors").codebook, units.codebook)
    (tmp_path / "bad.safetensors").write_bytes(b"nothing")
    for name in ("bad", "missing"):
        with pytest.raises(InputError, match="not a codebook"):
            SpeechUnits.load(tmp_path / f"{name}.safetensors")


def test_units_of_our_own_features_stay_causal() -> None:
    sound = sounds.talk(4.0, 16_000)
    units = SpeechUnits.fit(speech_features(sound, 16_000), 16)
    features: SpeechFeatures = UnitFeatures(LogMelFeatures(), units)
    rows = features.features(sound, 16_000)
    assert features.causal
    assert rows.shape == (100, len(features.channels))
    assert 4 < len(np.unique(rows, axis=0)) <= 16


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match="201 units of 200 rows"):
        SpeechUnits.fit(clusters(), 201)
    with pytest.raises(InputError, match="width 4 for 44 channels"):
        UnitFeatures(LogMelFeatures(), SpeechUnits(clusters()))
    with pytest.raises(InputError, match="shape"):
        SpeechUnits(clusters()).encode(np.zeros((3, 5)))
