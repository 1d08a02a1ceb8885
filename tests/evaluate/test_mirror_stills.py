"""Pictures of each movement, of a face and of the avatar's pose."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from support.acting import face
from support.front_faces import NUMBERS, landmarks
from visavis.avatar.puppet_sheet import PAPER_RGB
from visavis.errors import InputError
from visavis.evaluate.mirror_stills import MOVEMENTS, SIDE_PX, Followed, write_stills
from visavis.face.measures import BROWS, measure_face
from visavis.types import AvatarPose, Face


def seen(brows: float = 0.0, **weights: float) -> Face:
    """A face with its brows so far up, in distances between the outer eye corners, and with weights."""
    raised = np.asarray([[0.0, brows]])
    xy = landmarks({number: raised for side in BROWS for number in side}, np.zeros((1, 3)))[0]
    box = np.concatenate([xy.min(axis=0), xy.max(axis=0)])
    corners = np.asarray([[200, 200], [400, 200], [400, 400], [200, 400]], np.float32)
    state = face(**weights)
    return Face(0, 1.0, box, xy, corners, state, landmark_numbers=NUMBERS, measures=measure_face(xy, NUMBERS))


BOX = np.asarray([100, 100, 500, 500], np.float32)
REST = AvatarPose.from_mapping({}, 0.0)


def test_each_movement_is_shown_where_it_is_strongest(tmp_path: Path) -> None:
    faces = [seen(), None, seen(tongueOut=0.5), seen(tongueOut=0.9, cheekPuff=0.4)]
    poses = [AvatarPose.from_mapping({"ParamTongueOut": k / 3}, k / 25) for k in range(4)]
    missing = write_stills(tmp_path / "s.png", [Followed(Path("no.mp4"), faces, poses)], outlines=True)
    assert set(MOVEMENTS) - set(missing) == {"tongue", "puffed cheeks"}
    picture = cv2.imread(str(tmp_path / "s.png"))[:, :, ::-1]
    assert picture.shape == (2 * SIDE_PX, 2 * SIDE_PX, 3)
    face_drawn, avatar = picture[:SIDE_PX], picture[SIDE_PX:]
    assert 0.005 < (face_drawn < 200).all(axis=2).mean() < 0.2  # Lines on white.
    assert (avatar[5, 5] == PAPER_RGB).all()


def test_a_large_face_is_shrunk_by_means(tmp_path: Path) -> None:
    """Stripes of one pixel, black and white, become gray: no pixel is left out."""
    stripes = np.zeros((600, 600, 3), np.uint8)
    stripes[:, ::2] = 255
    with av.open(str(tmp_path / "clip.mkv"), "w") as file:
        stream = file.add_stream("ffv1", rate=25, options={"slices": "4"})
        stream.width, stream.height, stream.pix_fmt = 600, 600, "bgr0"
        for _ in range(2):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(stripes, "rgb24")))
        file.mux(stream.encode(None))
    faces = [replace(each, box_xyxy=BOX) for each in (seen(), seen(tongueOut=0.9))]
    write_stills(tmp_path / "s.png", [Followed(tmp_path / "clip.mkv", faces, [REST] * 2)], outlines=False)
    still = cv2.imread(str(tmp_path / "s.png"))[30:SIDE_PX]
    assert still.mean() == pytest.approx(127.5, abs=3)
    assert still.std() < 3


def test_a_movement_is_measured_from_the_persons_own_rest(tmp_path: Path) -> None:
    """High brows at rest are not raised ones; they are shown where they rise."""
    faces = [seen(0.1, browInnerUp=0.5), seen(0.1, browInnerUp=0.55), seen(0.1, browInnerUp=0.6)]
    faces += [seen(0.1, browInnerUp=0.95), seen(0.16, browInnerUp=0.5)]  # One of the two signs is not enough.
    with pytest.raises(InputError, match="no face showed any"):
        write_stills(tmp_path / "s.png", [Followed(Path("no.mp4"), faces, [REST] * 5)], outlines=True)
    faces.append(seen(0.16, browInnerUp=0.95))
    missing = write_stills(tmp_path / "s.png", [Followed(Path("no.mp4"), faces, [REST] * 6)], outlines=True)
    assert set(MOVEMENTS) - set(missing) == {"brows up"}


def test_still_faces_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no face showed any"):
        write_stills(
            tmp_path / "s.png", [Followed(Path("no.mp4"), [seen(), None], [REST, REST])], outlines=True
        )


def test_a_picture_of_another_kind_is_refused(tmp_path: Path) -> None:
    followed = Followed(Path("no.mp4"), [seen(), seen(tongueOut=1)], [REST] * 2)
    with pytest.raises(InputError, match=r"ends in \.png"):
        write_stills(tmp_path / "s.jpg", [followed], outlines=True)
