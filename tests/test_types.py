from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visavis.channels import AVATAR_PARAMETERS, BLENDSHAPES, EXPRESSION_CHANNELS, FACE_CHANNELS
from visavis.errors import InputError
from visavis.track import Track
from visavis.types import AudioChunk, AvatarPose, Expression, Face, FaceState, Frame


def test_the_orders_are_those_of_arkit_and_react() -> None:
    assert len(BLENDSHAPES) == 52
    assert sorted(BLENDSHAPES) == list(BLENDSHAPES)
    assert (BLENDSHAPES[0], BLENDSHAPES[-1]) == ("browDownLeft", "tongueOut")
    assert len(FACE_CHANNELS) == 58
    assert len(EXPRESSION_CHANNELS) == 25
    assert EXPRESSION_CHANNELS[15:18] == ("valence", "arousal", "neutral")


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
        "picture",
    ],
)
def test_a_frame_must_be_an_rgb_picture(image: object) -> None:
    with pytest.raises(InputError, match=r"\(H, W, 3\)"):
        Frame(image, 0.0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros(57), r"shape \(57,\); expected \(58\)"),
        (np.full(58, np.nan), "nan at index"),
        (np.full(58, np.inf), "inf at index"),
        ("face", "not an array of numbers"),
        ([[1, 2], [3]], "not an array of numbers"),
        ([10**400] * 58, "not an array of numbers"),
        ([np.complex64(1j)] * 58, "complex numbers; expected real ones"),
        (np.zeros(58, "datetime64[s]"), "not an array of numbers"),
        (np.zeros(58, "timedelta64[s]"), "not an array of numbers"),
        (np.zeros(58, [("x", "f4")]), "not an array of numbers"),
    ],
)
def test_a_face_state_names_what_is_wrong(values: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        FaceState(values)  # type: ignore[arg-type]


def test_nouns_cannot_be_changed() -> None:
    values = np.zeros(58, np.float32)
    state = FaceState(values)
    values[0] = 1
    assert state["browDownLeft"] == 0
    with pytest.raises(ValueError, match="read-only"):
        state.values[0] = 1


def test_sound_must_be_mono_and_not_infinite() -> None:
    with pytest.raises(InputError, match="inf"):
        AudioChunk(np.array([0, np.inf], np.float32), 16000, 0.0)
    with pytest.raises(InputError, match="shape"):
        AudioChunk(np.zeros((2, 10), np.float32), 16000, 0.0)
    with pytest.raises(InputError, match="sample rate"):
        AudioChunk(np.zeros(10, np.float32), 0, 0.0)
    with pytest.raises(InputError, match="time must be a finite number"):
        AudioChunk(np.zeros(10, np.float32), 16000, np.nan)
    assert np.isnan(AudioChunk(np.array([0, np.nan], np.float32), 16000, 0.0).samples[1])


@pytest.mark.parametrize("value", ["0", None, np.nan])
def test_times_and_rates_are_numbers(value: Any) -> None:
    image, sound, pose = np.zeros((2, 2, 3), np.uint8), np.zeros(4), np.zeros(len(AVATAR_PARAMETERS))
    for name, make in (
        ("a frame's time", lambda: Frame(image, value)),
        ("a chunk's time", lambda: AudioChunk(sound, 16000, value)),
        ("a chunk's sample rate", lambda: AudioChunk(sound, value, 0.0)),
        ("a pose's time", lambda: AvatarPose(pose, value)),
    ):
        with pytest.raises(InputError) as told:
            make()
        assert str(told.value) == f"{name} must be a finite number; found {value!r}"


@given(st.dictionaries(st.sampled_from(list(AVATAR_PARAMETERS)), st.floats(-100, 100)))
def test_a_pose_stays_within_each_range(values: dict[str, float]) -> None:
    pose = AvatarPose.from_mapping(values, 0.0).as_dict()
    for name, (low, high, rest) in AVATAR_PARAMETERS.items():
        assert low <= pose[name] <= high
        if name not in values:
            assert pose[name] == rest


def test_a_pose_refuses_unknown_parameters_and_nan() -> None:
    with pytest.raises(InputError, match="ParamWings"):
        AvatarPose.from_mapping({"ParamWings": 1.0}, 0.0)
    with pytest.raises(InputError, match="nan"):
        AvatarPose.from_mapping({"ParamAngleX": float("nan")}, 0.0)


def test_an_expression_names_its_strongest_expression() -> None:
    values = np.zeros(25, np.float32)
    values[EXPRESSION_CHANNELS.index("surprise")] = 1
    assert Expression(values).label == "surprise"


def track(length: int = 5) -> Track:
    rng = np.random.default_rng(0)
    face = rng.random((length, 58)).astype(np.float32)
    face[2] = np.nan
    found = np.ones(length, bool)
    found[2] = False
    expression = np.full((length, 25), np.nan, np.float32)
    return Track(np.arange(length) / 25, face, expression, found, 25.0)


def stored(track: Track) -> dict[str, object]:
    """The arrays of a file of older versions, by their names there."""
    values = (track.time_s, track.face, track.expression, track.found, track.fps)
    return dict(zip(("time_s", "face", "emotion", "found", "fps"), values, strict=True))


def test_a_track_survives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    before = track()
    before.save(path)
    after = Track.load(path)
    for name in ("time_s", "face", "expression", "found"):
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))
    assert after.fps == 25.0
    assert [p.name for p in tmp_path.iterdir()] == ["t.npz"]


def test_a_track_refuses_what_contradicts_itself() -> None:
    good = track()
    with pytest.raises(InputError, match="increasing"):
        Track(good.time_s[::-1], good.face, good.expression, good.found, 25)
    with pytest.raises(InputError, match="marked as found"):
        Track(good.time_s, good.face, good.expression, np.ones(5, bool), 25)
    with pytest.raises(InputError, match="fps"):
        Track(good.time_s, good.face, good.expression, good.found, 0)
    with pytest.raises(InputError, match=r"face has shape \(4, 58\)"):
        Track(good.time_s, good.face[:4], good.expression, good.found, 25)


@given(
    found=st.lists(st.booleans(), max_size=6),
    numbers=st.lists(st.integers(0, 477), max_size=5, unique=True),
    seed=st.integers(0, 2**32 - 1),
)
@pytest.mark.slow
def test_any_track_survives_its_file_bit_by_bit(
    tmp_path_factory: pytest.TempPathFactory, found: list[bool], numbers: list[int], seed: int
) -> None:
    rng, length = np.random.default_rng(seed), len(found)
    there = np.asarray(found, bool)
    face = rng.random((length, 58), np.float32)
    expression = rng.random((length, 25), np.float32)
    points = (rng.random((length, len(numbers), 2)) * 4000).astype(np.float32)
    for array in (face, expression, points):
        array[~there] = np.nan
    times_s = np.cumsum(rng.uniform(1e-3, 1, length))
    before = Track(times_s, face, expression, there, float(rng.uniform(1, 240)), points, np.asarray(numbers))
    path = tmp_path_factory.mktemp("track") / "t.npz"
    before.save(path)
    after = Track.load(path)
    for name in ("time_s", "face", "expression", "found", "fps", "landmarks_xy", "landmark_numbers"):
        one, other = np.asarray(getattr(before, name)), np.asarray(getattr(after, name))
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    assert after.landmarks_xy.shape == (length, len(numbers), 2)
    assert after.landmark_numbers.dtype == np.int32


def test_a_track_of_an_older_version_has_no_landmarks(tmp_path: Path) -> None:
    good = track()
    old = stored(good)
    np.savez(tmp_path / "t.npz", **old)
    loaded = Track.load(tmp_path / "t.npz")
    assert loaded.landmarks_xy.shape == (5, 0, 2)
    assert loaded.landmark_numbers.shape == (0,)
    np.testing.assert_array_equal(loaded.face, good.face)


@pytest.mark.parametrize(
    ("points", "numbers", "message"),
    [
        (np.zeros((5, 2, 2)), [1, 2, 3], r"landmarks_xy has shape \(5, 2, 2\); expected \(5, 3, 2\)"),
        (np.zeros((4, 2, 2)), [1, 2], r"landmarks_xy has shape \(4, 2, 2\); expected \(5, 2, 2\)"),
        (np.zeros((5, 2, 3)), [1, 2], r"landmarks_xy has shape \(5, 2, 3\)"),
        (np.zeros((5, 2, 2)), [], r"landmarks_xy has shape \(5, 2, 2\); expected \(5, 0, 2\)"),
        (np.full((5, 2, 2), np.nan), [1, 2], "landmarks_xy holds NaN in frame 0, whose face is"),
        (np.full((5, 2, 2), np.inf), [1, 2], "landmarks_xy holds inf"),
        (np.zeros((5, 2, 2)), [1, 1], "landmark_numbers holds a number twice"),
        (np.zeros((5, 2, 2)), [1, 478], r"landmark_numbers must lie in 0\.\.477; found 1 to 478"),
        (np.zeros((5, 2, 2)), [-1, 2], r"landmark_numbers must lie in 0\.\.477"),
        (np.zeros((5, 2, 2)), [0.5, 2], "landmark_numbers must be whole numbers"),
        (np.zeros((5, 2, 2)), [[1, 2]], "landmark_numbers must be whole numbers"),
        ([[1], [2, 3]], [1, 2], "landmarks_xy is not an array of numbers"),
        (np.zeros((5, 2, 2)), [[1], [2, 3]], "landmark_numbers is not a list of whole numbers"),
    ],
)
def test_a_track_refuses_landmarks_that_contradict_it(points: object, numbers: object, message: str) -> None:
    good = track()
    with pytest.raises(InputError, match=message) as caught:
        Track(good.time_s, good.face, good.expression, good.found, 25, points, numbers)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def a_face(**changes: object) -> Face:
    points = np.zeros((3, 2))
    values = {"landmarks_xy": points, "corners_xy": np.zeros((4, 2)), "state": FaceState(np.zeros(58))}
    return Face(0, 1.0, np.zeros(4), **(values | changes))  # type: ignore[arg-type]


def test_a_face_is_believed_unless_its_tracker_knows_better() -> None:
    assert a_face().reliability.tolist() == [1.0] * 52
    assert a_face().landmark_numbers.shape == (0,)
    known = a_face(reliability=np.linspace(0, 1, 52), landmark_numbers=[7, 8, 9])
    assert known.reliability[-1] == 1
    assert known.landmark_numbers.tolist() == [7, 8, 9]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reliability": np.zeros(51)}, r"reliability has shape \(51,\); expected \(52\)"),
        ({"reliability": np.full(52, 1.5)}, r"reliability must lie in 0\.\.1; found 1\.5 to 1\.5"),
        ({"reliability": np.full(52, -0.1)}, r"reliability must lie in 0\.\.1"),
        ({"reliability": np.full(52, np.nan)}, "reliability holds nan"),
        ({"landmark_numbers": [1, 2]}, "3 landmarks have 2 numbers; expected as many"),
        ({"landmark_numbers": [1, 2, 500]}, r"landmark_numbers must lie in 0\.\.477"),
    ],
)
def test_a_face_refuses_what_contradicts_it(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        a_face(**changes)


@pytest.mark.parametrize("damage", ["missing", "text", "truncated", "incomplete", "pickled"])
def test_an_unreadable_track_is_one_clear_error(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "t.npz"
    if damage == "text":
        path.write_text("not a track")
    elif damage == "truncated":
        track().save(path)
        path.write_bytes(path.read_bytes()[:300])
    elif damage == "incomplete":
        np.savez(path, time_s=np.arange(3))
    elif damage == "pickled":
        np.savez(path, **dict.fromkeys(("time_s", "face", "emotion", "found", "fps"), np.array([{}])))
    with pytest.raises(InputError, match=r"t\.npz"):
        Track.load(path)


def test_any_damage_to_a_track_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    track(40).save(path)
    whole = path.read_bytes()
    rng = np.random.default_rng(1)
    complaints = []
    for place in rng.integers(0, len(whole), 150).tolist():
        data = bytearray(whole)
        data[place] ^= 0x55
        path.write_bytes(data)
        try:
            Track.load(path)
        except InputError as error:
            complaints.append(str(error))
    assert len(complaints) > 100
    assert all(complaint.startswith(f"{path}: ") for complaint in complaints)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("fps", np.ones(3)),
        ("fps", "fast"),
        ("time_s", np.array(["a"] * 5)),
        ("face", np.full((5, 58), 1e300)),
        ("found", np.array(["a"] * 5)),
        ("found", np.ones((5, 1), bool)),
        ("landmarks_xy", np.zeros((5, 3, 2))),
        ("landmark_numbers", np.array(["a"])),
    ],
)
def test_a_track_of_strange_arrays_is_one_clear_error(tmp_path: Path, name: str, value: object) -> None:
    path = tmp_path / "t.npz"
    good = track()
    arrays = stored(good)
    np.savez(path, **(arrays | {name: value}))
    with pytest.raises(InputError, match=r"t\.npz"):
        Track.load(path)


def small_track() -> Track:
    face = np.zeros((3, 58), np.float32)
    face[:, FACE_CHANNELS.index("mouthSmileLeft")] = 0.5, 0.25, np.nan
    face[2] = np.nan
    expression = np.full((3, 25), np.nan, np.float32)
    expression[0, EXPRESSION_CHANNELS.index("valence")] = 0.5
    return Track(np.arange(3) / 25, face, expression, np.asarray([True, True, False]), 25.0)


def test_a_track_gives_channels_by_name() -> None:
    track = small_track()
    np.testing.assert_array_equal(track["mouthSmileLeft"], np.asarray([0.5, 0.25, np.nan], np.float32))
    assert track["valence"][0] == 0.5
    with pytest.raises(KeyError, match="no channel is called 3"):
        _ = track[3]  # type: ignore[index]
    with pytest.raises(KeyError, match="did you mean 'mouthSmileLeft'"):
        _ = track["mouthSmileLef"]


def test_a_track_is_a_table(tmp_path: Path) -> None:
    track = small_track()
    track.to_csv(str(tmp_path / "t.csv"))
    head, first, _, last = (tmp_path / "t.csv").read_text("utf-8").splitlines()
    row = dict(zip(head.split(","), first.split(","), strict=True))
    assert (row["time_s"], row["found"], row["mouthSmileLeft"], row["arousal"]) == (
        "0.000000",
        "1",
        "0.5",
        "",
    )
    assert last.startswith("0.080000,0,,")
    assert list(track.columns()) == ["time_s", "found", *FACE_CHANNELS, *EXPRESSION_CHANNELS]
    pandas = pytest.importorskip("pandas")
    assert pandas.read_csv(tmp_path / "t.csv")["mouthSmileLeft"][1] == 0.25
    assert list(track.to_pandas().columns) == list(track.columns())
    pytest.importorskip("pyarrow")
    track.to_parquet(tmp_path / "t.parquet")
    assert pandas.read_parquet(tmp_path / "t.parquet")["valence"][0] == 0.5


def test_each_noun_prints_as_one_line() -> None:
    values = np.zeros(58, np.float32)
    values[FACE_CHANNELS.index("jawOpen")], values[52], values[53] = 0.4, -0.2, -0.001
    state = FaceState(values)
    corners = np.asarray([[0, 0], [9, 0], [9, 9], [0, 9]], np.float32)
    shown = np.zeros(25, np.float32)
    shown[-7] = 0.8
    shown[EXPRESSION_CHANNELS.index("arousal")] = -0.001
    face = Face(2, 0.9, np.asarray([1, 2, 30, 40]), corners, corners, state, expression=Expression(shown))
    nouns = {
        Frame(np.zeros((4, 6, 3), np.uint8), 1.5, 3): "Frame 3: 6 x 4 pixels, at 1.50 s",
        AudioChunk(np.zeros(800, np.float32), 16000, 0.5): "AudioChunk: 0.05 s of 16000 Hz, from 0.50 s",
        state: "FaceState: jawOpen 0.40, yaw -11, pitch 0, roll 0 deg",
        face: "Face 2: jawOpen 0.40, yaw -11, pitch 0, roll 0 deg, at x 1-30, y 2-40",
        Expression(shown): "Expression: happy 0.80, valence +0.00, arousal +0.00",
        small_track(): "Track: 3 frames, 0.1 s at 25 Hz, a face in 67%",
    }
    for noun, line in nouns.items():
        assert repr(noun) == line
    assert "ParamAngleX" in repr(AvatarPose.from_mapping({"ParamAngleX": 20}, 0.0))
