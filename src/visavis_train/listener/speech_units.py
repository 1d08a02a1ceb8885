"""Features of Wav2Vec2's convolutions at 25 Hz, and speech units (K typical sounds).

For research only. Their interface is :class:`visavis.reaction.speech.SpeechFeatures`. Wav2Vec2's features
use the whole clip, twice: its input is scaled to the clip's mean and variance, and its first layer's group
norm does the same to each channel. So they are marked ``causal = False`` and cannot run live.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from vector_quantize_pytorch import VectorQuantize

from visavis.base.arrays import checked
from visavis.base.files import whole_file
from visavis.errors import InputError, MissingExtraError, WeightsError
from visavis.reaction.speech import FRAME_RATE_HZ, SPEECH_RATE_HZ, SpeechFeatures, speech_samples
from visavis.types import FloatArray

WAV2VEC2 = "facebook/wav2vec2-base-960h"
# Wav2Vec2 gives two rows for each of ours.
_POOL = 2
_HOP = SPEECH_RATE_HZ // FRAME_RATE_HZ // _POOL


class Wav2Vec2Features:
    """The convolutional part of Wav2Vec2 (Baevski et al. 2020, arXiv:2006.11477), pairs of rows max-pooled.

    Row ``i`` ends at ``(i + 1) / 25`` s, as in our features; see the class of its interface.

    Args:
        weights: a folder with ``config.json`` and ``model.safetensors``, or a name at Hugging Face, which is
            fetched once and kept in its cache.

    Raises:
        MissingExtraError: transformers is not installed.
        WeightsError: the weights cannot be found, fetched or read.
    """

    causal = False
    frame_rate_hz = FRAME_RATE_HZ

    def __init__(self, weights: str | Path = WAV2VEC2) -> None:
        network = _network(weights)
        self._convolutions = network.feature_extractor.eval()
        kernels, strides = network.config.conv_kernel, network.config.conv_stride
        hop, self._reach = 1, 1
        for kernel, stride in zip(kernels, strides, strict=True):
            self._reach += (kernel - 1) * hop
            hop *= stride
        if hop != _HOP:
            raise WeightsError(
                f"{weights}: a row each {hop} samples; expected {_HOP}, as of Wav2Vec2 at 50 Hz"
            )
        self.channels = tuple(f"wav{index:03d}" for index in range(network.config.conv_dim[-1]))

    def features(self, samples: ArrayLike, sample_rate_hz: int) -> FloatArray:
        """(T, 512) of a clip of 8 to 192 kHz, (N,) or (N, channels).

        Raises:
            InputError: the samples have another shape or rate.
        """
        sound = speech_samples(samples, sample_rate_hz)
        if not len(sound):
            return np.zeros((0, len(self.channels)), np.float32)
        # Same as the model's own preprocessing: Wav2Vec2FeatureExtractor, zero_mean_unit_var_norm.
        scaled = (sound - sound.mean()) / np.sqrt(sound.var() + 1e-7)
        # Silence before the clip aligns the end of the first row with its frame.
        padded = np.pad(scaled, (self._reach - _HOP, 0))
        with torch.inference_mode():
            rows = self._convolutions(torch.from_numpy(padded)[None])[0]
        pooled = torch.nn.functional.max_pool1d(rows, _POOL).T
        return checked("Wav2Vec2's features", pooled.numpy(), (None, len(self.channels)))


def _network(weights: str | Path) -> Any:
    try:
        from transformers import Wav2Vec2Model
    except ImportError as error:
        raise MissingExtraError("transformers", "speech", "Wav2Vec2") from error
    if isinstance(weights, Path) and not weights.is_dir():
        raise WeightsError(f"{weights}: no such folder; expected one with config.json and model.safetensors")
    try:
        return Wav2Vec2Model.from_pretrained(str(weights), use_safetensors=True)
    except (OSError, ValueError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0]
        raise WeightsError(
            f"{weights}: no Wav2Vec2 weights here, nor could they be fetched ({reason}); expected a folder "
            "with config.json and model.safetensors: download one where there is a network, and give its path"
        ) from error


class SpeechUnits:
    """A codebook of typical sounds, by k-means over features: discrete units as in VQ-Wav2Vec.

    vq-wav2vec (Baevski et al. 2020, arXiv:1910.05453) learns its codebook with the network; HuBERT (Hsu et
    al. 2021, arXiv:2106.07447) showed that k-means over features is enough.

    Args:
        codebook: (K, D).

    Raises:
        InputError: the shape is wrong, or numbers are not finite.
    """

    def __init__(self, codebook: ArrayLike) -> None:
        self.codebook = checked("a codebook", codebook, (None, None))

    @classmethod
    def fit(cls, features: ArrayLike, size: int, *, seed: int = 0, rounds: int = 50) -> Self:
        """Find typical sounds by k-means.

        Args:
            features: (N, D) rows of one kind of features.
            size: K, the units.
            seed: seed of the first guess.
            rounds: rounds of k-means.

        Raises:
            InputError: the shape is wrong, numbers are not finite, or there are fewer rows than units.
        """
        rows = checked("features", features, (None, None))
        if not 1 <= size <= len(rows):
            raise InputError(
                f"{size} units of {len(rows)} rows; expected 1 or more, and a row for each at least"
            )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            quantizer = VectorQuantize(
                rows.shape[1], codebook_size=size, kmeans_init=True, kmeans_iters=rounds, decay=1.0
            )
            # The first training batch starts k-means; with decay 1 nothing moves afterwards.
            quantizer(torch.from_numpy(rows.copy())[None])
        return cls(quantizer.codebook.detach().numpy())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a codebook.

        Raises:
            InputError: the file cannot be read, or is not a codebook.
        """
        try:
            return cls(load_file(path)["codebook"])
        except (OSError, SafetensorError, KeyError) as error:
            raise InputError(f"{path}: not a codebook of speech units (.safetensors): {error}") from error

    def save(self, path: Path) -> None:
        """Write the codebook as safetensors; the file appears whole or not at all.

        Raises:
            InputError: the file cannot be written.
        """
        with whole_file(path) as partial:
            save_file({"codebook": self.codebook}, partial)

    def encode(self, features: ArrayLike) -> NDArray[np.int64]:
        """(T,) the nearest unit of each row of (T, D).

        Raises:
            InputError: the shape is wrong, or numbers are not finite.
        """
        rows = checked("features", features, (None, self.codebook.shape[1]))
        distances = (self.codebook**2).sum(axis=1) - 2 * rows @ self.codebook.T
        return np.asarray(distances.argmin(axis=1), np.int64)


class UnitFeatures:
    """Any features, with each row replaced by the nearest typical sound.

    Args:
        base: the features that the codebook was fitted to.
        units: the codebook.

    Raises:
        InputError: the codebook has another width.
    """

    def __init__(self, base: SpeechFeatures, units: SpeechUnits) -> None:
        if len(base.channels) != units.codebook.shape[1]:
            raise InputError(
                f"a codebook of width {units.codebook.shape[1]} for {len(base.channels)} channels of features"
            )
        self._base, self._units = base, units
        self.channels, self.causal, self.frame_rate_hz = base.channels, base.causal, base.frame_rate_hz

    def features(self, samples: ArrayLike, sample_rate_hz: int) -> FloatArray:
        """(T, D) of a clip; see the base features."""
        rows = self._base.features(samples, sample_rate_hz)
        return np.asarray(self._units.codebook[self._units.encode(rows)], np.float32)
