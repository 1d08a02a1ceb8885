"""motion3.json files: a round trip, real files, and refusal of broken files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visavis.channels import AVATAR_PARAMETERS
from visavis.errors import InputError
from visavis.motion.curves import Kind
from visavis.motion.motion3 import TOLERANCE, read_motion3, write_motion3
from visavis.types import AvatarPose

RANGES = np.asarray([high - low for low, high, _ in AVATAR_PARAMETERS.values()])
LOWEST = np.asarray([low for low, _, _ in AVATAR_PARAMETERS.values()])


def poses_from(shares: np.ndarray, fps: float = 25.0) -> list[AvatarPose]:
    """Poses from shares (T, P) of each parameter's range."""
    return [
        AvatarPose(np.asarray(LOWEST + row * RANGES, np.float32), i / fps) for i, row in enumerate(shares)
    ]


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    length=st.integers(1, 60),
    fps=st.sampled_from([24.0, 25.0, 29.97, 30.0, 60.0]),
    roughness=st.floats(0.0, 1.0),
)
@pytest.mark.slow
def test_what_is_written_is_read_again_within_the_tolerance(
    tmp_path_factory: pytest.TempPathFactory, seed: int, length: int, fps: float, roughness: float
) -> None:
    rng = np.random.default_rng(seed)
    smooth = 0.5 + 0.5 * np.sin(np.arange(length)[:, None] * 0.2 + np.arange(len(RANGES)))
    shares = (1 - roughness) * smooth + roughness * rng.random((length, len(RANGES)))
    poses = poses_from(shares, fps)
    path = tmp_path_factory.mktemp("motion") / "m.motion3.json"
    write_motion3(path, poses, fps)
    motion = read_motion3(path)
    assert motion.fps == fps
    assert motion.duration_s == pytest.approx(length / fps, abs=1e-3)
    for pose in poses:
        # Times are written to a tenth of a millisecond: allow for the slope within it.
        error = np.abs(motion.pose(pose.time_s).values - pose.values) / RANGES
        assert error.max() <= TOLERANCE + 0.005


def counts(path: Path) -> tuple[int, int, int]:
    """Curves, segments and points, counted without the reader."""
    segments = points = 0
    curves = json.loads(path.read_text())["Curves"]
    for curve in curves:
        flat, at = curve["Segments"], 2
        points += 1
        while at < len(flat):
            added = 3 if flat[at] == 1 else 1
            at += 1 + 2 * added
            segments, points = segments + 1, points + added
    return len(curves), segments, points


def stated(path: Path) -> tuple[int, int, int]:
    meta = json.loads(path.read_text())["Meta"]
    return meta["CurveCount"], meta["TotalSegmentCount"], meta["TotalPointCount"]


def test_stated_counts_are_right_and_a_still_pose_needs_two_keys(tmp_path: Path) -> None:
    path = tmp_path / "still.motion3.json"
    write_motion3(path, poses_from(np.full((50, len(RANGES)), 0.3)), 25.0)
    assert stated(path) == counts(path) == (len(RANGES), len(RANGES), 2 * len(RANGES))


def test_keys_on_a_straight_line_are_left_out_and_corners_kept(tmp_path: Path) -> None:
    shares = np.full((41, len(RANGES)), 0.5)
    shares[:, 0] = np.concatenate([np.linspace(0, 1, 21), np.linspace(1, 0, 21)[1:]])
    path = tmp_path / "roof.motion3.json"
    write_motion3(path, poses_from(shares), 25.0)
    curve = read_motion3(path).curves[0]
    assert [s.points[0][0] for s in curve.segments] == [0.8, 1.6]


def test_no_number_is_written_with_an_exponent(tmp_path: Path) -> None:
    """Live2D's native reader refuses 6e-05."""
    path = tmp_path / "tiny.motion3.json"
    values = {"ParamAngleX": -0.00006, "ParamMouthOpenY": 0.00006}
    write_motion3(path, [AvatarPose.from_mapping(values, t * 1e-3) for t in range(3)], 1000.0)
    assert "e-" not in path.read_text()


def test_fades_are_off(tmp_path: Path) -> None:
    path = tmp_path / "fades.motion3.json"
    write_motion3(path, poses_from(np.full((2, len(RANGES)), 0.5)), 25.0)
    meta = json.loads(path.read_text())["Meta"]
    assert (meta["FadeInTime"], meta["FadeOutTime"], meta["AreBeziersRestricted"]) == (0, 0, True)


def test_one_pose_is_a_motion_without_segments(tmp_path: Path) -> None:
    path = tmp_path / "one.motion3.json"
    write_motion3(path, poses_from(np.full((1, len(RANGES)), 0.5)), 30.0)
    assert read_motion3(path).segment_count == 0


def test_times_count_from_the_first_pose(tmp_path: Path) -> None:
    path = tmp_path / "late.motion3.json"
    rest = [AvatarPose.from_mapping({}, 7.0 + t / 10) for t in range(5)]
    write_motion3(path, rest, 10.0)
    assert read_motion3(path).curves[0].start[0] == 0.0


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "kept.motion3.json"
    path.write_text("earlier")
    with pytest.raises(InputError, match="at least one pose"):
        write_motion3(path, [], 25.0)

    def full_disk(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "write_text", full_disk)
    with pytest.raises(InputError, match="cannot be written: no space"):
        write_motion3(path, poses_from(np.full((2, len(RANGES)), 0.5)), 25.0)
    assert path.read_text() == "earlier"


@pytest.mark.parametrize("fps", [0.0, -25.0, float("nan")])
def test_a_frame_rate_that_is_none_is_refused(tmp_path: Path, fps: float) -> None:
    with pytest.raises(InputError, match="fps must be positive"):
        write_motion3(tmp_path / "m.json", poses_from(np.full((2, len(RANGES)), 0.5)), fps)


def test_poses_out_of_order_are_refused(tmp_path: Path) -> None:
    poses = poses_from(np.full((2, len(RANGES)), 0.5))
    with pytest.raises(InputError, match="must increase"):
        write_motion3(tmp_path / "m.json", poses[::-1], 25.0)


def motion_file(path: Path, segments: Any, **changes: Any) -> Path:
    curve = {"Target": "Parameter", "Id": "ParamAngleX", "Segments": segments}
    data = {
        "Version": 3,
        "Meta": {"Duration": 4.0, "Fps": 30.0, "Loop": True, "AreBeziersRestricted": False},
        "Curves": [curve],
    } | changes
    path.write_text(json.dumps(data))
    return path


def test_each_kind_of_segment_runs_as_the_format_says(tmp_path: Path) -> None:
    flat = [0, 0, 0, 1, 10, 1, 1.333, 10, 1.667, 0, 2, 0, 2, 3, 20, 3, 4, -20]
    curve = read_motion3(motion_file(tmp_path / "m.json", flat)).curves[0]
    assert [s.kind for s in curve.segments] == list(Kind)
    assert curve.at(-1.0) == 0
    assert curve.at(0.5) == pytest.approx(5)
    assert curve.at(1.5) == pytest.approx(5, abs=0.01)  # halfway, by symmetry
    assert curve.at(1.25) == pytest.approx(10 * (1 - 0.15625), abs=0.01)  # 1 - (3 t^2 - 2 t^3)
    assert curve.at(2.9) == 0  # stepped: the earlier value
    assert curve.at(3.1) == -20  # inverse stepped: the later one at once
    assert curve.at(9.0) == -20


@pytest.mark.parametrize(("restricted", "wanted"), [(False, 4 / 3), (True, 5.0)])
def test_restricted_beziers_ignore_the_times_of_their_handles(
    tmp_path: Path, restricted: bool, wanted: float
) -> None:
    """Handles at a far time: at half time the curve's parameter is 1/2 only where time is a third each."""
    meta = {"Duration": 1.0, "Fps": 30.0, "AreBeziersRestricted": restricted}
    flat = [0, 0, 1, 0.9, 0, 0.9, 10, 1, 10]
    curve = read_motion3(motion_file(tmp_path / "m.json", flat, Meta=meta)).curves[0]
    assert curve.at(0.5) == pytest.approx(wanted, abs=0.4)


@pytest.mark.parametrize(
    ("segments", "message"),
    [
        ([0, 0, 4, 1, 1], r"curve 0 \(ParamAngleX\): segment 0 is of kind 4"),
        ([0, 0, 0.5, 1, 1], "kind 0.5"),
        ([0, 0, 1, 1, 1, 2, 2, 3], r"curve 0 \(ParamAngleX\): segment 0 is cut off"),
        ([0, 0, 0, 1], "cut off"),
        ([1, 0, 0, 0.5, 1], "ends before it begins"),
        ([0], "first the time and value"),
        ([], "first the time and value"),
        ([0, "a"], "finite numbers"),
        ([0, None], "finite numbers"),
        ([0, True], "finite numbers"),
        ([0, float("nan")], "finite numbers"),
        ([0, 10**400], "finite"),
        ("0 0", "the list Segments"),
    ],
)
def test_a_malformed_curve_is_refused_by_name(tmp_path: Path, segments: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_motion3(motion_file(tmp_path / "m.json", segments))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"Version": 2}, "Version 3; found 2"),
        ({"Version": "3" * 900}, r"Version 3; found '3+\.\.\.3+'$"),
        ({"Meta": None}, "the object Meta"),
        ({"Meta": {"Fps": 30}}, "Meta.Duration"),
        ({"Meta": {"Duration": 1, "Fps": 0}}, "Meta.Fps"),
        ({"Curves": {}}, "the list Curves"),
        ({"Curves": [3]}, "curve 0: expected an object; found int"),
        ({"Curves": [{"Target": "Bone", "Id": "x", "Segments": [0, 0]}]}, "curve 0 needs a Target"),
    ],
)
def test_a_malformed_file_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_motion3(motion_file(tmp_path / "m.json", [0, 0], **changes))


def test_what_is_no_json_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_motion3(tmp_path / "none.json")
    broken = tmp_path / "broken.json"
    for content in (b"{", b"\xff\xfe\x00", b"[]", b"[" * 100_000):
        broken.write_bytes(content)
        with pytest.raises(InputError) as caught:
            read_motion3(broken)
        assert "\n" not in str(caught.value)


@pytest.mark.shared
def test_real_motions_are_read_and_their_counts_recomputed(shared: Path) -> None:
    paths = sorted((shared / "avatars" / "Haru" / "motions").glob("*.motion3.json"))
    assert paths
    kinds = set()
    for path in paths:
        motion = read_motion3(path)
        assert (len(motion.curves), motion.segment_count, motion.point_count) == stated(path)
        kinds |= {s.kind for c in motion.curves for s in c.segments}
        assert np.isfinite(motion.pose(motion.duration_s / 2).values).all()
    assert {Kind.LINEAR, Kind.BEZIER, Kind.STEPPED} <= kinds
