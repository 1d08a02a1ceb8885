"""Real faces that are moved by the mesh's shapes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from visavis.channels import BLENDSHAPES
from visavis.datasets.face_labels import STORED_MARGIN
from visavis.errors import InputError
from visavis.face.mesh import LANDMARKS_146
from visavis_train.face.data.faces import MOVED, FacePack, load_faces, validation_rows
from visavis_train.face.rendering.expressions import closed_expression
from visavis_train.face.rendering.head import Head
from visavis_train.face.rendering.landmarks import LandmarkTable
from visavis_train.face.rendering.moving import Mover, calm_rows, move_faces
from visavis_train.face.rendering.paint import painted_skin
from visavis_train.face.rendering.scene import Renderer
from visavis_train.face.rendering.skins import Skins

PUFF = BLENDSHAPES.index("cheekPuff")
LIPS = [LANDMARKS_146.index(13), LANDMARKS_146.index(14)]


def test_movements_are_of_cheeks_nose_brows_and_a_closed_mouth() -> None:
    rng = np.random.default_rng(0)
    drawn = np.stack([closed_expression(rng) for _ in range(300)])
    opening = ("jawOpen", "mouthUpperUp", "mouthLowerDown", "mouthFunnel", "eyeBlink", "tongueOut")
    assert not drawn[:, [name.startswith(opening) for name in BLENDSHAPES]].any()
    assert (drawn[:, PUFF] > 0.25).mean() > 0.2
    assert (drawn[:, BLENDSHAPES.index("noseSneerLeft")] > 0.25).mean() > 0.15


@pytest.fixture(scope="module")
def mesh(shared: Path) -> Path:
    return shared / "data" / "ict_face" / "ict_face.npz"


@pytest.fixture(scope="module")
def pack(mesh: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A calm rendered face that poses as a photograph, twice: as it is, and as a warped copy."""
    head = Head.load(mesh)
    skin = painted_skin(np.random.default_rng(0), head)
    skins = Skins.joined([("skin", "train", skin, np.full((112, 112, 3), 90, np.uint8))])
    face = next(Renderer(head, LandmarkTable.load(head), skins, "train", 7, probes=True).render(0, 1))
    folder = tmp_path_factory.mktemp("pack")
    np.save(folder / "crops.npy", np.stack([face.crop] * 2))
    columns = {
        name: np.stack([getattr(face, name)] * 2) for name in ("landmarks146", "blendshapes", "rotation")
    }
    np.savez(folder / "labels.npz", source=np.asarray(["utk_00001", "utk_00001~0"]), **columns)
    return folder


@pytest.mark.shared
def test_labels_move_with_the_pixels(mesh: Path, pack: Path, tmp_path: Path) -> None:
    assert move_faces(mesh, pack, tmp_path / "moved", copies=12, seed=3) == 12
    before, after = load_faces(pack), load_faces(tmp_path / "moved")
    assert after.moved.all()
    assert set(after.photograph) == {"utk_00001"}
    assert (after.weights >= before.weights[0] - 1e-6).all()
    followed, stayed = [], []
    for row in range(12):
        far = np.linalg.norm((after.landmarks[row] - before.landmarks[0])[:, :2], axis=1)
        for point in np.flatnonzero(far > 0.02):
            here = patch(after, row, after.landmarks[row, point])
            followed.append(np.abs(here - patch(before, 0, before.landmarks[0, point])).mean())
            stayed.append(np.abs(here - patch(before, 0, after.landmarks[row, point])).mean())
    assert len(followed) > 50
    assert np.mean(followed) < 0.5 * np.mean(stayed)
    lips = after.landmarks[:, LIPS, 1] - before.landmarks[0, LIPS, 1]
    assert np.abs(lips).max() > 0.02
    np.testing.assert_allclose(lips[:, 0], lips[:, 1], atol=0.005)  # The gap between them stays.


@pytest.mark.shared
def test_a_weight_that_is_1_moves_nothing_more(mesh: Path, pack: Path) -> None:
    mover, face = Mover.of(Head.load(mesh)), load_faces(pack)
    fit, everything = mover.fit(face.landmarks[0]), np.ones(len(BLENDSHAPES), np.float32)
    rng = np.random.default_rng(0)
    image, landmarks, weights = mover.moved(face.crop(0), face.landmarks[0], everything, fit, rng)
    np.testing.assert_array_equal(weights, everything)
    np.testing.assert_allclose(landmarks, face.landmarks[0], atol=1e-6)
    np.testing.assert_allclose(image, face.crop(0), atol=1)


def patch(faces: FacePack, row: int, point: np.ndarray) -> np.ndarray:
    """Grey 7 x 7 px around a landmark, without its mean."""
    grey = cv2.cvtColor(faces.crop(row), cv2.COLOR_RGB2GRAY)
    x, y = point[:2] * (224 / STORED_MARGIN) + 111.5
    found = cv2.getRectSubPix(grey, (7, 7), (float(x), float(y))).astype(np.float32)
    return found - found.mean()


@pytest.mark.shared
def test_moved_faces_are_not_among_the_stills_that_choose(mesh: Path, pack: Path, tmp_path: Path) -> None:
    move_faces(mesh, pack, tmp_path / "moved", copies=2, seed=0)
    faces = load_faces(pack, tmp_path / "moved")
    train, held_out = validation_rows(faces, ())
    assert not faces.moved[held_out].any()
    assert faces.moved.sum() == faces.moved[train].sum() == 2
    assert all(MOVED in source for source in faces.source[faces.moved])
    assert list(calm_rows(faces)) == [0]
    with pytest.raises(InputError, match="no still"):
        move_faces(mesh, pack, tmp_path / "none", copies=1, seed=0, held_out=True)


@pytest.mark.shared
def test_a_pack_without_calm_faces_is_told(mesh: Path, pack: Path, tmp_path: Path) -> None:
    with np.load(pack / "labels.npz") as file:
        labels = dict(file)
    labels["blendshapes"][:, BLENDSHAPES.index("jawOpen")] = 0.8
    np.savez(tmp_path / "labels.npz", **labels)
    (tmp_path / "crops.npy").write_bytes((pack / "crops.npy").read_bytes())
    with pytest.raises(InputError, match=r"no still \(utk_.* shows a calm face"):
        move_faces(mesh, tmp_path, tmp_path / "moved", copies=1, seed=0)
    assert not (tmp_path / "moved").exists()
    with pytest.raises(InputError, match="choose another folder"):
        move_faces(mesh, pack, pack, copies=1, seed=0)
