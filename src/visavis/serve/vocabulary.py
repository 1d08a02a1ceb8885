"""The tokens of a face tokenizer as the page shows them: a colour, a pose, the strongest blendshapes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Self

import numpy as np

from visavis.base import networks
from visavis.channels import BLENDSHAPES, FACE_CHANNELS, FACE_INDEX
from visavis.drawing.codebook import pose_of
from visavis.errors import InputError
from visavis.reaction.tokenizer import ENCODER, FaceTokenizer
from visavis.types import AvatarPose, Face, FloatArray

STANDING_OUT = 5  # number of named blendshapes
TOKENS_KEPT, MEANINGS_KEPT = 4096, 512
SAMPLED_TOKENS = 4096  # number of tokens on which the colours are based
# Movements that pull a token's colour towards a hue (degrees): open mouth, smile, closed eyes, raised brows.
HUES = {
    40: ("jawOpen",),
    140: ("mouthSmileLeft", "mouthSmileRight"),
    250: ("eyeBlinkLeft", "eyeBlinkRight"),
    330: ("browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
}
_LEAST_SPREAD = 0.03  # spread of a weight that hardly moves, so that its noise does not change colours
_NAME = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})*")
_SHOWN_CHARACTERS = 40


@dataclass(frozen=True, slots=True)
class FaceToken:
    """The token of one frame's face.

    Attributes:
        tokens: (R,) tokens of the face.
        hue_deg: 0..359, direction of its difference from the vocabulary's mean, see :data:`HUES`.
        strength: 0..1, size of this difference.
    """

    tokens: tuple[int, ...]
    hue_deg: int
    strength: float


@dataclass(frozen=True, slots=True)
class Meaning:
    """The face that a token represents.

    Attributes:
        pose: the avatar's pose, as a camera sees the face.
        mirrored_pose: the same pose in a mirror.
        blendshapes: names and weights of the blendshapes that exceed the mean face most, strongest first.
    """

    pose: AvatarPose
    mirrored_pose: AvatarPose
    blendshapes: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Plane:
    """Maps faces (58,) to the colour wheel, relative to the vocabulary's mean."""

    middle: FloatArray
    axes: FloatArray
    reach: float


class Vocabulary:
    """The tokens of one tokenizer, for all sessions; the results of the last tokens are cached.

    Args:
        tokenizer: gives the faces of tokens.
    """

    def __init__(self, tokenizer: FaceTokenizer) -> None:
        self.tokenizer = tokenizer
        self._tokens = lru_cache(TOKENS_KEPT)(self._find_token)
        self._meanings = lru_cache(MEANINGS_KEPT)(self._find_meaning)

    @classmethod
    def embedded(cls) -> Self | None:
        """The vocabulary of the package's tokenizer; None if the package has none.

        Raises:
            WeightsError: the tokenizer is damaged.
        """
        return cls(FaceTokenizer.default()) if ENCODER in networks.manifest() else None

    def token(self, tokens: tuple[int, ...]) -> FaceToken:
        """How a token is displayed.

        Raises:
            InputError: the token is outside the vocabulary.
        """
        return self._tokens(tokens)

    def meaning(self, name: str) -> Meaning:
        """The meaning of a token.

        Args:
            name: the tokens with points between them, such as ``417`` or ``12.407``.

        Raises:
            InputError: the vocabulary has no such token.
        """
        sizes = self.tokenizer.vocabulary
        tokens = tuple(map(int, name.split("."))) if _NAME.fullmatch(name) else ()
        if len(tokens) != len(sizes) or any(t >= size for t, size in zip(tokens, sizes, strict=True)):
            wanted = ".".join(f"[0 to {size - 1}]" for size in sizes)
            raise InputError(f"no such face token: {name[:_SHOWN_CHARACTERS]!r}; expected {wanted}")
        return self._meanings(tokens)

    def _find_token(self, tokens: tuple[int, ...]) -> FaceToken:
        plane = self._plane
        x, y = plane.axes @ (self._face(tokens) - plane.middle)
        hue_deg = int(np.degrees(np.arctan2(y, x))) % 360
        return FaceToken(tokens, hue_deg, round(min(float(np.hypot(x, y)) / plane.reach, 1.0), 2))

    def _find_meaning(self, tokens: tuple[int, ...]) -> Meaning:
        face, mean = self._face(tokens), self.tokenizer.mean
        above = (face - mean)[: len(BLENDSHAPES)]
        most = [i for i in np.argsort(-above, kind="stable")[:STANDING_OUT].tolist() if above[i] > 0]
        return Meaning(
            pose_of(mean, face),
            pose_of(mean, face, mirror=True),
            tuple((BLENDSHAPES[i], round(float(face[i]), 3)) for i in most),
        )

    def _face(self, tokens: tuple[int, ...]) -> FloatArray:
        face: FloatArray = self.tokenizer.decode(np.asarray([tokens], np.int64))[0]
        return face

    @cached_property
    def _plane(self) -> _Plane:
        """Based on random tokens, because refining tokens make too many to process them all."""
        sizes = self.tokenizer.vocabulary
        drawn = np.random.default_rng(0).integers(0, sizes, (SAMPLED_TOKENS, len(sizes)))
        faces = self.tokenizer.decode(drawn)
        middle, spread = faces.mean(axis=0), np.maximum(faces.std(axis=0), _LEAST_SPREAD)
        axes = np.zeros((2, len(FACE_CHANNELS)), np.float32)
        for hue_rad, channels in zip(np.radians(list(HUES)), HUES.values(), strict=True):
            columns = [FACE_INDEX[name] for name in channels]
            direction = np.asarray([np.cos(hue_rad), np.sin(hue_rad)])
            axes[:, columns] = np.outer(direction, 1 / (len(columns) * spread[columns]))
        reach = np.percentile(np.hypot(*(axes @ (faces - middle).T)), 95)
        return _Plane(middle, axes, max(float(reach), 1e-6))


class FaceTokenStream:
    """Turns one stream of faces into tokens.

    Args:
        vocabulary: the vocabulary; many streams may share it.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._stream = vocabulary.tokenizer.stream()
        self._person: int | None = None

    def say(self, faces: tuple[Face, ...]) -> FaceToken | None:
        """The token of the first face of the next frame; None if there is no face."""
        if not faces:
            return None
        if faces[0].track_id != self._person:
            self._person = faces[0].track_id
            self._stream.reset()  # A window must not include another person's face.
        tokens = np.ravel(self._stream.encode(faces[0].state.values[None])).tolist()
        return self._vocabulary.token(tuple(tokens))
