"""The points of MediaPipe's face mesh, compared with MediaPipe's own lists and with the network."""

from __future__ import annotations

import pytest

from visavis.face.mesh import LANDMARKS_146, OUTER_EYE_CORNERS, PARTS
from visavis.face.network import FaceNetwork


def test_the_parts_lie_among_the_146_and_share_no_point_but_the_ovals() -> None:
    for part, members in PARTS.items():
        assert set(members) <= set(LANDMARKS_146), part
    inner = [number for part, members in PARTS.items() if part != "oval" for number in members]
    assert len(inner) == len(set(inner))
    assert set(OUTER_EYE_CORNERS) <= set(PARTS["eyes"])


@pytest.mark.slow
def test_the_146_are_those_of_the_network_and_of_its_training() -> None:
    assert FaceNetwork().landmark_numbers == LANDMARKS_146
    models = pytest.importorskip("visavis_train.face.network")
    assert models.LANDMARKS_146 == LANDMARKS_146


def test_the_parts_are_those_of_mediapipe() -> None:
    vision = pytest.importorskip("mediapipe.tasks.python.vision")
    lists = vision.FaceLandmarksConnections

    def points(*names: str) -> set[int]:
        edges = [edge for name in names for edge in getattr(lists, f"FACE_LANDMARKS_{name}")]
        return {number for edge in edges for number in (edge.start, edge.end)}

    assert set(PARTS["eyes"]) == points("LEFT_EYE", "RIGHT_EYE")
    assert set(PARTS["brows"]) == points("LEFT_EYEBROW", "RIGHT_EYEBROW")
    assert set(PARTS["mouth"]) == points("LIPS")
    assert set(PARTS["oval"]) == points("FACE_OVAL")
    assert set(PARTS["irises"]) == points("LEFT_IRIS", "RIGHT_IRIS") | {468, 473}  # And their middles.
