"""Videos of a person next to listeners: places, movements and sound."""

from __future__ import annotations

import wave
from pathlib import Path

import av
import numpy as np
import pytest

from visavis.avatar.puppet import Puppet
from visavis.capture.video import VideoFile
from visavis.channels import FACE_INDEX
from visavis.drawing.panels import BACKGROUND
from visavis.errors import InputError
from visavis.reaction.clip import Reaction
from visavis.recording.side_by_side import HEIGHT_PX, Player, SpeakerView, Wall, write_side_by_side
from visavis.types import AvatarPose, FloatArray, ImageArray


def reaction(listeners: int, frames: int = 10) -> Reaction:
    face = np.random.default_rng(0).random((listeners, frames, 58)).astype(np.float32) / 4
    return Reaction(face, np.zeros((listeners, frames, 25), np.float32), 25.0, 0)


def person(frames: int = 10) -> FloatArray:
    return np.random.default_rng(1).random((frames, 58)).astype(np.float32) / 4


def pictures(path: Path) -> list[ImageArray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.mark.parametrize(
    ("listeners", "rows", "columns"), [(1, 1, 1), (2, 2, 1), (3, 2, 2), (4, 2, 2), (9, 2, 5), (10, 2, 5)]
)
def test_everybody_has_a_place(listeners: int, rows: int, columns: int) -> None:
    wall = Wall((640, 480), listeners)
    assert (wall.rows, wall.columns) == (rows, columns)
    assert wall.size == (640 + columns * HEIGHT_PX // rows, HEIGHT_PX)
    gray = [np.full((wall.cell_px, wall.cell_px, 3), 50 + 10 * k, np.uint8) for k in range(listeners)]
    image = wall.compose(np.full((480, 640, 3), 200, np.uint8), gray)
    assert (image[:, :640] == 200).all()
    for k in range(listeners):
        assert (image == 50 + 10 * k).all(axis=2).sum() == wall.cell_px**2
    free = rows * columns - listeners
    assert (image == BACKGROUND).all(axis=2).sum() == free * wall.cell_px**2


@pytest.mark.parametrize(("size", "width"), [((640, 360), 640), ((200, 400), 240), ((480, 480), 480)])
def test_the_persons_picture_is_whole(size: tuple[int, int], width: int) -> None:
    wall = Wall(size, 1)
    assert wall.size[0] == width + HEIGHT_PX
    image = wall.compose(np.full((size[1], size[0], 3), 200, np.uint8), [])
    bright = (image[:, :width] == 200).all(axis=2).sum()
    assert bright == pytest.approx(width * min(HEIGHT_PX, width * size[1] / size[0]), rel=0.02)


class Watching(Puppet):
    """A puppet that notes what it was to draw."""

    def __init__(self) -> None:
        self.poses: list[AvatarPose] = []

    def draw(self, pose: AvatarPose, size_px: int = 512, background: object = None) -> ImageArray:
        self.poses.append(pose)
        return np.zeros((size_px, size_px, 3), np.uint8)


def test_a_player_does_what_the_face_does_and_lives_while_there_is_none() -> None:
    face = np.zeros((60, 58), np.float32)
    face[30:45, FACE_INDEX["jawOpen"]] = 0.8
    face[45:] = np.nan
    puppet = Watching()
    player = Player(face, 25.0, 64, puppet)
    for row in range(60):
        player.picture(row)
    mouth = [pose.as_dict()["ParamMouthOpenY"] for pose in puppet.poses]
    assert max(mouth[:30]) < 0.1 < 0.5 < min(mouth[34:45])
    assert [pose.time_s for pose in puppet.poses] == pytest.approx(np.arange(60) / 25)


def test_a_persons_pictures_come_when_they_are_due() -> None:
    images = [np.full((4, 4, 3), k, np.uint8) for k in range(3)]
    shown = SpeakerView(zip((0.0, 0.1, 0.2), images, strict=True), (4, 4))
    levels = [int(shown.picture(time_s)[0, 0, 0]) for time_s in (0, 0.05, 0.1, 0.15, 0.3, 0.4)]
    assert levels == [0, 0, 1, 1, 2, 2]


@pytest.mark.usefixtures("painted_puppet")
def test_a_clip_is_seen_and_heard_beside_its_listeners(make_video, tmp_path: Path) -> None:
    clip = make_video(count=15, size=(64, 48), sound_hz=300)
    frames: list[None] = []
    write_side_by_side(tmp_path / "v.mp4", person(), reaction(4), 0.2, clip, lambda: frames.append(None))
    with av.open(str(tmp_path / "v.mp4")) as container:
        assert len(container.streams.audio) == 1
        assert container.streams.video[0].average_rate == 25
    found = pictures(tmp_path / "v.mp4")
    assert len(found) == len(frames) == 10
    assert found[0].shape == (480, 640 + 480, 3)
    # The corner of the clip is white, and the rest brightens with its frames, of which 6 come in .2 s.
    with VideoFile(clip) as video:
        grays = [int(frame.image_rgb[-1, -1, 0]) for frame in video]
    assert found[0][470, 630, 0] == pytest.approx(grays[6], abs=4)
    assert found[9][470, 630, 0] == pytest.approx(grays[-1], abs=4)


@pytest.mark.usefixtures("painted_puppet")
@pytest.mark.parametrize("with_sound", [True, False])
def test_a_person_without_pictures_is_drawn(tmp_path: Path, with_sound: bool) -> None:
    sound = tmp_path / "a.wav"
    with wave.open(str(sound), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", "not compressed"))
        file.writeframes(np.zeros(8000, "<i2").tobytes())
    source = sound if with_sound else None
    write_side_by_side(tmp_path / "v.mp4", person(), reaction(1), 0.0, source, lambda: None)
    with av.open(str(tmp_path / "v.mp4")) as container:
        assert len(container.streams.audio) == with_sound
    assert pictures(tmp_path / "v.mp4")[0].shape == (480, 960, 3)


@pytest.mark.usefixtures("painted_puppet")
def test_no_more_than_ten_are_shown(tmp_path: Path) -> None:
    write_side_by_side(tmp_path / "v.mp4", person(), reaction(12), 0.0, None, lambda: None)
    assert pictures(tmp_path / "v.mp4")[0].shape == (480, 480 + 5 * 240, 3)


@pytest.mark.usefixtures("painted_puppet")
def test_a_damaged_clip_leaves_what_came_before(make_video, tmp_path: Path) -> None:
    clip = make_video(count=90, size=(96, 64))
    clip.write_bytes(clip.read_bytes()[: int(clip.stat().st_size * 0.7)])
    with pytest.raises(InputError, match="truncated video"):
        write_side_by_side(tmp_path / "v.mp4", person(75), reaction(1, 75), 0.0, clip, lambda: None)
    assert 10 < len(pictures(tmp_path / "v.mp4")) < 75


def test_the_real_avatars_move_and_differ(tmp_path: Path) -> None:
    write_side_by_side(tmp_path / "v.mp4", person(6), reaction(2, 6), 0.0, None, lambda: None)
    first, *_, last = (frame.astype(int) for frame in pictures(tmp_path / "v.mp4"))
    one, two = slice(0, 240), slice(240, 480)
    for part in (one, two):
        assert np.abs(first[part, 480:] - last[part, 480:]).mean() > 0.5
    assert np.abs(last[one, 480:] - last[two, 480:]).mean() > 0.5
