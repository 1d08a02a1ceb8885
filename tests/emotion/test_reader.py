import numpy as np
import pytest

from visavis.channels import BLENDSHAPES, EXPRESSIONS, FACE_CHANNELS
from visavis.emotion.circumplex import POINTS
from visavis.emotion.reader import CROP_DOWN, CROP_SCALE, EmotionReader
from visavis.emotion.sparse import SparseClassifier
from visavis.types import Face, FaceState

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


def face(number: int = 0, state: FaceState | None = None) -> Face:
    corners = np.asarray([[0, 0], [64, 0], [64, 64], [0, 64]], np.float32)
    state = state or FaceState(np.zeros(len(FACE_CHANNELS)))
    return Face(number, 0.9, np.asarray([0, 0, 64, 64]), corners, corners, state)


def read(reader: EmotionReader, time_s: float, *faces: Face) -> Face:
    """The first face, read in the stream's next frame."""
    faces = faces or (face(),)
    return reader.read(np.stack([CROP] * len(faces)), faces, time_s)[0]


def share(read_face: Face, name: str) -> float:
    return float(read_face.emotion.expressions[EXPRESSIONS.index(name)])


def test_first_reading_is_the_networks() -> None:
    script = Script("happy")
    found = read(EmotionReader(script), 0.0, face(state=smiling()))
    assert (found.label, found.emotion.label) == ("happy", "happy")
    assert (found.emotion.valence, found.emotion.arousal) == pytest.approx(POINTS["happy"])
    assert found.emotion.action_units[7] == pytest.approx(0.8)
    assert script.shapes == [(1, 64, 64, 3)]


def test_stream_is_smoothed_and_its_label_held() -> None:
    reader = EmotionReader(Script("sad", "happy", *["happy"] * 60))
    read(reader, 0.0)
    second = read(reader, 1 / 30)
    assert 0 < share(second, "happy") < 0.2
    assert second.label == "sad"
    for frame in range(2, 60):
        last = read(reader, frame / 30)
    assert share(last, "happy") > 0.99
    assert last.label == "happy"


def test_people_of_one_stream_are_held_apart() -> None:
    reader = EmotionReader(Script("sad", "happy"))
    read(reader, 0.0, face(0))
    other = read(reader, 0.01, face(1))
    assert (other.label, share(other, "happy")) == ("happy", 1)


def test_who_was_away_for_long_starts_anew() -> None:
    reader = EmotionReader(Script("sad", "happy"))
    read(reader, 0.0)
    assert read(reader, 2.5).label == "happy"


def test_stills_are_not_smoothed_and_leave_the_stream_alone() -> None:
    reader = EmotionReader(Script("sad", "happy", "sad"))
    read(reader, 0.0)
    still = reader.read_still(CROP, face())
    assert (still.label, share(still, "happy")) == ("happy", 1)
    assert share(read(reader, 0.1), "sad") == 1


def test_it_says_whether_its_network_drops_tokens() -> None:
    class Sparse(SparseClassifier):
        def __init__(self) -> None: ...

    assert EmotionReader(Sparse()).drops_tokens is True
    assert EmotionReader(Script()).drops_tokens is False


def test_a_crop_has_no_action_units() -> None:
    crop = Face.of_crop(np.asarray([0, 0, 64, 64], np.float32))
    assert not EmotionReader(Script("fear")).read_still(CROP, crop).emotion.action_units.any()


def test_reset_starts_a_new_stream() -> None:
    reader = EmotionReader(Script("sad", "happy"))
    read(reader, 0.0)
    reader.reset()
    assert share(read(reader, 0.01), "happy") == 1


def test_two_readers_share_nothing() -> None:
    one, other = EmotionReader(Script("sad")), EmotionReader(Script("happy"))
    read(one, 0.0)
    assert read(other, 0.01).label == "happy"


def test_framing_lies_within_the_region() -> None:
    assert 0.5 < CROP_SCALE < 1
    assert abs(CROP_DOWN) + CROP_SCALE / 2 < 0.5
