"""Turned and small copies of faces: their true places, and their detection."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support.known_faces import labels, write_pack
from visavis.channels import FACE_CHANNELS
from visavis.datasets.face_labels import FaceLabelPack
from visavis.evaluate.face_finding import COPIES, Copy, lay, measure_finding
from visavis.face.region import FaceRegion
from visavis.types import Face, FaceState, Frame


class Seer:
    """Sees the face in the middle of the picture, as turned and as large as it is told."""

    def __init__(self, roll_deg: float = 0.0, factor: float = 1.0, blind: bool = False) -> None:
        self.roll_rad, self.factor, self.blind = np.radians(roll_deg), factor, blind
        self.copies = [copy for copy in COPIES for _ in range(3)]

    def update(self, frame: Frame) -> tuple[Face, ...]:
        copy = self.copies.pop(0)
        if self.blind:
            return ()
        height, width = frame.image_rgb.shape[:2]
        size = copy.height * width * 1.5 * self.factor
        region = FaceRegion((width / 2, height / 2), size, np.radians(copy.roll_deg) + self.roll_rad)
        corners, state = region.corners(), FaceState(np.zeros(len(FACE_CHANNELS)))
        return (Face(0, 1.0, np.zeros(4), corners, corners, state),)

    def reset(self) -> None: ...

    def close(self) -> None: ...


@pytest.mark.parametrize("copy", COPIES, ids=lambda copy: f"{copy.roll_deg:g}-{copy.height}")
def test_a_copy_cut_out_again_is_the_crop(copy: Copy) -> None:
    y, x = np.mgrid[:224, :224]
    crop = np.stack([x, y, (x + y) // 2], axis=-1).astype(np.uint8)
    region = FaceRegion((111.5, 111.5), 160.0)
    picture, laid = lay(crop, region, copy)
    assert picture.shape == (480, 640, 3)
    assert laid.size_px / 1.5 == pytest.approx(copy.height * 640)
    side = 32
    again, wanted = laid.crop(picture, side).astype(int), region.crop(crop, side).astype(int)
    assert np.abs(again - wanted)[2:-2, 2:-2].max() <= 6


@pytest.mark.parametrize(
    ("seer", "right", "roll", "size"),
    [
        (Seer(), 1.0, 0.0, 1.0),
        (Seer(roll_deg=8), 1.0, 8.0, 1.0),
        (Seer(roll_deg=180), 0.0, 180.0, 1.0),
        (Seer(factor=1.5), 0.0, 0.0, 1.5),
    ],
)
def test_who_sees_the_face_there_is_right(
    tmp_path: Path, seer: Seer, right: float, roll: float, size: float
) -> None:
    pack = FaceLabelPack.load(write_pack(tmp_path / "pack", labels()))
    steps: list[None] = []
    found = measure_finding(pack, seer, [0, 4, 7], lambda: steps.append(None))
    assert [each.copy for each in found] == list(COPIES)
    assert len(steps) == 3 * len(COPIES)
    for each in found:
        assert (each.n, each.found, each.right) == (3, 1.0, right)
        assert each.roll_deg == pytest.approx(roll, abs=1e-3)
        assert each.size == pytest.approx(size, rel=1e-5)


def test_who_sees_nothing_has_found_nothing(tmp_path: Path) -> None:
    pack = FaceLabelPack.load(write_pack(tmp_path / "pack", labels()))
    for each in measure_finding(pack, Seer(blind=True), [0, 4, 7], lambda: None):
        assert (each.found, each.right) == (0, 0)
        assert np.isnan(each.roll_deg)
