"""The flow of one stream: the person whose expression is read, the shown label, and freed resources."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest

from support import tiny_listener, tiny_sparse
from support.people import PROFILE
from visavis.avatar.parameters import Animator
from visavis.base.networks import session_of
from visavis.capture.portrait import PortraitClip
from visavis.channels import AVATAR_PARAMETERS, EXPRESSIONS, FACE_CHANNELS
from visavis.errors import InputError
from visavis.expression.reader import ExpressionReader
from visavis.expression.sparse import SparseClassifier
from visavis.pipeline import Moment, Pipeline
from visavis.reaction.live import LiveListener
from visavis.types import AudioChunk, Face, FaceState, FloatArray, Frame, ImageArray

IMAGE = np.zeros((48, 64, 3), np.uint8)


class Cast:
    """Shows the people whom the script names, the largest first; person N turns by N tenths of a radian."""

    def __init__(self, script: Sequence[Sequence[int]]) -> None:
        self.script = script
        self.closed = 0

    def update(self, frame: Frame) -> tuple[Face, ...]:
        corners = np.array([[20, 10], [40, 10], [40, 30], [20, 30]])
        return tuple(
            Face(number, 0.9, np.array([20, 10, 40, 30]), corners, corners, state_of(number))
            for number in self.script[frame.index]
        )

    def reset(self) -> None: ...

    def close(self) -> None:
        self.closed += 1


def state_of(person: int) -> FaceState:
    values = np.zeros(len(FACE_CHANNELS))
    values[FACE_CHANNELS.index("yaw")] = person / 10
    return FaceState(values)


class Script:
    """Gives one expression after the other, as probable as a network's; a face is read ten times a second."""

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels: Iterator[str] = iter(labels)

    def predict(self, crops: ImageArray) -> FloatArray:
        labels = [next(self.labels) for _ in crops]
        return np.stack([np.where(np.asarray(EXPRESSIONS) == n, 0.86, 0.02) for n in labels]).astype("f4")


def play(cast: Sequence[Sequence[int]], labels: Sequence[str]) -> list[Moment]:
    pipeline = Pipeline(Cast(cast), ExpressionReader(Script(labels)), Animator())
    return [pipeline.step(Frame(IMAGE, index / 25, index)) for index in range(len(cast))]


def test_the_label_is_held_while_the_probabilities_waver() -> None:
    moments = play([[0]] * 120, ["sad"] * 10 + ["sad", "happy"] * 19)
    assert {moment.face.label for moment in moments} == {"sad"}


def test_the_label_follows_a_lasting_change() -> None:
    labels = [moment.face.label for moment in play([[0]] * 40, ["sad"] * 4 + ["happy"] * 12)]
    assert (labels[0], labels[-1]) == ("sad", "happy")
    assert sum(a != b for a, b in pairwise(labels)) == 1


def test_another_persons_past_does_not_color_a_face() -> None:
    face = play([[0]] * 10 + [[1]], ["sad"] * 4 + ["happy"])[-1].face
    assert (face.label, face.expression.label) == ("happy", "happy")


def test_a_moment_prints_as_one_line_also_with_two_people() -> None:
    line = repr(play([[0, 1]], ["sad", "happy"])[0])
    assert line.startswith("Moment at 0.00 s: Face 0: sad 0.86")
    assert "; Face 1: happy 0.86" in line
    assert "\n" not in line


def test_everybody_in_the_picture_is_read_and_held_apart() -> None:
    labels = [[face.label for face in moment.faces] for moment in play([[0, 1]] * 20, ["sad", "happy"] * 20)]
    assert labels == [["sad", "happy"]] * 20


def test_a_face_missed_for_a_frame_keeps_its_label() -> None:
    moments = play([[0]] * 10 + [[], [0]], ["sad"] * 10 + ["happy"])
    assert moments[10].face is None
    assert moments[11].face.label == "sad"


def turn_at_the_end(cast: Sequence[Sequence[int]]) -> float:
    """ParamAngleX at the end of a stream that calibrates on person 1 at its beginning."""
    pipeline = Pipeline(Cast(cast), None, Animator(mirror=False))
    pose = pipeline.step(Frame(IMAGE, 0.0, 0)).pose
    assert pipeline._animator.calibrate()
    for index in range(1, len(cast)):
        pose = pipeline.step(Frame(IMAGE, index / 25, index)).pose
    return float(pose.values[list(AVATAR_PARAMETERS).index("ParamAngleX")])


def test_calibration_is_the_persons_own() -> None:
    kept = turn_at_the_end([[1]] * 30)
    absent = turn_at_the_end([[1]] * 5 + [[]] * 40 + [[2]] * 30)
    taken_over = turn_at_the_end([[1, 2]] * 5 + [[2, 1]] * 30)
    unknown = turn_at_the_end([[1]] + [[2]] * 30)
    assert kept == pytest.approx(0, abs=0.5)  # Person 1 faces the screen at 0.1 rad.
    assert taken_over == pytest.approx(0, abs=0.5)  # Person 2, at 0.2 rad, has a neutral of its own,
    assert min(unknown, absent) > 3  # but who comes back from absence is taken for the same person.


def test_nothing_is_read_while_reading_is_off_and_it_starts_anew_after() -> None:
    pipeline = Pipeline(Cast([[0]] * 3), ExpressionReader(Script(["sad", "happy"])), Animator())
    labels = []
    for index, reads in enumerate([True, False, True]):
        pipeline.read_expressions = reads
        labels.append(pipeline.step(Frame(IMAGE, index / 25, index)).face.label)
    assert labels == ["sad", None, "happy"]


def test_a_listener_moves_the_avatar_and_the_speakers_expression_does_not(tmp_path: Path) -> None:
    labels = ["happy"] * 40
    cast = Cast([[4]] * 40)
    listener = LiveListener(tiny_listener.listener(tmp_path))
    pipeline = Pipeline(cast, ExpressionReader(Script(labels)), Animator(mirror=False), listener=listener)
    for index in range(40):
        pipeline.hear(AudioChunk(np.zeros(640, np.float32), 16_000, index / 25))
        moment = pipeline.step(Frame(IMAGE, index / 25, index))
    assert moment.face.label == "happy"  # It is still read,
    assert pipeline._animator.expression == "neutral"  # and not worn.
    assert moment.timings_ms.keys() == {"face", "expression", "listen", "avatar"}
    # Person 4 turns by 0.4 rad; the tiny listener's head never turns.
    turn = list(AVATAR_PARAMETERS).index("ParamAngleX")
    assert abs(moment.pose.values[turn]) < 1


def test_the_avatar_does_not_jump_when_the_mode_changes(tmp_path: Path) -> None:
    pipeline = Pipeline(Cast([[4]] * 120), None, Animator(mirror=False))
    turns = []
    for index in range(120):
        if index in (40, 80):
            pipeline.listen(LiveListener(tiny_listener.listener(tmp_path)) if index == 40 else None)
        pose = pipeline.step(Frame(IMAGE, index / 25, index)).pose
        turns.append(float(pose.values[list(AVATAR_PARAMETERS).index("ParamAngleX")]))
        assert pipeline._animator.acting == (40 <= index < 80)  # A listener's nods are small.
    assert min(turns[30], turns[110]) > 8  # Person 4 turns by 0.4 rad; the tiny listener does not.
    assert abs(turns[70]) < 2
    assert np.abs(np.diff(turns)).max() < 4


@pytest.mark.parametrize(("later", "met"), [([5, 4], 1), ([5], 0), ([4, 5], 0)])
def test_a_listener_is_told_of_another_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, later: list[int], met: int
) -> None:
    listener, told = LiveListener(tiny_listener.listener(tmp_path)), []
    monkeypatch.setattr(listener, "start_new_person", lambda: told.append(1))
    pipeline = Pipeline(Cast([[4]] * 5 + [later] * 5), None, Animator(), listener=listener)
    for index in range(10):
        pipeline.step(Frame(IMAGE, index / 25, index))
    # Who comes back under a new number is most likely the same.
    assert len(told) == met


def test_mirroring_hears_nothing_and_a_reset_forgets_the_stream(tmp_path: Path) -> None:
    echo = tiny_listener.Echo()
    pipeline = Pipeline(Cast([[0]] * 60), None, Animator())
    pipeline.hear(AudioChunk(np.zeros(640, np.float32), 16_000, 0.0))
    pipeline.listen(LiveListener(tiny_listener.listener(tmp_path, echo)))
    for _ in range(2):  # The second stream begins at 0 again.
        pipeline.reset()
        for index in range(10):
            pipeline.step(Frame(IMAGE, index / 25, index))
    assert len(echo.heard) == 18


def test_times_of_a_stream_increase() -> None:
    pipeline = Pipeline(Cast([[0]] * 4), None, Animator())
    pipeline.step(Frame(IMAGE, 1.0))
    for time_s in (1.0, 0.5):
        with pytest.raises(
            InputError, match=rf"a frame at {time_s}00 s comes after one at 1.000 s: .*reset\(\)"
        ):
            pipeline.step(Frame(IMAGE, time_s))
    assert pipeline.step(Frame(IMAGE, 1.04)).faces
    with pytest.raises(InputError, match=r"found ndarray; expected a Frame: Frame\(image_rgb, time_s\)"):
        pipeline.step(IMAGE)  # type: ignore[arg-type]


def test_the_tokens_that_were_kept_are_told_where_an_expression_is_read() -> None:
    session = session_of(tiny_sparse.network(), "the tiny network")
    reader = ExpressionReader(SparseClassifier(session, 0.5))
    pipeline = Pipeline(Cast([[0], [], [0], [0]]), reader, Animator())
    told = []
    for index in range(4):
        pipeline.read_expressions = index != 3
        moment = pipeline.step(Frame(IMAGE, index / 30, index))
        kept = None if moment.face is None else moment.face.kept
        told.append(None if kept is None else (kept.shape, int(kept.sum())))
    seen = ((tiny_sparse.GRID, tiny_sparse.GRID), tiny_sparse.GRID**2 // 2)
    assert told == [seen, None, seen, None]


def test_a_recognizer_that_keeps_all_tokens_tells_none() -> None:
    assert [moment.face.kept for moment in play([[0]], ["sad"])] == [None]


def test_a_wrong_part_is_named() -> None:
    with pytest.raises(InputError, match="listener is True; expected a visavis"):
        Pipeline(Cast([]), None, listener=True)
    with pytest.raises(InputError, match="animator is 3; expected an Animator or None"):
        Pipeline(Cast([]), None, 3)


@pytest.mark.parametrize("reader", [None, ExpressionReader(Script([]))])
def test_closing_frees_the_tracker(reader: ExpressionReader | None) -> None:
    cast = Cast([])
    Pipeline(cast, reader, Animator()).close()
    assert cast.closed == 1


def test_a_profile_is_the_persons_and_never_the_listeners(tmp_path: Path) -> None:
    animator = Animator(mirror=False, profile=PROFILE)
    pipeline = Pipeline(Cast([[4]] * 40), None, animator)
    known = animator._mapper._reach.gain("smile")
    assert known > 1
    pipeline.listen(LiveListener(tiny_listener.listener(tmp_path)))
    assert animator._mapper._reach.gain("smile") == 1
    pipeline.reset()
    assert animator._mapper._reach.gain("smile") == 1
    pipeline.listen(None)
    assert animator._mapper._reach.gain("smile") == known


@pytest.mark.slow
def test_streams_that_share_networks_do_not_disturb_each_other() -> None:
    frames = list(islice(PortraitClip(), 20))
    turned = [
        Frame(np.ascontiguousarray(each.image_rgb[:, ::-1]), each.time_s, each.index) for each in frames
    ]
    alone = [
        [pipeline.step(frame) for frame in film] for film in (frames, turned) for pipeline in [Pipeline()]
    ]
    first, second = Pipeline(), Pipeline()
    together = [(first.step(one), second.step(other)) for one, other in zip(frames, turned, strict=True)]
    for before, now in zip(alone, zip(*together, strict=True), strict=True):
        assert [len(moment.faces) for moment in before] == [1] * 20
        for a, b in zip(before, now, strict=True):
            np.testing.assert_array_equal(a.pose.values, b.pose.values)
            np.testing.assert_array_equal(a.face.landmarks_xy, b.face.landmarks_xy)
            np.testing.assert_array_equal(a.face.expression.values, b.face.expression.values)
