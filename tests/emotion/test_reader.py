import numpy as np
import pytest

from visavis.channels import BLENDSHAPES, EXPRESSIONS, FACE_CHANNELS
from visavis.emotion.circumplex import POINTS
from visavis.emotion.reader import CROP_DOWN, CROP_SCALE, EmotionReader
from visavis.emotion.sparse import SparseClassifier
from visavis.types import FaceState

CROP = np.zeros((64, 64, 3), np.uint8)


class Script:
    """Answers one expression a call, and records the crops it saw."""

    def __init__(self, *names: str) -> None:
        self.names = list(names)
        self.shapes: list[tuple[int, ...]] = []

    def predict(self, crops: np.ndarray) -> np.ndarray:
        self.shapes.append(crops.shape)
        return np.eye(8, dtype=np.float32)[[EXPRESSIONS.index(self.names.pop(0))]]


def smiling() -> FaceState:
    values = np.zeros(len(FACE_CHANNELS), np.float32)
    values[[BLENDSHAPES.index("mouthSmileLeft"), BLENDSHAPES.index("mouthSmileRight")]] = 0.8
    return FaceState(values)


def test_first_reading_is_the_networks() -> None:
    script = Script("happy")
    emotion = EmotionReader(script).read(CROP, smiling(), 0.0)
    assert emotion.label == "happy"
    assert (emotion.valence, emotion.arousal) == pytest.approx(POINTS["happy"])
    assert emotion.action_units[7] == pytest.approx(0.8)
    assert script.shapes == [(1, 64, 64, 3)]


def test_stream_is_smoothed_and_its_label_held() -> None:
    reader = EmotionReader(Script("sad", "happy", *["happy"] * 60))
    reader.read(CROP, None, 0.0)
    second = reader.read(CROP, None, 1 / 30)
    assert 0 < second.expressions[EXPRESSIONS.index("happy")] < 0.2
    assert reader.label == "sad"
    for frame in range(2, 60):
        last = reader.read(CROP, None, frame / 30)
    assert last.expressions[EXPRESSIONS.index("happy")] > 0.99
    assert reader.label == "happy"


def test_stills_are_not_smoothed_and_leave_the_stream_alone() -> None:
    reader = EmotionReader(Script("sad", "happy", "sad"))
    reader.read(CROP, None, 0.0)
    still = reader.read_still(CROP)
    assert still.expressions[EXPRESSIONS.index("happy")] == 1
    assert reader.read(CROP, None, 0.1).expressions[EXPRESSIONS.index("sad")] == 1


def test_it_says_whether_its_network_drops_tokens() -> None:
    class Sparse(SparseClassifier):
        def __init__(self) -> None: ...

    assert EmotionReader(Sparse()).drops_tokens is True
    assert EmotionReader(Script()).drops_tokens is False


def test_without_a_state_there_are_no_action_units() -> None:
    assert not EmotionReader(Script("fear")).read(CROP, None, 0.0).action_units.any()


def test_reset_starts_a_new_stream() -> None:
    reader = EmotionReader(Script("sad", "happy"))
    reader.read(CROP, None, 0.0)
    reader.reset()
    assert reader.label is None
    assert reader.read(CROP, None, 0.01).expressions[EXPRESSIONS.index("happy")] == 1


def test_two_readers_share_nothing() -> None:
    one, other = EmotionReader(Script("sad")), EmotionReader(Script("happy"))
    one.read(CROP, None, 0.0)
    assert other.label is None
    assert other.read(CROP, None, 0.01).label == "happy"


def test_framing_lies_within_the_region() -> None:
    assert 0.5 < CROP_SCALE < 1
    assert abs(CROP_DOWN) + CROP_SCALE / 2 < 0.5
