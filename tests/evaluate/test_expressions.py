"""Evaluation with a network that reads the answer from a picture's grey level."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from support import tiny_sparse
from support.gray_faces import GrayReader, faces
from visavis.base import networks
from visavis.base.clock import ManualClock
from visavis.channels import EXPRESSIONS
from visavis.datasets.duplicates import Repeats
from visavis.datasets.faces import LabeledFaces
from visavis.errors import InputError, WeightsError
from visavis.evaluate.expressions import Duplicates, Evaluation, Model, evaluate, evaluate_steps
from visavis.expression.labels import FER2013_LABELS
from visavis.expression.sparse import SparseClassifier
from visavis.metrics.expression import Reliability
from visavis.types import FloatArray, ImageArray

SEVEN = ("Surprise", "Fear", "Disgust", "Happiness", "Sadness", "Anger", "Neutral")


def run(data: LabeledFaces, training: LabeledFaces | None = None) -> Evaluation:
    return evaluate(data, GrayReader(), training=training, clock=ManualClock())  # type: ignore[arg-type]


def test_fer2013_is_read_from_its_own_output() -> None:
    found = run(faces("FER-2013", FER2013_LABELS, range(7), [0, 10, 20, 30, 40, 50, 50]))
    assert found.scores.accuracy == pytest.approx(6 / 7)
    assert found.confusion[6].tolist() == [0, 0, 0, 0, 0, 1, 0]
    assert found.names == FER2013_LABELS


def test_other_sevens_are_read_given_that_none_is_contempt() -> None:
    # Level 10 k is our expression k; the data set has its own words and order.
    ours = [EXPRESSIONS.index(word) for word in ("surprise", "fear", "disgust", "happy", "sad", "anger")]
    levels = [10 * column for column in (*ours, EXPRESSIONS.index("contempt"))]
    found = run(faces("RAF-DB", SEVEN, range(7), levels))
    assert found.scores.recall[:6].tolist() == [1] * 6
    assert found.confusion.shape == (7, 7)
    # A face read as contempt says nothing of the others: it counts as the first.
    assert found.confusion[6].tolist() == [1, 0, 0, 0, 0, 0, 0]


def test_eight_are_read_as_they_are() -> None:
    names = ("Neutral", "Happy", "Sad", "Surprise", "Fear", "Disgust", "Anger", "Contempt")
    found = run(faces("AffectNet", names, range(8), range(0, 80, 10)))
    assert found.scores.accuracy == 1
    assert found.calibration_error == pytest.approx(0.1, abs=1e-6)
    assert found.interval_95 == (1, 1)


def test_fewer_classes_are_read_given_that_the_face_shows_one_of_them() -> None:
    found = run(faces("ImageFolder", ("happy", "angry"), [0, 1, 1], [10, 60, 10]))
    assert found.confusion.tolist() == [[1, 0], [1, 1]]
    assert found.n == 3


def test_classes_that_are_no_expressions_are_refused() -> None:
    with pytest.raises(InputError, match="classes must be different expressions; found happy, bored"):
        run(faces("mine", ("happy", "bored"), [0], [10]))


def test_faces_of_training_are_counted_and_left_out() -> None:
    data = faces("FER-2013", FER2013_LABELS, [0, 1, 2, 3], [0, 10, 0, 0])
    training = faces("FER-2013", FER2013_LABELS, [0, 0], [10, 55])
    assert run(data).duplicates is None
    assert run(data, training).duplicates == Duplicates(1, 3, pytest.approx(1 / 3))
    assert run(data, data).duplicates == Duplicates(4, 0, None)


def test_pictures_that_stand_in_the_split_twice_are_counted_with_their_labels() -> None:
    data = faces("FER-2013", FER2013_LABELS, [0, 0, 1, 2, 3, 3], [0, 0, 10, 10, 30, 40])
    assert run(data).repeats == Repeats(2, 4, 1, 2)
    assert run(faces("FER-2013", FER2013_LABELS, [0, 1], [0, 10])).repeats == Repeats(0, 0, 0, 0)


def test_reliability_is_that_of_the_answers() -> None:
    data = faces("FER-2013", FER2013_LABELS, [0, 1, 2, 3], [0, 10, 0, 0])
    found, expected = run(data), Reliability.of(run(data).probabilities, data.labels)
    np.testing.assert_array_equal(found.reliability.faces, expected.faces)
    assert found.calibration_error == expected.error == pytest.approx(0.4, abs=1e-6)


def test_progress_is_told_as_announced() -> None:
    data = faces("FER-2013", FER2013_LABELS, [0] * 70, [0] * 70)
    for training in (None, data):
        told: list[None] = []
        evaluate(
            data,
            GrayReader(),  # type: ignore[arg-type]
            training=training,
            clock=ManualClock(),
            on_step=lambda told=told: told.append(None),
        )
        assert len(told) == evaluate_steps(data, training)


def test_speed_is_that_of_single_faces_after_a_warm_up() -> None:
    class Slow(GrayReader):
        def _shares(self, crops: ImageArray, classes: int) -> FloatArray:
            cold = len(self.calls) < 21
            clock.sleep_s((1.0 if cold else 0.002) * len(crops))
            return super()._shares(crops, classes)

    clock, reader = ManualClock(), Slow()
    data = faces("FER-2013", FER2013_LABELS, [0] * 70, [0] * 70)
    found = evaluate(data, reader, clock=clock)  # type: ignore[arg-type]
    assert found.ms_per_face == pytest.approx(2.0)
    assert reader.calls == [64, 6] + [1] * 120


@pytest.mark.parametrize(("keep", "kept"), [(0.25, 0.25), (0.1, 15 / 144)])
def test_what_is_kept_of_a_face_is_told(keep: float, kept: float) -> None:
    data = faces("FER-2013", FER2013_LABELS, [0] * 5, [0, 40, 80, 120, 250])
    classifier = SparseClassifier(networks.session_of(tiny_sparse.network(), "the tiny network"), keep)
    assert evaluate(data, classifier, clock=ManualClock()).tokens_kept == kept
    assert run(faces("FER-2013", FER2013_LABELS, [0], [10])).tokens_kept is None


# The network and its file.


@pytest.fixture
def network() -> bytes:
    return networks.read("expression")


def test_a_file_of_ones_own_is_the_same_network(tmp_path: Path, network: bytes) -> None:
    (tmp_path / "mine.onnx").write_bytes(network)
    mine, ours = Model.load(tmp_path / "mine.onnx", mirror=True), Model.embedded()
    assert (mine.name, ours.name) == ("mine.onnx", "expression")
    assert mine.size_bytes == ours.size_bytes == len(network)
    assert mine.sha256 == ours.sha256 == hashlib.sha256(network).hexdigest()
    assert (mine.classifier.mirror, ours.classifier.mirror) == (True, False)
    crops = np.random.default_rng(0).integers(0, 256, (2, 48, 48), np.uint8)
    both = np.stack([ours.classifier.predict(crops), ours.classifier.predict(crops[..., ::-1])])
    np.testing.assert_allclose(mine.classifier.predict(crops), both.mean(axis=0), atol=1e-6)


@pytest.mark.parametrize("keep", [None, 0.5])
def test_a_file_that_drops_tokens_is_known_by_its_inputs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: float | None
) -> None:
    data = tiny_sparse.embed(monkeypatch)
    (tmp_path / "mine.onnx").write_bytes(data)
    mine = Model.load(tmp_path / "mine.onnx", mirror=True, keep=keep)
    ours = Model.embedded("sparse", mirror=True, keep=keep)
    assert (mine.name, ours.name, mine.sha256) == ("mine.onnx", "expression_sparse", ours.sha256)
    for model in (mine, ours):
        assert isinstance(model.classifier, SparseClassifier)
        assert model.classifier.mirror
        assert model.classifier.keep == (keep or 0.25)


def test_a_keep_rate_for_a_file_that_keeps_all_tokens_is_refused(tmp_path: Path, network: bytes) -> None:
    (tmp_path / "mine.onnx").write_bytes(network)
    with pytest.raises(InputError, match=r"mine\.onnx: a keep rate"):
        Model.load(tmp_path / "mine.onnx", keep=0.3)


@pytest.mark.parametrize("data", [b"", b"text"])
def test_what_is_no_network_is_named(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "mine.onnx").write_bytes(data)
    with pytest.raises(WeightsError, match=rf"mine\.onnx: no ONNX network in its {len(data)} bytes; name a"):
        Model.load(tmp_path / "mine.onnx")


def test_another_network_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine.onnx").write_bytes(networks.read("face"))
    with pytest.raises(WeightsError, match=r"mine\.onnx: the expression network has crops.*expected images"):
        Model.load(tmp_path / "mine.onnx")


def test_a_network_of_many_ends_is_named_in_short(tmp_path: Path) -> None:
    (tmp_path / "mine.onnx").write_bytes(networks.read("listener"))
    with pytest.raises(WeightsError, match=r"the expression network has .*; expected images") as refused:
        Model.load(tmp_path / "mine.onnx")
    assert len(str(refused.value).replace(str(tmp_path), "")) < 200


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.onnx: no such file or folder"):
        Model.load(tmp_path / "none.onnx")


@pytest.mark.parametrize(("note", "expected"), [("1234", 1234), (None, None)])
def test_parameters_are_those_that_the_file_states(
    tmp_path: Path, network: bytes, note: str | None, expected: int | None
) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load_from_string(network)
    notes = {prop.key: prop.value for prop in model.metadata_props if prop.key != "parameters"}
    onnx.helper.set_model_props(model, notes if note is None else notes | {"parameters": note})
    onnx.save(model, tmp_path / "mine.onnx")
    assert Model.load(tmp_path / "mine.onnx").parameters == expected


def test_metadata_of_others_are_refused(tmp_path: Path, network: bytes) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load_from_string(network)
    onnx.helper.set_model_props(model, {"names": "{0: 'a'}"})
    onnx.save(model, tmp_path / "mine.onnx")
    with pytest.raises(WeightsError, match=r"mine\.onnx: the network's metadata are not"):
        Model.load(tmp_path / "mine.onnx")
