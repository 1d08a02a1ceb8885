import numpy as np
import pytest

from visavis.channels import BLENDSHAPES, EXPRESSIONS, FACE_CHANNELS
from visavis.expression.circumplex import POINTS
from visavis.expression.reader import CROP_DOWN, CROP_SCALE, ExpressionReader
from visavis.expression.sparse import SparseClassifier
from visavis.types import Face, FaceState

CROP = np.zeros((64, 64, 3), np.uint8)


class Script:
    """Answers one expression a call, and records the crops it saw."""

    def __init__(self, *names: str) -> None:
        self.names = list(names)
        self.shapes: list[tuple[int, ...]] = []

    def predict(self, crops: np.ndarray) -> np.ndarray:
        self.shapes.append(crops.shape)
        return np.eye(8, dtype=np.float32)[[EXPRESSIONS.index(self.names.pop(0)) for _ in crops]]


def smiling(weight: float = 0.8) -> FaceState:
    return showing(mouthSmileLeft=weight, mouthSmileRight=weight)


def showing(**weights: float) -> FaceState:
    values = np.zeros(len(FACE_CHANNELS), np.float32)
    values[[BLENDSHAPES.index(name) for name in weights]] = list(weights.values())
    return FaceState(values)


def face(number: int = 0, state: FaceState | None = None) -> Face:
    corners = np.asarray([[0, 0], [64, 0], [64, 64], [0, 64]], np.float32)
    state = state or FaceState(np.zeros(len(FACE_CHANNELS)))
    return Face(number, 0.9, np.asarray([0, 0, 64, 64]), corners, corners, state)


def read(reader: ExpressionReader, time_s: float, *faces: Face) -> Face:
    """The first face, read in the stream's next frame."""
    faces = faces or (face(),)
    return reader.read(faces, lambda _: CROP, time_s)[0]


def share(read_face: Face, name: str) -> float:
    return float(read_face.expression.probabilities[EXPRESSIONS.index(name)])


def test_first_reading_is_the_networks() -> None:
    script = Script("happy")
    found = read(ExpressionReader(script), 0.0, face(state=smiling()))
    assert (found.label, found.expression.label) == ("happy", "happy")
    assert (found.expression.valence, found.expression.arousal) == pytest.approx(POINTS["happy"])
    assert found.expression.action_units[7] == pytest.approx(0.8)
    assert script.shapes == [(1, 64, 64, 3)]


def test_stream_is_smoothed_and_its_label_held() -> None:
    reader = ExpressionReader(Script("sad", "happy", *["happy"] * 60))
    read(reader, 0.0)
    second = read(reader, 1 / 30, face(state=smiling()))
    assert 0 < share(second, "happy") < 0.2
    assert second.label == "sad"
    for frame in range(2, 60):
        last = read(reader, frame / 30)
    assert share(last, "happy") > 0.99
    assert last.label == "happy"


@pytest.mark.parametrize(("fps", "readings"), [(5, 10), (10, 20), (15, 20), (25, 20), (30, 20), (60, 20)])
def test_a_face_at_rest_is_read_ten_times_a_second_at_most(fps: int, readings: int) -> None:
    script = Script(*["sad"] * 60)
    reader = ExpressionReader(script)
    found = [read(reader, number / fps) for number in range(2 * fps)]
    assert len(script.shapes) == readings
    assert {each.label for each in found} == {"sad"}


def test_between_readings_the_last_one_goes_on() -> None:
    script = Script("sad", "happy", "happy")
    reader = ExpressionReader(script)
    read(reader, 0.0)
    seen = [read(reader, number / 100, face(state=smiling(number / 100))) for number in (10, 15)]
    assert len(script.shapes) == 2
    assert seen[1].expression.action_units[7] == pytest.approx(0.15)  # Of this frame.
    assert [share(each, "happy") for each in seen] == pytest.approx(
        [1 - np.exp(-0.1 / 0.3), 1 - np.exp(-0.15 / 0.3)], rel=1e-5
    )


@pytest.mark.parametrize(("spacing", "readings"), [(1.0, 20), (2.0, 10), (4.0, 5)])
def test_readings_are_rarer_on_request(spacing: float, readings: int) -> None:
    script = Script(*["sad"] * 60)
    reader = ExpressionReader(script)
    reader.spacing = spacing
    for number in range(50):
        read(reader, number / 25, face(state=showing(jawOpen=0.19 * spacing * (number % 2))))
    assert len(script.shapes) == readings
    reader.spacing = 1.0
    read(reader, 2.0)
    read(reader, 2.1)
    assert len(script.shapes) == readings + 2


@pytest.mark.parametrize(
    ("change", "readings"),
    [
        ({"mouthSmileLeft": 0.19}, 1),
        ({"mouthSmileLeft": 0.21}, 2),
        ({"browDownRight": 0.21}, 2),
        ({"eyeBlinkLeft": 1.0, "eyeLookInLeft": 1.0}, 1),
    ],
)
def test_a_face_that_moves_is_read_at_once(change: dict[str, float], readings: int) -> None:
    script = Script("sad", "happy")
    reader = ExpressionReader(script)
    read(reader, 0.0, face(state=showing()))
    read(reader, 0.02, face(state=showing(**change)))
    assert len(script.shapes) == readings


def test_only_the_faces_that_are_due_are_read() -> None:
    script = Script("sad", "happy", "sad", "sad")
    reader = ExpressionReader(script)
    read(reader, 0.0, face(0))
    read(reader, 0.05, face(0), face(1))
    read(reader, 0.1, face(0), face(1))
    assert [shape[0] for shape in script.shapes] == [1, 1, 2]


def test_when_a_face_is_read_does_not_depend_on_when_the_stream_began() -> None:
    late = []
    for first in (0, 7):
        script = Script(*["sad"] * 60)
        reader, reads = ExpressionReader(script), []
        for number in range(first, 50):
            read(reader, number / 25)
            reads.append(len(script.shapes))
        late.append(np.diff(reads[-40:]).tolist())
    assert late[0] == late[1]


def test_a_clock_that_jumps_back_lets_the_face_be_read() -> None:
    reader = ExpressionReader(Script("sad", "happy"))
    read(reader, 1.0)
    read(reader, 0.5)
    assert not reader._classifier.names


def test_people_of_one_stream_are_held_apart() -> None:
    reader = ExpressionReader(Script("sad", "happy"))
    read(reader, 0.0, face(0))
    other = read(reader, 0.01, face(1))
    assert (other.label, share(other, "happy")) == ("happy", 1)


def test_who_was_away_for_long_starts_anew() -> None:
    reader = ExpressionReader(Script("sad", "happy"))
    read(reader, 0.0)
    assert read(reader, 2.5).label == "happy"


def test_stills_are_not_smoothed_and_leave_the_stream_alone() -> None:
    reader = ExpressionReader(Script("sad", "happy", "sad"))
    read(reader, 0.0)
    (still,) = reader.read_stills(CROP[None], [face()])
    assert (still.label, share(still, "happy")) == ("happy", 1)
    assert share(read(reader, 0.1), "sad") == 1


def test_it_says_whether_its_network_drops_tokens() -> None:
    class Sparse(SparseClassifier):
        def __init__(self) -> None: ...

    assert ExpressionReader(Sparse()).drops_tokens is True
    assert ExpressionReader(Script()).drops_tokens is False


def test_a_crop_has_no_action_units() -> None:
    crop = Face.of_crop(np.asarray([0, 0, 64, 64], np.float32))
    (read,) = ExpressionReader(Script("fear")).read_stills(CROP[None], [crop])
    assert not read.expression.action_units.any()


def test_reset_starts_a_new_stream() -> None:
    reader = ExpressionReader(Script("sad", "happy"))
    read(reader, 0.0)
    reader.reset()
    assert share(read(reader, 0.01), "happy") == 1


def test_two_readers_share_nothing() -> None:
    one, other = ExpressionReader(Script("sad")), ExpressionReader(Script("happy"))
    read(one, 0.0)
    assert read(other, 0.01).label == "happy"


def test_framing_lies_within_the_region() -> None:
    assert 0.5 < CROP_SCALE < 1
    assert abs(CROP_DOWN) + CROP_SCALE / 2 < 0.5
