"""Covered faces: what is laid over a face, and what stays visible."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support.tiny_faces import write
from visavis_train.face.data import covering
from visavis_train.face.data.covering import PARTS, CoveredFaces, cover
from visavis_train.face.data.faces import load_faces

POINTS = 224


class Kind(np.random.Generator):
    """Random numbers, except that the first choice is known."""

    def __init__(self, kind: str, seed: int) -> None:
        super().__init__(np.random.PCG64(seed))
        self.kind: str | None = kind

    def choice(self, a, *args, **named):
        kind, self.kind = self.kind, None
        return super().choice(a, *args, **named) if kind is None else kind


@pytest.fixture(scope="module")
def points() -> np.ndarray:
    """The landmarks of a plain face in a picture of 224 px."""
    from visavis.capture.portrait import PortraitClip
    from visavis.face.detector import FaceDetector
    from visavis.face.network import FaceNetwork
    from visavis.face.region import LANDMARK_MARGIN, FaceRegion

    with PortraitClip() as clip:
        picture = next(iter(clip)).image_rgb
    network = FaceNetwork()
    region = FaceRegion.from_box(FaceDetector().detect(picture)[0].box_xyxy, LANDMARK_MARGIN)
    for _ in range(3):
        (reading,) = network.read(picture, [region])
        region = network.next_region(reading)
    return (reading.landmarks[:, :2] + 0.5) * POINTS


@pytest.mark.parametrize(
    ("kind", "visible"),
    [
        ("bare", (1, 1, 1)),
        ("clear glasses", (1, 1, 1)),
        ("mask", (1, 1, 0)),
        ("sunglasses", (0, 0, 1)),
    ],
)
def test_what_is_laid_over_a_face_hides_its_parts(kind: str, visible: tuple[int, ...], points) -> None:
    gray = np.full((POINTS, POINTS, 3), 128, np.uint8)
    found = [cover(Kind(kind, seed), gray, points) for seed in range(20)]
    assert np.mean([seen for _, seen in found], axis=0) == pytest.approx(visible, abs=0.35)
    for image, seen in found:
        changed = np.abs(image.astype(int) - 128).max(axis=2) > 3
        for part, share in zip(PARTS, seen, strict=True):
            x, y = points[part].mean(axis=0).astype(int)
            if share == 0 and kind == "mask":
                assert changed[y, x]
        assert changed.any() == (kind != "bare")


def test_darkness_and_blur_hide_all_parts_alike(points) -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (POINTS, POINTS, 3), np.uint8)
    for kind in ("dark", "blur"):
        found = [cover(Kind(kind, seed), picture, points) for seed in range(40)]
        shares = np.asarray([seen for _, seen in found])
        assert (np.ptp(shares, axis=1) == 0).all()
        assert shares.min() == 0
        assert shares.max() == 1
        spread = np.asarray([image.std() for image, _ in found])
        assert spread[shares[:, 0] == 0].max() < spread[shares[:, 0] == 1].min()


def test_views_depend_on_their_seed_alone(tmp_path: Path) -> None:
    pack = load_faces(write(tmp_path))
    one, again, other = (CoveredFaces(pack, np.arange(8), seed) for seed in (1, 1, 2))
    pairs = [(one[i], again[i], other[i]) for i in range(8)]
    assert all((a[0] == b[0]).all() and (a[1] == b[1]).all() for a, b, _ in pairs)
    assert any((a[0] != c[0]).any() for a, _, c in pairs)
    assert one[0][0].shape[0] == covering.INPUT_PX
