"""Face crops without labels, from pictures and from shards, and errors that name bad files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from visavis.errors import InputError
from visavis_train.data.face_crops import read_crops, shard_images


def write_shard(path: Path, files: list[bytes]) -> None:
    ends = np.cumsum([0, *map(len, files)])
    ids = np.asarray([f"face{number}" for number in range(len(files))])
    np.savez(path, jpeg=np.frombuffer(b"".join(files), np.uint8), offsets=ends, ids=ids)


def encoded(image: np.ndarray, suffix: str = ".png") -> bytes:
    return cv2.imencode(suffix, image)[1].tobytes()


def test_pictures_of_all_subfolders_become_small_and_gray(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    same = rng.integers(0, 256, (48, 48), np.uint8)
    large = np.full((96, 120, 3), (10, 200, 30), np.uint8)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "large.png").write_bytes(encoded(large))
    (tmp_path / "a.png").write_bytes(encoded(same))
    (tmp_path / "tiny.bmp").write_bytes(encoded(np.full((20, 20), 7, np.uint8), ".bmp"))
    for litter in ("notes.txt", ".hidden.png"):
        (tmp_path / litter).write_text("no picture")
    faces = read_crops(tmp_path)
    assert (faces.shape, faces.dtype) == ((3, 48, 48), np.uint8)
    assert np.array_equal(faces[0], same)
    gray = 0.114 * 10 + 0.587 * 200 + 0.299 * 30  # OpenCV writes blue first.
    assert np.abs(faces[1, 6:42] - gray).max() < 1
    assert (faces[2] == 7).all()
    assert (faces[1, :4] == 0).all()  # 120 x 96 px: black edges above and below.


def test_shards_are_read_in_order(tmp_path: Path) -> None:
    levels = [0, 90, 200, 255]
    pictures = [encoded(np.full((112, 112, 3), level, np.uint8), ".jpg") for level in levels]
    write_shard(tmp_path / "faces_01.npz", pictures[2:])
    write_shard(tmp_path / "faces_00.npz", pictures[:2])
    np.savez(tmp_path / "teacher.npz", ids=np.arange(3))  # Another file of that data set.
    assert [name for name, _ in shard_images(tmp_path)] == ["face0", "face1"] * 2
    assert [int(face.mean()) for face in read_crops(tmp_path)] == levels


HUGE = bytearray(encoded(np.zeros((9, 9), np.uint8), ".jpg"))
_SIDES = HUGE.index(b"\xff\xc0") + 5
HUGE[_SIDES : _SIDES + 4] = b"\xfd\xe8" * 2  # Its header states 65,000 x 65,000 pixels.


@pytest.mark.parametrize(
    "broken", [b"", b"no picture", encoded(np.zeros((9, 9), np.uint8), ".jpg")[:60], bytes(HUGE)]
)
def test_a_broken_crop_is_named(broken: bytes, tmp_path: Path) -> None:
    write_shard(tmp_path / "faces_00.npz", [encoded(np.zeros((9, 9), np.uint8), ".jpg"), broken])
    with pytest.raises(InputError, match=r"faces_00\.npz: row 1 \(face1\): "):
        read_crops(tmp_path)


def test_what_holds_no_crops_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none: no such folder"):
        read_crops(tmp_path / "none")
    with pytest.raises(InputError, match="holds neither pictures nor shards"):
        read_crops(tmp_path)


def test_damaged_shards_are_named(tmp_path: Path) -> None:
    shard = tmp_path / "faces_00.npz"
    write_shard(shard, [encoded(np.zeros((9, 9), np.uint8), ".jpg")] * 2)
    whole = shard.read_bytes()
    with np.load(shard) as pack:
        good = dict(pack)
    for data in (b"", b"no archive", whole[: len(whole) // 2]):
        shard.write_bytes(data)
        with pytest.raises(InputError, match=r"faces_00\.npz: not a readable shard of face crops"):
            read_crops(tmp_path)
    for changes in (
        {"offsets": good["offsets"][:-1]},
        {"offsets": good["offsets"].astype(float)},
        {"offsets": good["offsets"][::-1]},
        {"offsets": good["offsets"] + 1},
        {"ids": np.asarray("face0")},
        {"jpeg": good["jpeg"].astype(np.int64)},
    ):
        np.savez(shard, **{**good, **changes})
        with pytest.raises(InputError, match=r"faces_00\.npz: no shard of face crops: offsets"):
            read_crops(tmp_path)
    np.savez(shard, other=np.zeros(3))
    with pytest.raises(InputError, match=r"faces_00\.npz: a shard of face crops holds the arrays jpeg"):
        read_crops(tmp_path)
