from pathlib import Path

import numpy as np
import pytest

from support.conversations import face_numbers
from visavis.channels import FACE_INDEX
from visavis.datasets.dyads import WIDTHS, Corpus, Dyad, Dyads, FaceSpace, Person, cut_to_shortest
from visavis.errors import InputError


def person(name: str = "A", frames: int = 5, width: int = 58) -> Person:
    return Person(name, face_numbers(len(name), frames, width))


def dyad(space: FaceSpace = FaceSpace.VISAVIS, **changes: object) -> Dyad:
    width = WIDTHS[space]
    values = {"speaker": person("A", width=width), "listener": person("BB", width=width), "fps": 25.0}
    return Dyad("chat/1", "val", space, **{**values, **changes})


def test_tracks_know_where_no_face_was() -> None:
    face = face_numbers(0, 4)
    face[2] = np.nan
    speaker, listener = dyad(speaker=Person("A", face), listener=person("B", 4)).tracks()
    assert speaker.found.tolist() == [True, True, False, True]
    assert speaker.time_s.tolist() == pytest.approx([0, 0.04, 0.08, 0.12])
    assert np.isnan(speaker.expression).all()
    assert listener.found.all()


def test_another_rate_keeps_times_and_gaps() -> None:
    """30 frames a second, of which frame k has the value k: at 25, frame k has the value 1.2 k."""
    face = np.repeat(np.arange(31.0, dtype=np.float32)[:, None], 58, axis=1)
    expression = np.repeat(np.arange(31, dtype=np.float32)[:, None], 25, axis=1)
    expression[:, :15] %= 2
    gap = face.copy()
    gap[7] = np.nan
    one = dyad(speaker=Person("A", face, expression), listener=Person("B", gap), fps=30.0)
    slow = one.at_rate(25.0)
    assert (slow.fps, len(slow)) == (25.0, 26)
    np.testing.assert_allclose(slow.speaker.face[:, 0], 1.2 * np.arange(26), atol=1e-4)
    np.testing.assert_allclose(slow.speaker.expression[:, 16], 1.2 * np.arange(26), atol=1e-4)
    # Occurrences stay occurrences.
    np.testing.assert_array_equal(slow.speaker.expression[:, 0], np.rint(1.2 * np.arange(26)) % 2)
    # 6 lies at frame 5; 7.2 and 8.4 lie beside and past the gap.
    assert np.isnan(slow.listener.face[:, 0]).nonzero()[0].tolist() == [6]
    assert one.at_rate(30.0) is one
    assert len(one.at_rate(60.0)) == 61


def test_the_rotation_of_faceverse_is_put_into_our_order() -> None:
    one = dyad(FaceSpace.FACEVERSE)
    track, stored = one.tracks()[0].face, one.speaker.face
    pitch, yaw, roll = 52, 53, 54
    assert np.array_equal(track[:, FACE_INDEX["yaw"]], stored[:, yaw])
    assert np.array_equal(track[:, FACE_INDEX["pitch"]], stored[:, pitch])
    assert np.array_equal(track[:, FACE_INDEX["roll"]], stored[:, roll])
    rest = [*range(52), 55, 56, 57]
    assert np.array_equal(track[:, rest], stored[:, rest])


@pytest.mark.parametrize("space", [FaceSpace.BFM, FaceSpace.DECA])
def test_other_coefficients_are_no_face_states(space: FaceSpace) -> None:
    with pytest.raises(
        InputError, match=f"chat/1: {space} coefficients have no public map to blendshape weights"
    ):
        dyad(space).tracks()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fps": 0.0}, "fps must be positive; found 0.0"),
        ({"fps": float("nan")}, "fps must be positive"),
        ({"listener": person("B", 4)}, "A has 5 frames and B 4; expected as many"),
        ({"speaker": person("A", 0), "listener": person("B", 0)}, "and at least one"),
        ({"speaker": person("A", width=56)}, "the face of A has 56 numbers a frame; visavis has 58"),
    ],
)
def test_what_contradicts_itself_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        dyad(**changes)


def test_infinity_and_other_shapes_are_refused() -> None:
    face = face_numbers(0, 3)
    with pytest.raises(InputError, match=r"expression of A has shape \(2, 25\)"):
        Person("A", face, face_numbers(1, 2, 25))
    face[1, 2] = np.inf
    with pytest.raises(InputError, match=r"face of A holds inf at index \(1, 2\)"):
        Person("A", face)


def test_conversations_are_read_one_by_one() -> None:
    seen: list[int] = []

    def reader(number: int) -> Dyad:
        seen.append(number)
        return dyad()

    some = Dyads("REACT", "val", tuple(lambda n=n: reader(n) for n in range(3)))
    assert len(some) == 3
    assert seen == []
    iterator = iter(some)
    next(iterator)
    assert seen == [0]
    assert some[2].key == "chat/1"
    assert seen == [0, 2]


def test_an_empty_split_and_an_unknown_one_are_refused() -> None:
    with pytest.raises(InputError, match="REACT, val: no conversations"):
        Dyads("REACT", "val", ())
    corpus = Corpus("REACT", Path("react"), ("train", "val"), lambda split: Dyads("REACT", split, (dyad,)))
    assert len(corpus.read("val")) == 1
    with pytest.raises(InputError, match=": no split 'test' here; it has train, val"):
        corpus.read("test")


def test_cutting_keeps_the_beginning_and_has_its_limit() -> None:
    long, short = face_numbers(0, 9), face_numbers(1, 8)
    cut = cut_to_shortest("val.csv:2", {"face": long, "expression": short}, 1)
    assert np.array_equal(cut[0], long[:8])
    assert np.array_equal(cut[1], short)
    with pytest.raises(InputError, match=r"val\.csv:2: different numbers of frames: face 9, expression 7"):
        cut_to_shortest("val.csv:2", {"face": long, "expression": short[:7]}, 1)
