"""Training sees the speaker as the program does, frame by frame, and the listener at the same rest."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from support import tiny_tokenizer
from visavis.reaction.neutral_face import RunningNeutralFace, as_seen
from visavis.reaction.tokenizer import FaceTokenizer
from visavis.types import FloatArray
from visavis_train.data.conversation_pack import PersonClip
from visavis_train.listener.tokens import as_shown

FRAMES = 30
REST = np.full(58, 0.5)


def clip(face: FloatArray) -> PersonClip:
    return PersonClip("a", face.astype(np.float16), np.zeros((FRAMES, 25), np.float16))


def faces() -> FloatArray:
    return np.random.default_rng(0).random((FRAMES, 58)).astype(np.float32)


def tokenizer(folder: Path, rest: FloatArray | None = None) -> FaceTokenizer:
    changes = {} if rest is None else {"rest": rest.tolist()}
    return FaceTokenizer.load(*tiny_tokenizer.write(folder, changes=changes))


def test_both_people_are_moved_to_the_rest_of_the_tokenizer(tmp_path: Path) -> None:
    at_rest, face = tokenizer(tmp_path, REST), faces()
    person = RunningNeutralFace(REST)
    np.testing.assert_allclose(
        as_seen(face, at_rest.rest), np.stack([person.moved(frame) for frame in face]), atol=2e-3
    )
    np.testing.assert_allclose(np.median(as_shown(clip(face), at_rest), axis=0), REST, atol=2e-3)


def test_what_a_speaker_looks_like_later_is_not_known(tmp_path: Path) -> None:
    at_rest, face = tokenizer(tmp_path, REST), faces()
    other = face.copy()
    other[20:] = 0.1
    before, after = (as_seen(each, at_rest.rest) for each in (face, other))
    np.testing.assert_array_equal(before[:20], after[:20])
    assert (before[20:] != after[20:]).any()


def test_a_tokenizer_without_a_rest_takes_faces_as_they_are(tmp_path: Path) -> None:
    general, face = tokenizer(tmp_path), faces()
    for seen in (as_seen(face, general.rest), as_shown(clip(face), general)):
        np.testing.assert_allclose(seen, face, atol=1e-3)
