from collections.abc import Callable
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from visavis.base import networks
from visavis.channels import EXPRESSIONS
from visavis.errors import InputError, WeightsError
from visavis.expression.classifier import ExpressionClassifier
from visavis.expression.labels import FER2013_LABELS
from visavis.expression.registry import open_classifier


class FakeSession:
    """Stands in for an ONNX Runtime session and records what it was fed."""

    def __init__(self, outputs: tuple[str, ...] = ("expressions", "labels")) -> None:
        self.outputs = outputs
        self.fed = np.empty(0)
        self.type = "tensor(uint8)"
        self.shape: list[str | int] = ["batch", 1, 48, 48]
        self.classes = {"expressions": 8, "labels": 7}

    def get_inputs(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name="images", type=self.type, shape=self.shape)]

    def get_outputs(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name=name) for name in self.outputs]

    def run(self, names: list[str], feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        self.fed = feed["images"]
        width = self.classes[names[0]]
        return [np.full((len(self.fed), width), 1 / width, np.float32)]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeSession]:
    notes = {"expressions": list(EXPRESSIONS), "labels": list(FER2013_LABELS)}
    monkeypatch.setattr(networks, "metadata", lambda _: notes)
    return FakeSession


def test_crops_become_gray_and_48_px(fake: Callable[..., FakeSession]) -> None:
    session = fake()
    answer = ExpressionClassifier(session).predict(np.full((3, 96, 96, 3), (255, 0, 0), np.uint8))  # type: ignore[arg-type]
    assert answer.shape == (3, 8)
    assert session.fed.shape == (3, 1, 48, 48)
    assert session.fed.dtype == np.uint8
    assert (session.fed == 76).all()  # 0.299 of red: ITU-R BT.601


def test_48_px_gray_is_passed_untouched(fake: Callable[..., FakeSession]) -> None:
    session = fake()
    faces = np.random.default_rng(0).integers(0, 256, (2, 48, 48), np.uint8)
    assert ExpressionClassifier(session).predict_labels(faces).shape == (2, 7)  # type: ignore[arg-type]
    np.testing.assert_array_equal(session.fed[:, 0], faces)


@pytest.mark.parametrize(
    "crops",
    [
        np.zeros((48, 48), np.uint8),
        np.zeros((1, 48, 40), np.uint8),
        np.zeros((1, 48, 48, 4), np.uint8),
        np.zeros((0, 48, 48), np.uint8),
        np.zeros((1, 48, 48), np.float32),
    ],
)
def test_other_crops_are_refused(fake: Callable[..., FakeSession], crops: np.ndarray) -> None:
    with pytest.raises(InputError, match="face crops"):
        ExpressionClassifier(fake()).predict(crops)  # type: ignore[arg-type]


def test_another_network_is_refused(fake: Callable[..., FakeSession]) -> None:
    with pytest.raises(WeightsError, match="expected images, expressions, labels"):
        ExpressionClassifier(fake(("landmarks", "weights")))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        ("tensor(float)", ["batch", 1, 48, 48]),
        ("tensor(uint8)", [1, 1, 48, 48]),
        ("tensor(uint8)", ["batch", 3, 48, 48]),
        ("tensor(uint8)", ["batch", 1, 48, 40]),
        ("tensor(uint8)", ["batch", 1, "height", "width"]),
        ("tensor(uint8)", ["batch", 48, 48]),
    ],
)
def test_other_pictures_are_refused(
    fake: Callable[..., FakeSession], kind: str, shape: list[str | int]
) -> None:
    session = fake()
    session.type, session.shape = kind, shape
    with pytest.raises(WeightsError, match=r"expected tensor\(uint8\) \[any, 1, S, S\]"):
        ExpressionClassifier(session)  # type: ignore[arg-type]


def test_answers_of_another_width_are_refused(fake: Callable[..., FakeSession]) -> None:
    session = fake()
    session.classes["labels"] = 8
    with pytest.raises(WeightsError, match=r"labels are \(2, 8\); expected \(2, 7\)"):
        ExpressionClassifier(session).predict_labels(np.zeros((2, 48, 48), np.uint8))  # type: ignore[arg-type]


def test_other_class_orders_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "metadata", lambda _: {"expressions": ["happy"], "labels": []})
    with pytest.raises(WeightsError, match="orders"):
        ExpressionClassifier(FakeSession())  # type: ignore[arg-type]


# The network that the package carries.


@pytest.fixture(scope="module")
def classifier() -> ExpressionClassifier:
    return open_classifier()


@pytest.fixture(scope="module")
def faces() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (4, 48, 48), np.uint8)


def test_embedded_answers_are_distributions(classifier: ExpressionClassifier, faces: np.ndarray) -> None:
    for answer in (classifier.predict(faces), classifier.predict_labels(faces)):
        np.testing.assert_allclose(answer.sum(axis=1), 1, atol=1e-5)
        assert (answer >= 0).all()


def test_embedded_a_batch_equals_its_faces(classifier: ExpressionClassifier, faces: np.ndarray) -> None:
    alone = np.concatenate([classifier.predict(face[None]) for face in faces])
    np.testing.assert_allclose(classifier.predict(faces), alone, atol=1e-5)


def test_color_of_a_gray_face_does_not_matter(classifier: ExpressionClassifier, faces: np.ndarray) -> None:
    color = np.stack([cv2.cvtColor(face, cv2.COLOR_GRAY2RGB) for face in faces])
    np.testing.assert_allclose(classifier.predict(color), classifier.predict(faces), atol=1e-5)


def test_light_hardly_matters(classifier: ExpressionClassifier, faces: np.ndarray) -> None:
    darker = (faces // 4 * 2).astype(np.uint8)
    brighter = (faces // 4 * 2 + 100).astype(np.uint8)
    np.testing.assert_allclose(classifier.predict(darker), classifier.predict(brighter), atol=1e-3)
