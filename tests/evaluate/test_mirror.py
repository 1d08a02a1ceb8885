from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from conftest import MakeVideo
from support.front_faces import NUMBERS, TalkingTracker, talking
from visavis.avatar.parameters import Animator
from visavis.avatar.puppet import Puppet
from visavis.errors import InputError
from visavis.evaluate.mirror import CARRIES, Landmarks, draw_outlines, mirror_clip
from visavis.face.measures import Doubles
from visavis.metrics.mirror import LEAST, MirrorScores, drawing_motion
from visavis.pipeline import Pipeline
from visavis.types import AvatarPose

NAMES = list(LEAST)
RIG = Puppet.load().rig
T = 30
SIZE = (640, 600)
TIMES_S = np.arange(T + 3) / 30


def pipeline(misses: tuple[int, ...] = ()) -> Pipeline:
    return Pipeline(TalkingTracker(misses), None, Animator(mirror=False))


def drawn(parameter: str, values: list[float]) -> dict[str, Doubles]:
    """Each measure of Mira with one parameter at some values."""
    poses = np.stack([AvatarPose.from_mapping({parameter: value}, 0.0).values for value in values])
    motion = drawing_motion(draw_outlines(RIG, poses, ~CARRIES), draw_outlines(RIG, poses, CARRIES))
    return dict(zip(NAMES, motion.values.T, strict=True))


def scores(clip: Path, teacher: Landmarks | None, misses: tuple[int, ...] = ()) -> MirrorScores:
    return mirror_clip(clip, pipeline(misses), RIG, teacher, lambda: None).scores


@pytest.mark.parametrize(
    ("parameter", "low", "high", "measure"),
    [
        ("ParamMouthOpenY", 0, 1, "mouth_opening"),
        ("ParamBrowLY", -1, 1, "brow_left"),
        ("ParamBrowRY", -1, 1, "brow_right"),
        ("ParamEyeLOpen", 0, 1, "lid_left"),
        ("ParamEyeROpen", 0, 1, "lid_right"),
        ("ParamEyeBallX", -1, 1, "gaze_x"),
        ("ParamEyeBallY", -1, 1, "gaze_y"),
        ("ParamAngleX", -30, 30, "head_yaw"),
        ("ParamAngleY", -30, 30, "head_pitch"),
        ("ParamAngleZ", -30, 30, "head_roll"),
    ],
)
def test_mira_does_it_on_the_same_side_as_a_face(
    parameter: str, low: float, high: float, measure: str
) -> None:
    steps = np.linspace(low, high, 9)
    values = drawn(parameter, steps.tolist())
    assert np.corrcoef(values[measure], steps)[0, 1] > 0.8
    for name, column in values.items():
        if name.startswith("head") != measure.startswith("head"):
            np.testing.assert_allclose(column, column[0], atol=1e-9, err_msg=name)


def test_a_smile_widens_the_mouth_and_lifts_its_corners() -> None:
    values = drawn("ParamMouthForm", [-1, 0, 1])
    for name in ("mouth_corner_left", "mouth_corner_right"):
        assert (np.diff(values[name]) > 0).all()
    assert values["mouth_width"][2] > values["mouth_width"][1]


def test_own_and_given_landmarks_of_the_same_face_agree(make_video: MakeVideo, tmp_path: Path) -> None:
    clip = make_video(count=T)
    own = scores(clip, None)
    place = NAMES.index("mouth_opening")
    assert own.r[place] > 0.7
    assert np.isnan(np.delete(own.r, place)).all()
    np.savez(tmp_path / "teacher.npz", landmarks_146_px=talking(TIMES_S[:T]), landmarks_146_index=NUMBERS,
             found=np.ones(T, bool), fps=30.0)  # fmt: skip
    given = scores(clip, Landmarks.load(tmp_path / "teacher.npz", SIZE))
    np.testing.assert_allclose(given.r, own.r, atol=1e-3)
    np.testing.assert_allclose(given.amplitude, own.amplitude, rtol=1e-3)


def test_frames_without_a_face_do_not_count(make_video: MakeVideo) -> None:
    result = mirror_clip(make_video(count=T), pipeline((0, 1, 7)), RIG, None, lambda: None)
    assert (result.frames, result.compared) == (T, T - 3)


@pytest.mark.parametrize(("frames", "fine"), [(T - 3, False), (T - 2, True), (T + 2, True), (T + 3, False)])
def test_a_teacher_may_have_two_frames_more_or_less(make_video: MakeVideo, frames: int, fine: bool) -> None:
    teacher = Landmarks(talking(TIMES_S[:frames]), NUMBERS, np.ones(frames, np.bool_))
    if fine:
        result = mirror_clip(make_video(count=T), pipeline(), RIG, teacher, lambda: None)
        assert result.compared == min(T, frames)
    else:
        with pytest.raises(InputError, match=rf"{T} frames, but landmarks of {frames}; give those of this"):
            scores(make_video(count=T), teacher)


def saved(path: Path, **changed: object) -> Path:
    arrays = {"landmarks_xy": talking(TIMES_S[:T]), "landmark_numbers": NUMBERS, "found": np.ones(T, bool)}
    np.savez(path, **(arrays | changed))  # type: ignore[arg-type]
    return path


def test_a_face_outside_of_the_picture_is_refused_by_file_and_frame(tmp_path: Path) -> None:
    points = talking(TIMES_S[:T])
    for shift in (-320, -250, 0, 250, 320):  # Cut by the border, or not.
        Landmarks.load(saved(tmp_path / "t.npz", landmarks_xy=points + np.asarray((shift, 0))), SIZE)
    late = np.where(np.arange(T)[:, None, None] < 7, points, points + np.asarray((0, 350)))
    for wrong, frame in (
        (points + np.asarray((500, 0)), 0),
        (points - (0, 400), 0),
        (late, 7),
        (points * 1e30, 0),
    ):
        with pytest.raises(InputError, match=rf"t\.npz: the face of frame {frame} is at .*640x600 pixels"):
            Landmarks.load(saved(tmp_path / "t.npz", landmarks_xy=wrong), SIZE)
    # Where no face was found, anything may stand.
    Landmarks.load(saved(tmp_path / "t.npz", landmarks_xy=late, found=np.arange(T) < 7), SIZE)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"landmark_numbers": np.str_("a")}, "landmark_numbers must be whole numbers .*text of shape"),
        ({"landmarks_xy": np.str_("a")}, "landmarks_xy is not an array of numbers; found text of shape"),
        ({"found": np.str_("a")}, "found must be 30 booleans; found text of shape"),
        (
            {"landmarks_xy": np.zeros((T, 0, 2)), "landmark_numbers": np.zeros(0, int)},
            "without the points 4, 5,",
        ),
        ({"landmarks_xy": np.zeros((T, 146, 2))}, "coincide"),
    ],
)
def test_what_is_wrong_with_landmarks_is_said_of_their_file(
    tmp_path: Path, changed: dict[str, object], says: str
) -> None:
    with pytest.raises(InputError, match=rf"t\.npz: .*{says}"):
        Landmarks.load(saved(tmp_path / "t.npz", **changed), SIZE)


def test_a_missing_array_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", landmarks_xy=np.zeros((T, 1, 2)), found=np.ones(T, bool))
    with pytest.raises(InputError, match=r"t\.npz: landmark_numbers missing: landmarks are the arrays"):
        Landmarks.load(tmp_path / "t.npz", SIZE)


@pytest.mark.parametrize("count", [1, 19])
def test_a_picture_is_no_movement(make_video: MakeVideo, count: int) -> None:
    with pytest.raises(InputError, match=f"with a face: {count} of {count}; expected at least 20: give some"):
        scores(make_video(count=count), None)
