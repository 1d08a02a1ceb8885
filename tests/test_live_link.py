from __future__ import annotations

import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.live_link_packets import DEVICE, packet
from support.samples import face_state
from visavis import live_link
from visavis.channels import BLENDSHAPES, FACE_INDEX
from visavis.errors import InputError
from visavis.live_link import COLUMNS, SHAPES, VALUES, Packet, encode, timecode, values_of

# The first line of a file of the app.
HEADER = (
    "Timecode,BlendShapeCount,EyeBlinkLeft,EyeLookDownLeft,EyeLookInLeft,EyeLookOutLeft,EyeLookUpLeft,"
    "EyeSquintLeft,EyeWideLeft,EyeBlinkRight,EyeLookDownRight,EyeLookInRight,EyeLookOutRight,EyeLookUpRight,"
    "EyeSquintRight,EyeWideRight,JawForward,JawRight,JawLeft,JawOpen,MouthClose,MouthFunnel,MouthPucker,"
    "MouthRight,MouthLeft,MouthSmileLeft,MouthSmileRight,MouthFrownLeft,MouthFrownRight,MouthDimpleLeft,"
    "MouthDimpleRight,MouthStretchLeft,MouthStretchRight,MouthRollLower,MouthRollUpper,MouthShrugLower,"
    "MouthShrugUpper,MouthPressLeft,MouthPressRight,MouthLowerDownLeft,MouthLowerDownRight,MouthUpperUpLeft,"
    "MouthUpperUpRight,BrowDownLeft,BrowDownRight,BrowInnerUp,BrowOuterUpLeft,BrowOuterUpRight,CheekPuff,"
    "CheekSquintLeft,CheekSquintRight,NoseSneerLeft,NoseSneerRight,TongueOut,HeadYaw,HeadPitch,HeadRoll,"
    "LeftEyeYaw,LeftEyePitch,LeftEyeRoll,RightEyeYaw,RightEyePitch,RightEyeRoll"
)


def face(**channels: float) -> np.ndarray:
    return face_state(**channels).values


def test_the_order_holds_every_blendshape_once() -> None:
    assert sorted(SHAPES) == sorted(BLENDSHAPES)
    assert len(VALUES) == len(set(VALUES)) == 61


# Places in Unreal's enumeration EARFaceBlendShape.
PLACES = {
    "eyeBlinkLeft": 0,
    "eyeBlinkRight": 7,
    "jawLeft": 15,
    "jawRight": 16,
    "jawOpen": 17,
    "mouthLeft": 21,
}
PLACES |= {"mouthRight": 22, "browDownLeft": 41, "browInnerUp": 43, "tongueOut": 51}


@pytest.mark.parametrize(("channel", "place"), PLACES.items())
def test_a_channel_stands_at_its_place(channel: str, place: int) -> None:
    assert np.flatnonzero(values_of(face(**{channel: 0.5})[None])[0]).tolist() == [place]


def test_angles_turn_as_in_unreal() -> None:
    # The nose points to the image's right (the person's left), and up; the head leans clockwise as seen.
    values = values_of(face(yaw=0.3, pitch=0.2, roll=0.1))
    np.testing.assert_allclose(values[52:], [-0.3, -0.2, 0.1, 0, 0, 0, 0, 0, 0], atol=1e-7)


def test_eyes_that_look_to_the_persons_left_and_up_have_negative_angles() -> None:
    # A published row of the app: EyeLookOutLeft 0.50, EyeLookInRight 0.60, EyeLookUp 0.38 and 0.37 go with
    # LeftEyeYaw -0.36, LeftEyePitch -0.17, RightEyeYaw -0.30, RightEyePitch -0.17.
    shown = face(eyeLookOutLeft=0.503, eyeLookInRight=0.597, eyeLookUpLeft=0.381, eyeLookUpRight=0.373)
    np.testing.assert_allclose(values_of(shown)[55:], [-0.36, -0.174, 0, -0.303, -0.174, 0], atol=0.07)


def test_a_packet_is_written_byte_for_byte() -> None:
    shown = face(jawOpen=0.5, eyeBlinkRight=1.0, yaw=0.25)
    values = [0.0] * 61
    values[17], values[7], values[52] = 0.5, 1.0, -0.25
    assert encode("visavis", 61.0125, shown) == packet(values, frame=3660, part=0.75)
    assert encode("visavis", 24 * 3600.0, shown) == packet(values, frame=0, part=0.0)


def test_a_name_is_counted_in_bytes() -> None:
    assert Packet.decode(encode("Zoë", 0.0, face(jawOpen=1.0))).subject == "Zoë"


@given(
    st.lists(st.floats(0, 1, width=32), min_size=52, max_size=52),
    st.lists(st.floats(-1.5, 1.5, width=32), min_size=3, max_size=3),
)
@pytest.mark.slow
def test_what_is_written_is_read_again(weights: list[float], angles: list[float]) -> None:
    sent = np.asarray([*weights, *angles, 0, 0, 0], np.float32)
    read = Packet.decode(encode("Anna", 12.5, sent))
    assert (read.subject, read.time_s) == ("Anna", 12.5)
    np.testing.assert_array_equal(sent if sent.any() else None, read.face)


def test_newer_apps_have_shorter_device_ids() -> None:
    values = [0.0] * 61
    values[17] = 0.5
    read = Packet.decode(packet(values, device="0123456789ABCDEF0123456789ABCDEF", subject="iPhone of Anna"))
    assert (read.device, read.subject) == ("0123456789ABCDEF0123456789ABCDEF", "iPhone of Anna")
    assert read.face[FACE_INDEX["jawOpen"]] == 0.5


def test_weights_are_cut_to_their_range() -> None:
    values = [0.0] * 61
    values[17], values[7] = 1.3, -0.2
    read = Packet.decode(packet(values)).face
    assert (read[FACE_INDEX["jawOpen"]], read[FACE_INDEX["eyeBlinkRight"]]) == (1.0, 0.0)


@pytest.mark.parametrize("datagram", [packet([0.0] * 61), packet([0.0] * 61)[: -1 - 4 * 61]])
def test_without_a_face_a_packet_has_zeros_or_no_numbers(datagram: bytes) -> None:
    assert Packet.decode(datagram).face is None


@pytest.mark.parametrize(
    ("datagram", "message"),
    [
        (b"", "no packet"),
        (b"hello", "no packet"),
        (packet([0.1] * 61, version=5), "no packet of Live Link Face, version 6"),
        (packet([0.1] * 60), "has 61 numbers; found 60"),
        (packet([float("nan")] * 61), "not finite"),
        (b"\x06\xff\xff\xff\xff" + packet([0.1] * 61)[5:], "is cut"),
        (b"\x06\x7f\xff\xff\xff" + packet([0.1] * 61)[5:], "is cut"),
    ],
)
def test_other_datagrams_are_refused(datagram: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Packet.decode(datagram)


def test_every_cut_packet_is_refused() -> None:
    whole = packet([0.1] * 61)
    without_numbers = len(whole) - 1 - 4 * 61
    for size in range(len(whole)):
        if size != without_numbers:
            with pytest.raises(InputError):
                Packet.decode(whole[:size])


@given(st.binary(max_size=400))
def test_no_datagram_crashes(noise: bytes) -> None:
    for datagram in (noise, b"\x06" + noise, packet([0.1] * 61)[:60] + noise):
        with suppress(InputError):
            Packet.decode(datagram)


def test_a_frame_rate_of_zero_is_no_time() -> None:
    broken = bytearray(packet([0.1] * 61))
    start = 1 + 4 + len(DEVICE) + 4 + len("visavis") + 8
    broken[start : start + 4] = struct.pack(">i", 0)
    assert Packet.decode(bytes(broken)).time_s == 0.0


def test_the_files_header_is_the_apps(tmp_path: Path) -> None:
    live_link.write_csv(tmp_path / "t.csv", np.zeros(1), face(jawLeft=0.25, mouthLeft=0.5)[None])
    header, row = (tmp_path / "t.csv").read_text().splitlines()
    assert header == HEADER
    assert len(COLUMNS) == 61
    cells = dict(zip(header.split(","), row.split(","), strict=True))
    assert (cells["Timecode"], cells["BlendShapeCount"]) == ("00:00:00:00.000", "61")
    assert (cells["JawLeft"], cells["MouthLeft"], cells["JawRight"]) == (
        "0.2500000000",
        "0.5000000000",
        "0.0000000000",
    )


@pytest.mark.parametrize(
    ("time_s", "text"),
    [
        (0.0, "00:00:00:00.000"),
        (1 / 30, "00:00:00:02.000"),
        (0.9999999, "00:00:01:00.000"),
        (3723.51, "01:02:03:30.600"),
        (24 * 3600.0, "00:00:00:00.000"),
    ],
)
def test_timecodes_count_sixtieths(time_s: float, text: str) -> None:
    assert timecode(time_s) == text


def test_a_file_that_crosses_midnight(tmp_path: Path) -> None:
    times_s = 24 * 3600 - 1 + np.arange(4) / 2
    live_link.write_csv(tmp_path / "t.csv", times_s, np.tile(face(jawOpen=0.5), (4, 1)))
    np.testing.assert_allclose(live_link.read_csv(tmp_path / "t.csv")[0], np.arange(4) / 2, atol=1e-4)


def recording(path: Path, *rows: str, header: str = "Timecode,BlendShapeCount,JawOpen,HeadYaw") -> Path:
    path.write_text("\n".join((header, *rows, "")))
    return path


def test_a_last_row_that_is_cut_costs_no_other_row(tmp_path: Path) -> None:
    live_link.write_csv(tmp_path / "t.csv", np.arange(3) / 60, np.tile(face(jawOpen=0.5), (3, 1)))
    whole = (tmp_path / "t.csv").read_text()
    start = whole.rindex("\n", 0, -1) + 1
    for end in (start + 1, start + 12, start + 20, len(whole) - 20):
        (tmp_path / "t.csv").write_text(whole[:end])
        times_s, faces, _ = live_link.read_csv(tmp_path / "t.csv")
        assert (len(times_s), faces[:, FACE_INDEX["jawOpen"]].tolist()) == (2, [0.5, 0.5])
    (tmp_path / "t.csv").write_text(whole.replace(",61,", ",61,0.1\n", 1))
    with pytest.raises(InputError, match="line 2"):
        live_link.read_csv(tmp_path / "t.csv")


def test_columns_are_found_by_name_in_any_case(tmp_path: Path) -> None:
    header = "\ufeffTimecode,BlendshapeCount,headyaw,other,jawOpen"
    path = recording(tmp_path / "t.csv", "10:00:00:30.000,61,0.5,9,0.25", header=header)
    times_s, faces, found = live_link.read_csv(path)
    assert times_s.tolist() == [0.0]
    assert found.all()
    np.testing.assert_array_equal(faces[0], face(jawOpen=0.25, yaw=-0.5))


@pytest.mark.parametrize("row", ["00:00:00:01.0,0", "00:00:00:01.0,0,,", "00:00:00:01.0,0,0,0"])
def test_a_row_without_numbers_has_no_face(tmp_path: Path, row: str) -> None:
    path = recording(tmp_path / "t.csv", "00:00:00:00.0,61,0.5,0.0", row)
    _, faces, found = live_link.read_csv(path)
    assert found.tolist() == [True, False]
    assert np.isnan(faces[1]).all()


@pytest.mark.parametrize(
    ("rows", "header", "message"),
    [
        (["1,61,0,0"], None, "line 2: '1' is no timecode"),
        (["00:00:00:x,61,0,0"], None, "line 2: '00:00:00:x' is no timecode"),
        (["00:00:00:nan,61,0,0"], None, "is no timecode"),
        (["00:00:00:00.0,61,0.5"], None, "line 2: expected a number in each column"),
        (["00:00:00:00.0,61,0.5,inf"], None, "line 2: holds a number that is not finite"),
        (["00:00:00:00.0,61,0.5,a"], None, "line 2: expected a number"),
        ([], "time_s,found,browDownLeft", "a table of Track.to_csv, which is not read"),
        ([], "", "its first columns are nothing"),
        ([], "a;" * 999, "its first columns are (a;){20}; expected"),
        (["x" * 999 + ",61,0,0"], None, "'x{40}' is no timecode"),
        ([], "Timecode,BlendShapeCount,a", "has no column of Live Link Face"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, rows: list[str], header: str | None, message: str) -> None:
    path = recording(tmp_path / "t.csv", *rows, **({} if header is None else {"header": header}))
    with pytest.raises(InputError, match=message):
        live_link.read_csv(path)


def test_files_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(InputError, match="not a CSV file: it is no text"):
        live_link.read_csv(tmp_path / "t.csv")
    with pytest.raises(InputError, match="no such file"):
        live_link.read_csv(tmp_path / "none.csv")
