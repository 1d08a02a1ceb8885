from __future__ import annotations

import ctypes

import numpy as np
import pytest

from visavis.avatar import thorvg
from visavis.avatar.puppet_path import controls
from visavis.avatar.puppet_raster import Raster
from visavis.avatar.rig import Layer, Line, Paint, Posed, Rig
from visavis.avatar.rig_keys import Floats, KeyTable
from visavis.errors import VisavisError
from visavis.types import ImageArray

SIZE = 100
RED = Paint("solid", np.array([[0, 250, 0, 0, 1]], np.float64))


def rectangle(x0: float, y0: float, x1: float, y1: float) -> Floats:
    knots = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    return controls(knots, [True] * 4, closed=True)


def draw(
    *parts: tuple[Floats, Paint | None, Line | None, int | None],
    anchors: Floats | None = None,
    opacities: tuple[float, ...] | None = None,
    size_px: int = SIZE,
) -> ImageArray:
    """Layers (outline, fill, line, clip) over black; the anchors are the last one's."""
    layers, columns = [], []
    for index, (outline, fill, line, clip) in enumerate(parts):
        last = index == len(parts) - 1 and anchors is not None
        points = np.concatenate([outline, anchors]) if last and anchors is not None else outline
        start = sum(map(len, columns))
        layer = Layer(
            f"layer {index}", start, start + len(points), 4, fill, line, clip, 1.0, (), backdrop=False
        )
        layers.append(layer)
        columns.append(points)
    points = np.concatenate(columns)
    nil = np.zeros(len(points))
    rig = Rig(
        "test", SIZE, {}, {}, tuple(layers), KeyTable([], len(points)), (), points, nil, nil, nil, nil, nil
    )
    black = np.full((size_px, size_px, 4), (0, 0, 0, 255), np.uint8)
    return Raster(rig, size_px, backdrop=False).paint(Posed(points, opacities or (1.0,) * len(parts)), black)


def test_an_area_covers_its_outline_and_no_more() -> None:
    image = draw((rectangle(20, 30.25, 60.5, 70), RED, None, None))
    assert image[31:70, 20:60].min(axis=(0, 1)).tolist() == [250, 0, 0]
    assert image.astype(int).sum() / 250 == pytest.approx(40.5 * 39.75, rel=2e-3)
    assert image[50, 60, 0] == pytest.approx(125, abs=2)
    assert image[30, 40, 0] == pytest.approx(0.75 * 250, abs=2)


def test_the_drawing_scales_to_the_picture() -> None:
    image = draw((rectangle(20, 30, 60, 70), RED, None, None), size_px=50)
    assert (image[..., 0] == 250).nonzero()[0].tolist() == sorted(np.repeat(np.arange(15, 35), 20).tolist())


def test_what_is_translucent_mixes_with_what_lies_behind() -> None:
    below, above = rectangle(0, 0, 100, 100), rectangle(50, 0, 100, 100)
    green = Paint("solid", np.array([[0, 0, 200, 0, 0.5]], np.float64))
    image = draw((below, RED, None, None), (above, green, None, None), opacities=(1.0, 0.5))
    assert image[50, 20].tolist() == [250, 0, 0]
    assert np.allclose(image[50, 80], [187.5, 50, 0], atol=2)


@pytest.mark.parametrize("bound_shows", [0.0, 1.0])
def test_a_clip_bounds_whether_its_layer_shows_or_not(bound_shows: float) -> None:
    blue = Paint("solid", np.array([[0, 0, 0, 250, 1]], np.float64))
    image = draw(
        (rectangle(0, 0, 50, 50), blue, None, None),
        (rectangle(25, 25, 75, 75), RED, None, 0),
        opacities=(bound_shows, 1.0),
    )
    assert (image[..., 0] > 0).sum() == 25 * 25
    assert image[30, 30].tolist() == [250, 0, 0]
    assert image[60, 60].tolist() == [0, 0, 0]


@pytest.mark.parametrize("kind", ["linear", "radial"])
def test_gradients_run_along_their_anchors(kind: str) -> None:
    paint = Paint(kind, np.array([[0, 0, 0, 0, 1], [1, 250, 250, 250, 1]], np.float64))
    anchors = np.array([[10, 5], [90, 5], [10, 45]][: 2 if kind == "linear" else 3], np.float64)
    row = draw((rectangle(0, 0, 100, 100), paint, None, None), anchors=anchors)[..., 0].astype(float)
    assert np.allclose(row[5, 10:90:20], 250 / 80 * np.arange(0.5, 80, 20), atol=4)
    assert row[5, 95] == 250
    if kind == "radial":
        assert row[25, 10] == pytest.approx(125, abs=5)  # halfway along the shorter half axis


def test_ink_has_its_width_and_tapers() -> None:
    outline = controls(
        np.array([[10, 50], [40, 50], [60, 50], [80, 50], [90, 50]], float), [False] * 5, False
    )
    line = Line(np.array([250, 0, 0, 1], np.float64), 8.0, (0.0, 1.0), ((0, 4),))
    image = draw((outline, None, line, None))[..., 0] / 250
    assert image[:, 60].sum() == pytest.approx(8, abs=0.2)  # at its middle knot
    assert image[:, 12].sum() < 3
    assert image[:, 88].sum() > 7


def test_a_collapsed_area_is_no_error() -> None:
    flat = Paint("radial", np.array([[0, 0, 0, 0, 1], [1, 250, 250, 250, 1]], np.float64))
    nowhere = np.array([[50, 50], [50, 50], [50, 50]], np.float64)
    assert draw((rectangle(50, 50, 50, 50), flat, None, None), anchors=nowhere).max() <= 250


def test_a_failed_call_is_an_error() -> None:
    with pytest.raises(VisavisError, match="canvas_update failed"):
        thorvg.thorvg().update(ctypes.c_void_p(None))


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(**_: object) -> None:
        raise OSError("Could not load thorvg library")

    monkeypatch.setattr(thorvg, "Engine", missing)
    with pytest.raises(VisavisError, match="reinstall the package thorvg-python"):
        thorvg.thorvg.__wrapped__()
