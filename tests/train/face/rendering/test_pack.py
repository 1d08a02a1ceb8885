"""Packs: equal from any number of workers, in the teacher's layout, with one-line errors."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from visavis.base.npz import read_npz
from visavis.errors import InputError
from visavis_train.face.rendering.head import Head
from visavis_train.face.rendering.landmarks import LandmarkTable
from visavis_train.face.rendering.pack import render_faces, write_pack
from visavis_train.face.rendering.paint import painted_skin
from visavis_train.face.rendering.scene import IDENTITIES, IDENTITIES_EACH, Renderer
from visavis_train.face.rendering.skins import Skins, read_skins, write_skins


@pytest.fixture(scope="module")
def renderer(shared: Path) -> Renderer:
    head = Head.load(shared / "data" / "ict_face" / "ict_face.npz")
    rng = np.random.default_rng(0)
    ground = np.full((112, 112, 3), 90, np.uint8)
    skins = Skins.joined([(f"skin_{s}", s, painted_skin(rng, head), ground) for s in ("train", "test")])
    return Renderer(head, LandmarkTable.load(head), skins, "train", 7)


def test_identities_of_splits_are_disjoint() -> None:
    ranges = sorted((first, first + IDENTITIES_EACH) for first in IDENTITIES.values())
    assert all(before[1] <= after[0] for before, after in pairwise(ranges))


@pytest.mark.shared
def test_a_picture_depends_on_its_number_and_the_seed_alone(renderer: Renderer) -> None:
    together = list(renderer.render(0, 4))
    alone = next(renderer.render(3, 4))
    assert alone.source == together[3].source == "render:000003"
    np.testing.assert_array_equal(alone.crop, together[3].crop)
    np.testing.assert_array_equal(alone.blendshapes, together[3].blendshapes)
    np.testing.assert_allclose(alone.landmarks146, together[3].landmarks146, atol=1e-4)


@pytest.mark.shared
def test_a_pack_has_the_teachers_layout(renderer: Renderer, tmp_path: Path) -> None:
    write_pack(renderer, tmp_path / "pack", 5, 1)
    crops = np.load(tmp_path / "pack" / "crops.npy")
    labels = read_npz(tmp_path / "pack" / "labels.npz", "pack")
    assert crops.shape == (5, 224, 224, 3)
    assert crops.dtype == np.uint8
    shapes = {"landmarks146": (5, 146, 3), "blendshapes": (5, 52), "rotation": (5, 3, 3), "gaze": (5, 2)}
    for name, shape in shapes.items():
        assert labels[name].shape == shape
        assert labels[name].dtype == np.float32
    assert set(labels["skin"]) <= {"", "skin_train"}
    assert (labels["identity"] < IDENTITIES_EACH).all()
    assert ((labels["occluded"] >= 0) & (labels["occluded"] <= 1)).all()
    extent = np.ptp(labels["landmarks146"][..., :2], axis=1).max(axis=1)
    np.testing.assert_allclose(extent, 1 / 1.5, atol=1e-3)
    assert crops.std(axis=(1, 2, 3)).min() > 5


@pytest.mark.shared
def test_a_split_without_skins_is_refused(renderer: Renderer) -> None:
    with pytest.raises(InputError, match="split 'val'"):
        Renderer(renderer.head, renderer.table, renderer.skins, "val", 1)


@pytest.mark.shared
def test_skins_are_read_back(renderer: Renderer, tmp_path: Path) -> None:
    write_skins(tmp_path / "skins.npz", renderer.skins)
    again = read_skins(tmp_path / "skins.npz")
    for row in range(len(again.ids)):
        np.testing.assert_array_equal(again.texture(row), renderer.skins.texture(row))


@pytest.mark.shared
def test_a_pack_is_rendered_from_files(shared: Path, renderer: Renderer, tmp_path: Path) -> None:
    write_skins(tmp_path / "skins.npz", renderer.skins)
    mesh = shared / "data" / "ict_face" / "ict_face.npz"
    render_faces(mesh, tmp_path, tmp_path / "out", count=2, seed=7, plain=True)
    assert len(np.load(tmp_path / "out" / "crops.npy")) == 2


def test_a_damaged_mesh_is_told(tmp_path: Path) -> None:
    mesh = tmp_path / "head.npz"
    mesh.write_bytes(b"no archive")
    with pytest.raises(InputError, match=r"head\.npz"):
        render_faces(mesh, tmp_path, tmp_path / "out", count=1, seed=1)
