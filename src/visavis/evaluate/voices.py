"""Expressions from a face, from a voice and from both, on RAVDESS's actors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from visavis.base.waveform import SPEECH_RATE_HZ
from visavis.capture.sound import Soundtrack
from visavis.capture.video import VideoFile
from visavis.datasets.faces import LabeledFaces
from visavis.datasets.ravdess import ActedClip
from visavis.errors import InputError
from visavis.evaluate.expressions import BATCH
from visavis.expression.classifier import ExpressionClassifier
from visavis.expression.labels import expression_of, given
from visavis.expression.voice import VOICE_LABELS, WEIGHT, VoiceClassifier, enough_voice, fuse
from visavis.metrics.expression import (
    ClassScores,
    accuracy_interval,
    calibration_error,
    confusion_matrix,
    fit_temperature,
    negative_log_likelihood,
    with_temperature,
)
from visavis.pipeline import Pipeline
from visavis.reaction.speech import speech_features
from visavis.types import FloatArray

WITNESSES = ("face", "voice", "both")
WEIGHTS = np.arange(0, 2.01, 0.05)
RESAMPLES = 2000
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class WitnessScores:
    """How well a witness tells the seven expressions of a voice.

    Attributes:
        n: number of answers.
        accuracy: share of right answers.
        interval_95: of the accuracy, by bootstrap over the answers; actors count as interchangeable.
        mean_recall: mean of ``recall``; chance is 1/7.
        recall: of each expression that occurs.
        nll: mean of -log p(truth), nats.
        calibration_error: expected calibration error, 0..1.
    """

    n: int
    accuracy: float
    interval_95: tuple[float, float]
    mean_recall: float
    recall: Mapping[str, float]
    nll: float
    calibration_error: float

    @classmethod
    def of(cls, probabilities: NDArray[np.floating], truth: Labels) -> Self:
        """From answers (N, 7) and labels (N,), both in the order of VOICE_LABELS."""
        answers = probabilities.argmax(axis=1)
        scores = ClassScores.of(confusion_matrix(truth, answers, len(VOICE_LABELS)))
        recall = {name: float(r) for name, r in zip(VOICE_LABELS, scores.recall, strict=True) if r == r}
        return cls(
            len(truth),
            scores.accuracy,
            accuracy_interval(answers == truth),
            scores.mean_accuracy,
            recall,
            negative_log_likelihood(probabilities, truth),
            calibration_error(probabilities, truth),
        )

    def json(self) -> dict[str, Any]:
        """Rounded values."""
        return {
            "n": self.n,
            "accuracy": round(self.accuracy, 4),
            "interval_95": [round(value, 4) for value in self.interval_95],
            "mean_recall": round(self.mean_recall, 4),
            "recall": {name: round(value, 4) for name, value in self.recall.items()},
            "nll": round(self.nll, 4),
            "ece": round(self.calibration_error, 4),
        }


@dataclass(frozen=True, slots=True, eq=False)
class WitnessAnswers:
    """What the witnesses said of N clips or pairs.

    Attributes:
        truth: (N,) index into VOICE_LABELS.
        actors: (N,) the actor who speaks.
        clips: (N,) number of the clip that is heard.
        face: (N, 8) probabilities of EXPRESSIONS, uniform where no face was found; None without pictures.
        voice: (N, 7) probabilities of VOICE_LABELS, uniform where too little voice was heard.
    """

    truth: Labels
    actors: Labels
    clips: Labels
    face: FloatArray | None
    voice: FloatArray

    def of(self, witness: str, weight: float = WEIGHT) -> FloatArray:
        """Probabilities (N, 7) of ``face``, ``voice``, or ``both``."""
        if self.face is None or witness == "voice":
            return self.voice
        shown = self.face if witness == "face" else fuse(self.face, self.voice, weight)
        return given(shown, VOICE_LABELS)

    @property
    def witnesses(self) -> tuple[str, ...]:
        """The witnesses that there are."""
        return ("voice",) if self.face is None else WITNESSES

    def scores(self, weight: float = WEIGHT) -> dict[str, WitnessScores]:
        """The scores of each witness."""
        return {name: WitnessScores.of(self.of(name, weight), self.truth) for name in self.witnesses}

    def by_actor(self, weight: float = WEIGHT) -> dict[int, dict[str, float]]:
        """The accuracy of each witness for each actor."""
        right = {name: self.of(name, weight).argmax(axis=1) == self.truth for name in self.witnesses}
        return {
            int(actor): {name: float(those[self.actors == actor].mean()) for name, those in right.items()}
            for actor in np.unique(self.actors)
        }

    def gain(self, weight: float = WEIGHT) -> tuple[float, float, float]:
        """Accuracy of both minus accuracy of the face, and its 95% interval by bootstrap over clips."""
        both, face = (self.of(name, weight).argmax(axis=1) == self.truth for name in ("both", "face"))
        _, numbers = np.unique(self.clips, return_inverse=True)
        sums = np.bincount(numbers, weights=both.astype(float) - face)
        counts = np.bincount(numbers).astype(float)
        drawn = np.random.default_rng(0).integers(0, len(sums), (RESAMPLES, len(sums)))
        low, high = np.quantile(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1), (0.025, 0.975))
        return float(sums.sum() / counts.sum()), float(low), float(high)


def read_witnesses(
    clips: Sequence[ActedClip],
    classifier: VoiceClassifier,
    make_pipeline: Callable[[], Pipeline] = Pipeline,
    on_clip: Callable[[], None] = lambda: None,
) -> WitnessAnswers:
    """Let both witnesses read every clip; a clip without sound, or one without a picture, is an error.

    Args:
        clips: all with sound; all with a picture, or none.
        classifier: reads the voice.
        make_pipeline: makes what reads the faces, if there are pictures.
        on_clip: called after each clip.

    Raises:
        InputError: a file cannot be read, or some clips lack what others have.
    """
    if missing := next((clip for clip in clips if not clip.heard), None):
        raise InputError(f"{missing.path}: a picture without sound; get RAVDESS's files whose name begins 01")
    seen = {clip.seen for clip in clips}
    if len(seen) > 1:
        other = next(clip for clip in clips if not clip.seen)
        raise InputError(
            f"{other.path}: sound alone, and other clips have pictures; put them into separate folders"
        )
    faces, voices = [], []
    with ExitStack() as stack:
        pipeline = stack.enter_context(closing(make_pipeline())) if True in seen else None
        for clip in clips:
            voices.append(hear_clip(clip, classifier))
            if pipeline is not None:
                faces.append(see_clip(clip, pipeline))
            on_clip()
    truth = np.asarray([VOICE_LABELS.index(clip.expression) for clip in clips])
    actors = np.asarray([clip.actor for clip in clips])
    face = np.stack(faces) if faces else None
    return WitnessAnswers(truth, actors, np.arange(len(clips)), face, np.stack(voices))


def hear_clip(clip: ActedClip, classifier: VoiceClassifier) -> FloatArray:
    """Probabilities (7,) by the voice; uniform if there is too little voice."""
    with Soundtrack(clip.path) as sound:
        if not sound.has_sound:
            raise InputError(f"{clip.path}: no sound in this file")
        rows = speech_features(sound.rest(), SPEECH_RATE_HZ)
    if not enough_voice(rows):
        return np.full(len(VOICE_LABELS), 1 / len(VOICE_LABELS), np.float32)
    return classifier.predict(rows)


def see_clip(clip: ActedClip, pipeline: Pipeline) -> FloatArray:
    """Probabilities (8,) by the largest face, mean over the frames; uniform if no face is found."""
    pipeline.reset()
    found = []
    with VideoFile(clip.path) as video:
        for frame in video:
            faces = pipeline.see(frame).faces
            if faces and faces[0].expression is not None:
                found.append(faces[0].expression.probabilities)
    uniform = np.full(8, 1 / 8, np.float32)
    return np.asarray(np.mean(found, axis=0), np.float32) if found else uniform


def halves(faces: LabeledFaces, seed: int) -> tuple[LabeledFaces, LabeledFaces]:
    """The faces in two halves at random: to choose the weight, and to report."""
    chosen = np.random.default_rng(seed).permutation(len(faces)) % 2 == 0
    return faces[chosen], faces[~chosen]


def pair(
    faces: LabeledFaces, classifier: ExpressionClassifier, spoken: WitnessAnswers, seed: int
) -> WitnessAnswers:
    """Each face with a random clip of the same expression, as if face and voice were one person's.

    The two are then independent given the expression, which a real person's are not.

    Args:
        faces: with labels; those of no expression in VOICE_LABELS are left out.
        classifier: reads the faces.
        spoken: answers for clips.
        seed: of the draws.

    Raises:
        InputError: no face has an expression that is spoken.
    """
    rng = np.random.default_rng(seed)
    words = [expression_of(name) for name in faces.names]
    labels = np.asarray([VOICE_LABELS.index(word) if word in VOICE_LABELS else -1 for word in words])
    truth = labels[faces.labels]
    known = np.isin(truth, spoken.truth)
    if not known.any():
        raise InputError(f"{faces.name}: no face shows an expression of these clips")
    batches = faces.batches(BATCH, classifier.side_px)
    answers = np.concatenate([classifier.predict(batch) for batch in batches])[known]
    drawn = np.asarray([rng.choice(np.flatnonzero(spoken.truth == label)) for label in truth[known]])
    return WitnessAnswers(truth[known], spoken.actors[drawn], drawn, answers, spoken.voice[drawn])


def choose_weight(answers: WitnessAnswers) -> tuple[float, float]:
    """The voice's weight, and the temperature of both, that make the truth of validation most likely."""

    def loss(weight: float) -> tuple[float, float, float]:
        both = answers.of("both", weight)
        temperature = fit_temperature(both, answers.truth)
        return (
            negative_log_likelihood(with_temperature(both, temperature), answers.truth),
            weight,
            temperature,
        )

    _, weight, temperature = min(loss(float(weight)) for weight in WEIGHTS)
    return round(weight, 2), temperature
