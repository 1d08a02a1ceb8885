"""Features of Wav2Vec2's convolutions at 25 Hz, from weights that the user has.

For research only. Their interface is :class:`visavis.reaction.speech.SpeechFeatures`. Wav2Vec2's features
use the whole clip, twice: its input is scaled to the clip's mean and variance, and its first layer's group
norm does the same to each channel. So they are marked ``causal = False`` and cannot run live.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from safetensors import SafetensorError

from visavis.base.arrays import as_float32
from visavis.errors import MissingExtraError, WeightsError
from visavis.reaction.speech import FRAME_RATE_HZ, SPEECH_RATE_HZ, speech_samples
from visavis.types import FloatArray

# Wav2Vec2 gives two rows for each of ours.
_POOL = 2
_HOP = SPEECH_RATE_HZ // FRAME_RATE_HZ // _POOL


class Wav2Vec2Features:
    """The convolutional part of Wav2Vec2 (Baevski et al. 2020, arXiv:2006.11477), pairs of rows max-pooled.

    Row ``i`` ends at ``(i + 1) / 25`` s, as in our features; see the class of its interface.

    Args:
        weights: a folder with ``config.json`` and ``model.safetensors``, such as those of
            facebook/wav2vec2-base-960h; nothing is fetched.

    Raises:
        MissingExtraError: transformers is not installed.
        WeightsError: the weights cannot be found or read.
    """

    causal = False
    frame_rate_hz = FRAME_RATE_HZ

    def __init__(self, weights: Path) -> None:
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
        return as_float32("Wav2Vec2's features", pooled.numpy(), (None, len(self.channels)))


def _network(weights: Path) -> Any:
    try:
        from transformers import Wav2Vec2Model
    except ImportError as error:
        raise MissingExtraError("transformers", "speech", "Wav2Vec2") from error
    if not weights.is_dir():
        raise WeightsError(f"{weights}: no such folder; expected one with config.json and model.safetensors")
    try:
        return Wav2Vec2Model.from_pretrained(str(weights), use_safetensors=True, local_files_only=True)
    except (OSError, ValueError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0]
        raise WeightsError(
            f"{weights}: no Wav2Vec2 weights here ({reason}); expected config.json and model.safetensors"
        ) from error
