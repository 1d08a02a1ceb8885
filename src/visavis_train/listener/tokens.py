"""Conversations as a listener learns them, coded by a tokenizer."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import cv2
import numpy as np

from visavis.base import networks
from visavis.errors import InputError, WeightsError
from visavis.reaction.cues import CuedSpeech
from visavis.reaction.listener import LISTENER_TOKENIZER, earlier
from visavis.reaction.neutral_face import as_seen, resting
from visavis.reaction.spectrum import MEL_BANDS
from visavis.reaction.speech import SPEECH_CHANNELS
from visavis.reaction.tokenizer import DECODER, ENCODER, FaceTokenizer
from visavis.types import FloatArray
from visavis_train.data.conversation_pack import ListeningPack, PersonClip
from visavis_train.data.track_pack import LEAST_SPREAD
from visavis_train.listener.batches import Conversation, Tokens
from visavis_train.tokenizer.face_groups import FACE_GROUPS

if TYPE_CHECKING:
    from visavis_train.listener.config import ListenerExperiment, Speech

HEAD_WEIGHT = 8.0
# Kaldi's defaults, as in the challenges' baselines: the number of coefficients, and the lifter.
MFCC, LIFTER = 13, 22


@dataclass(frozen=True, slots=True, eq=False)
class TokenVocabulary:
    """A tokenizer with one token a frame, and the digits of its tokens.

    Attributes:
        tokenizer: encodes and decodes.
        levels: levels of a token's digits, least significant first: FSQ's, grouped VQ's codebooks, or one
            digit for other quantisers.
    """

    tokenizer: FaceTokenizer
    levels: tuple[int, ...]

    @classmethod
    def open(cls, folder: Path | None) -> Self:
        """The tokenizer of a run folder, or for None the package's tokenizer for its listener.

        Raises:
            InputError: a file cannot be read, or a frame has several tokens.
            WeightsError: there is no tokenizer in the folder or in the package.
        """
        if folder is None:
            tokenizer = FaceTokenizer.default(names=LISTENER_TOKENIZER)
            notes = networks.metadata(networks.open_session(LISTENER_TOKENIZER[0]))
        else:
            encoder = folder / f"{ENCODER}.onnx"
            tokenizer = FaceTokenizer.load(encoder, folder / f"{DECODER}.onnx")
            notes = networks.metadata(networks.open_file(encoder))
        return cls(tokenizer, levels_of(tokenizer, notes))


def levels_of(tokenizer: FaceTokenizer, notes: dict[str, Any]) -> tuple[int, ...]:
    """The digits of a tokenizer's tokens, from the metadata of its encoder's file.

    Raises:
        InputError: a frame has several tokens.
        WeightsError: the file does not name its levels, or they do not fit its vocabulary.
    """
    if tokenizer.depth != 1:
        raise InputError(
            f"the tokenizer {tokenizer.pair} gives {tokenizer.depth} tokens a frame; a listener speaks one: "
            "choose a tokenizer that is not residual"
        )
    settings = notes.get("quantizer_settings", {})
    if tokenizer.quantizer == "fsq":
        levels = tuple(int(size) for size in settings.get("levels", ()))
    elif settings.get("groups", 1) > 1:
        levels = (int(settings["vocabulary"]),) * int(settings["groups"])
    else:
        return tokenizer.vocabulary
    if prod(levels) != tokenizer.vocabulary[0]:
        raise WeightsError(
            f"the tokenizer {tokenizer.pair} has {tokenizer.vocabulary[0]} tokens and says its levels are "
            f"{list(levels)}; export it again"
        )
    return levels


def token_conversations(
    experiment: ListenerExperiment, pack: ListeningPack, tokenizer: FaceTokenizer
) -> tuple[Conversation, ...]:
    """A pack as training data of an experiment; items of the same speaker share arrays.

    The tokenizer gives one token a frame.
    """
    ahead = experiment.ahead
    seen: dict[int, Tokens] = {}
    heard = {}
    for speaker in {id(item.speaker): item.speaker for item in pack.items}.values():
        face = earlier(speaker.face.astype(np.float32), ahead)
        seen[id(speaker)] = tokenizer.encode(as_seen(face, tokenizer.rest))
        heard[id(speaker)] = earlier(_sound(speaker, experiment.speech), ahead)
    return tuple(
        Conversation(
            item.listener.name,
            seen[id(item.speaker)],
            steady_tokens(tokenizer, as_shown(item.listener, tokenizer), experiment.steady),
            heard[id(item.speaker)],
            item.style[: None if experiment.style else 0],
        )
        for item in pack.items
    )


def steady_tokens(tokenizer: FaceTokenizer, face: FloatArray, tolerance: float | None) -> Tokens:
    """Tokens of a track that change when the face changes, not when it trembles between two tokens.

    A frame keeps the previous token unless its own token is nearer to the face by more than the tolerance.
    Distances are means over the groups of channels of absolute differences, in the track's standard
    deviations. The head's rotation counts :data:`HEAD_WEIGHT` times, because nods are small.

    Args:
        tokenizer: a tokenizer with one token a frame.
        face: (T, 58).
        tolerance: tolerance in standard deviations; None for every frame's own token.

    Returns:
        (T,) tokens, each one that :meth:`FaceTokenizer.encode` gave for this frame or an earlier one.
    """
    tokens = tokenizer.encode(face)
    if tolerance is None or not len(tokens):
        return tokens
    shown = tokenizer.decode(tokens)
    scale = _scale(face)
    missed = np.abs(face - shown) @ scale
    result, kept = tokens.copy(), 0
    for frame in range(1, len(tokens)):
        # A frame without a face has no distances: it has its own token.
        if not np.abs(face[frame] - shown[kept]) @ scale <= missed[frame] + tolerance:
            kept = frame
        result[frame] = tokens[kept]
    return result


def _scale(face: FloatArray) -> FloatArray:
    """(58,) weights of absolute differences; the weighted sum is the distance."""
    known = np.isfinite(face).all(axis=1)
    spread = np.maximum(face[known].std(axis=0), LEAST_SPREAD) if known.any() else LEAST_SPREAD
    shares = np.zeros(len(spread), np.float32)
    for name, place in FACE_GROUPS.items():
        shares[place] = (HEAD_WEIGHT if name == "rotation" else 1.0) / len(shares[place])
    return np.asarray(shares / shares.sum() / spread, np.float32)


def as_shown(clip: PersonClip, tokenizer: FaceTokenizer) -> FloatArray:
    """(T, 58): the face that a listener should show, moved to the tokenizer's face at rest."""
    face = clip.face.astype(np.float32)
    return face if tokenizer.rest is None else face - resting(face) + tokenizer.rest


def mfcc(rows: FloatArray) -> FloatArray:
    """Mel-frequency cepstral coefficients (T, 13) of our features (T, 44), NaN where they are.

    The orthonormal DCT-II of the log-mel bands (Davis and Mermelstein 1980) with Kaldi's lifter, divided by
    the square root of the number of bands: each coefficient of speech then has a spread of about 1. The bands
    are relative to the speaker's level. There are no deltas, since the network sees earlier frames.
    """
    cepstrum = cv2.dct(rows[:, :MEL_BANDS], flags=cv2.DCT_ROWS)[:, :MFCC]
    lift = 1 + LIFTER / 2 * np.sin(np.pi * np.arange(MFCC) / LIFTER)
    return np.asarray(cepstrum * lift / MEL_BANDS**0.5, np.float32)


def _sound(clip: PersonClip, sound: Speech) -> FloatArray:
    if not sound or clip.speech is None:
        return np.zeros((len(clip), 0), np.float32)
    rows = clip.speech.astype(np.float32)
    if rows.shape[1] != len(SPEECH_CHANNELS):  # Other features have no cues and no bands.
        return rows
    return mfcc(rows) if sound == "mfcc" else CuedSpeech().updated(rows)
