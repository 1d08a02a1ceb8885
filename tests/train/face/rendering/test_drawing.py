"""The rasteriser, compared with results by hand, and the crop's geometry."""

from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visavis.errors import MissingExtraError
from visavis_train.face.network import EYE_CORNERS
from visavis_train.face.rendering import raster
from visavis_train.face.rendering.baking import filled
from visavis_train.face.rendering.camera import crop_around, on_plane, sample_view

SIDE = 24


def covered(
    screen: list[tuple[float, float, float]], triangles: list[tuple[int, int, int]], both: bool = False
):
    depth = np.full((SIDE, SIDE), np.inf, np.float32)
    nearest = np.full((SIDE, SIDE), -1, np.int32)
    where = np.zeros((SIDE, SIDE, 2), np.float32)
    mesh = np.asarray(triangles, np.int32)
    raster.cover(np.asarray(screen, np.float32), mesh, 0, len(mesh), both, depth, nearest, where)
    return depth, nearest, where


def test_a_triangle_covers_its_half_of_a_square() -> None:
    # Counterclockwise with y up is clockwise on the screen.
    depth, nearest, where = covered([(0, 0, 5), (0, 20, 5), (20, 0, 5)], [(0, 1, 2)])
    row, column = np.mgrid[:SIDE, :SIDE]
    inside = row + column <= 20
    np.testing.assert_array_equal(nearest == 0, inside)
    assert (depth[inside] == 5).all()
    np.testing.assert_allclose(where[inside] * 20, np.stack([row, column], -1)[inside], atol=1e-4)


def test_back_sides_are_drawn_only_when_asked() -> None:
    corners = [(0.0, 0.0, 5.0), (20.0, 0.0, 5.0), (0.0, 20.0, 5.0)]
    assert (covered(corners, [(0, 1, 2)])[1] == -1).all()
    assert (covered(corners, [(0, 1, 2)], both=True)[1] == 0).any()


@given(st.permutations(range(3)))
def test_the_nearest_triangle_wins_in_any_order(order: list[int]) -> None:
    screen, triangles = [], []
    for place, depth in enumerate(order):
        screen += [(0, 0, 5 + depth), (0, 20, 5 + depth), (20, 0, 5 + depth)]
        triangles.append((3 * place, 3 * place + 1, 3 * place + 2))
    _, nearest, _ = covered(screen, triangles)
    assert (nearest[nearest >= 0] == order.index(0)).all()


def test_a_texel_is_read_at_its_center() -> None:
    texture = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    assert raster.texel(texture, 3.5 / 8, 5.5 / 8, 1) == pytest.approx(texture[5, 3, 1], abs=0.01)


def test_normals_of_a_triangle_in_the_picture_plane_face_the_viewer() -> None:
    corners = np.asarray([(0, 0, 0), (1, 0, 0), (0, 1, 0)], np.float32)
    normal = raster.normals(corners, np.asarray([(0, 1, 2)], np.int32))
    np.testing.assert_allclose(normal, np.tile([0, 0, 1], (3, 1)), atol=1e-6)


def test_filling_keeps_what_is_known_and_a_lone_color_everywhere() -> None:
    rng = np.random.default_rng(1)
    texture = rng.uniform(0, 255, (64, 64, 3)).astype(np.float32)
    known = np.zeros((64, 64, 1), np.float32)
    known[20:40, 20:40] = 1
    base = np.full(3, 100, np.float32)
    out = filled(texture, known, base)
    np.testing.assert_allclose(out[20:40, 20:40], texture[20:40, 20:40], atol=0.1)
    np.testing.assert_allclose(filled(np.full_like(texture, 100), known, base), 100, atol=0.1)


@given(st.integers(0, 2**32 - 1))
def test_the_crop_is_cut_as_the_teachers_packs_are(seed: int) -> None:
    rng = np.random.default_rng(seed)
    landmarks = rng.uniform(-7, 7, (146, 3)).astype(np.float32)
    view = sample_view(rng)
    crop = crop_around(landmarks, view)
    unit = crop.project(landmarks, 1.0, 0.0)[:, :2]
    low, high = unit.min(axis=0), unit.max(axis=0)
    assert low + high == pytest.approx([0, 0], abs=1e-3)
    assert (high - low).max() == pytest.approx(1 / 1.5, abs=1e-3)
    across = unit[EYE_CORNERS[1]] - unit[EYE_CORNERS[0]]
    assert across[1] == pytest.approx(0, abs=1e-3)
    assert across[0] > 0
    np.testing.assert_allclose(unit, crop.region.to_unit(on_plane(landmarks, view)[:, :2]), atol=1e-3)
    turned = crop.rotation()
    np.testing.assert_allclose(turned @ turned.T, np.eye(3), atol=1e-5)
    assert np.linalg.det(turned) == pytest.approx(1, abs=1e-5)


def test_without_numba_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    spec = importlib.util.find_spec(raster.__name__)
    with pytest.raises(MissingExtraError, match=r"training of faces needs the package 'numba'.*'metrics'"):
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
