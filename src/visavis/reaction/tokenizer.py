"""The face tokenizer: two ONNX networks, an encoder and a decoder that were trained together.

A token is one of a finite vocabulary of faces. A frame has one token, or R tokens of which each refines the
ones before it. A frame's tokens depend on that frame and, if the encoder has a window, on earlier frames,
never on later ones. So encoding frame by frame gives the same as encoding the whole track.
"""

from __future__ import annotations

from textwrap import shorten
from typing import Any, Self

import numpy as np
import onnxruntime as ort
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from visavis.base import networks
from visavis.base.arrays import as_float32
from visavis.base.files import PathText
from visavis.channels import EXPRESSION_CHANNELS, FACE_CHANNELS
from visavis.errors import InputError, WeightsError
from visavis.types import FloatArray

Tokens = NDArray[np.int64]
ENCODER, DECODER = "tokens_encoder", "tokens_decoder"
ENCODER_KIND, DECODER_KIND = "face tokenizer encoder", "face tokenizer decoder"
# The token of a frame without a face; decoded, it is a row of NaN.
NO_FACE = -1
# Number of frames that the networks get at a time.
_BATCH = 4096


class FaceTokenizer:
    """Turns faces into tokens and back. It keeps no state; :meth:`stream` gives a stream with state.

    Args:
        encoder: a network with the input ``windows`` (N, W, 58) float32, oldest frame first, and the output
            ``tokens`` (N, R) int64.
        decoder: a network with the input ``tokens`` (N, R) int64 and the outputs ``face`` (N, 58) and
            ``emotion`` (N, 25) float32.

    Attributes:
        vocabulary: number of possible tokens, for each of the R tokens of a frame.
        window: W, number of frames on which a frame's tokens depend; 1 is stateless.
        mean: (58,) the mean face of the training, used for unknown channels.
        rest: (58,) the neutral face that input faces must be moved to (:mod:`visavis.reaction.neutral_face`);
            None for a tokenizer that takes unchanged faces.
        quantizer: kind of quantizer: ``fsq``, ``rfsq``, ``vq`` or ``lfq``.
        pair: fingerprint of its training.

    Raises:
        WeightsError: the networks are of another kind, or were not trained together.
    """

    def __init__(self, encoder: ort.InferenceSession, decoder: ort.InferenceSession) -> None:
        notes = _notes(encoder, ENCODER_KIND, ["windows", "tokens"])
        other = _notes(decoder, DECODER_KIND, ["tokens", "face", "emotion"])
        if notes["pair"] != other["pair"]:
            raise WeightsError(
                f"the encoder is of training {notes['pair']} and the decoder of {other['pair']}; "
                "expected the two files that one export wrote"
            )
        self.vocabulary = tuple(int(size) for size in notes["vocabulary"])
        self.window = int(notes["window"])
        self.mean = as_float32("the encoder's mean face", notes["mean"], (len(FACE_CHANNELS),))
        rest = notes.get("rest")
        self.rest = None if rest is None else as_float32("the encoder's rest", rest, (len(FACE_CHANNELS),))
        self.quantizer, self.pair = str(notes["quantizer"]), str(notes["pair"])
        self._encoder, self._decoder = encoder, decoder

    @classmethod
    def default(cls, threads: int = 1, names: tuple[str, str] = (ENCODER, DECODER)) -> Self:
        """The embedded networks.

        Args:
            threads: processor threads.
            names: names of encoder and decoder in the manifest.

        Raises:
            WeightsError: this version has no such networks, or their files are missing or were changed.
        """
        if not networks.manifest().keys() >= set(names):
            raise WeightsError(
                f"this version of visavis brings no {names[0]}: train one (visavis train "
                "experiments/tokenizer_fsq.toml) and name its tokens_encoder.onnx and tokens_decoder.onnx"
            )
        encoder, decoder = (networks.open_session(name, threads) for name in names)
        return cls(encoder, decoder)

    @classmethod
    def load(cls, encoder: PathText, decoder: PathText, threads: int = 1) -> Self:
        """Networks from files in a training's run folder.

        Raises:
            InputError: a file cannot be read.
            WeightsError: a file is not the network of a tokenizer.
        """
        sessions = networks.open_file(encoder, threads), networks.open_file(decoder, threads)
        with networks.naming(encoder, decoder):
            return cls(*sessions)

    @property
    def depth(self) -> int:
        """Number R of tokens of a frame."""
        return len(self.vocabulary)

    def stream(self) -> TokenStream:
        """The state of one stream before its first frame."""
        return TokenStream(self)

    def encode(self, face: ArrayLike) -> Tokens:
        """Tokens of a whole track.

        Args:
            face: (T, 58) face states. NaN in part of a row means unknown channels: they are replaced by the
                mean of the training. A row of only NaN is a frame without a face: its tokens are -1, and
                later frames see the faces before it.

        Returns:
            (T,) int64, or (T, R) if a frame has several tokens.

        Raises:
            InputError: the array has another shape or infinite values.
        """
        return self.stream().encode(face)

    def decode(self, tokens: ArrayLike) -> FloatArray:
        """Faces of tokens.

        Args:
            tokens: (T,) or (T, R) integers from :meth:`encode`; -1 for no face.

        Returns:
            (T, 58) float32: weights within 0..1, radians, centimetres; rows of NaN where there is no face.

        Raises:
            InputError: tokens are no integers, of another shape, or (in the named row) outside the
                vocabulary.
        """
        return self._decoded(tokens, "face", len(FACE_CHANNELS))

    def expressions(self, tokens: ArrayLike) -> FloatArray:
        """Expressions (T, 25) of the faces, as in :class:`~visavis.types.Expression`; see :meth:`decode`."""
        return self._decoded(tokens, "emotion", len(EXPRESSION_CHANNELS))

    def encode_windows(self, windows: FloatArray) -> Tokens:
        """Tokens (N, R) of windows (N, W, 58) without NaN, oldest frame first."""
        parts = [
            self._encoder.run(["tokens"], {"windows": np.ascontiguousarray(windows[start : start + _BATCH])})[
                0
            ]
            for start in range(0, len(windows), _BATCH)
        ]
        return np.concatenate([np.empty((0, self.depth), np.int64), *parts])

    def _decoded(self, tokens: ArrayLike, output: str, width: int) -> FloatArray:
        rows = self._checked(tokens)
        seen = np.flatnonzero(rows[:, 0] != NO_FACE)
        result = np.full((len(rows), width), np.nan, np.float32)
        for start in range(0, len(seen), _BATCH):
            part = seen[start : start + _BATCH]
            result[part] = self._decoder.run([output], {"tokens": rows[part]})[0]
        return result

    def _checked(self, tokens: ArrayLike) -> Tokens:
        """Tokens as (T, R) int64, each row in the vocabulary or -1 throughout."""
        array = np.asarray(tokens)
        if array.size and array.dtype.kind not in "iu":
            raise InputError(f"tokens must be integers; found {array.dtype}")
        rows = array[:, None] if array.ndim == 1 and self.depth == 1 else array
        if rows.ndim != 2 or rows.shape[1] != self.depth:
            wanted = "(T,)" if self.depth == 1 else f"(T, {self.depth})"
            raise InputError(f"tokens have shape {array.shape}; expected {wanted}")
        inside = ((rows >= 0) & (rows < np.asarray(self.vocabulary))).all(axis=1)
        bad = np.flatnonzero(~inside & ~(rows == NO_FACE).all(axis=1))
        if bad.size:
            most = ", ".join(str(size - 1) for size in self.vocabulary)
            raise InputError(
                f"token {rows[bad[0]].tolist()} in row {bad[0]}; expected 0 to {most}, or {NO_FACE} for "
                "no face"
            )
        return np.ascontiguousarray(rows, np.int64)


class TokenStream:
    """The encoder's memory of one stream: the last faces within its window.

    Args:
        tokenizer: the tokenizer; many streams may share it.
    """

    def __init__(self, tokenizer: FaceTokenizer) -> None:
        self._tokenizer = tokenizer
        self._past: FloatArray | None = None

    def reset(self) -> None:
        """Forget the stream, as before its first frame."""
        self._past = None

    def fork(self) -> TokenStream:
        """An independent copy of the stream with the same past."""
        other = TokenStream(self._tokenizer)
        other._past = self._past
        return other

    def encode(self, face: ArrayLike) -> Tokens:
        """Tokens of the next T frames; see :meth:`FaceTokenizer.encode`."""
        tokenizer = self._tokenizer
        faces = as_float32("faces", face, (None, len(FACE_CHANNELS)), allow_nan=True)
        seen = np.flatnonzero(~np.isnan(faces).all(axis=1))
        result = np.full((len(faces), tokenizer.depth), NO_FACE, np.int64)
        if seen.size:
            known = np.where(np.isnan(faces[seen]), tokenizer.mean, faces[seen])
            # Before the first frame, the face is assumed to be still.
            past = np.repeat(known[:1], tokenizer.window - 1, axis=0) if self._past is None else self._past
            joined = np.concatenate([past, known])
            views = sliding_window_view(joined, tokenizer.window, axis=0).transpose(0, 2, 1)
            result[seen] = tokenizer.encode_windows(views)
            self._past = joined[len(joined) - (tokenizer.window - 1) :]
        return result[:, 0] if tokenizer.depth == 1 else result


def _notes(session: ort.InferenceSession, kind: str, names: list[str]) -> dict[str, Any]:
    """The metadata of a tokenizer's network, after a check that it is one."""
    found = [spec.name for spec in (*session.get_inputs(), *session.get_outputs())]
    notes = networks.metadata(session)
    if found != names or notes.get("kind") != kind:
        raise WeightsError(
            f"expected a {kind} with {', '.join(names)}; found {notes.get('kind', 'another network')} with "
            f"{shorten(', '.join(found), 80)}"
        )
    orders = (notes.get("channels"), notes.get("emotion_channels"))
    if orders != (list(FACE_CHANNELS), list(EXPRESSION_CHANNELS)):
        raise WeightsError(f"the {kind} was trained on other channels than this version of visavis has")
    missing = {"vocabulary", "window", "mean", "quantizer", "pair"} - notes.keys()
    if missing:
        raise WeightsError(f"the {kind} does not say its {', '.join(sorted(missing))}; export it again")
    return notes
