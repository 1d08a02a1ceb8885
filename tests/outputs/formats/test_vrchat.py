from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from support.osc_readers import READERS, read_by_python_osc
from support.samples import face_state, moving_track, no_face, sample, samples_of
from visavis.channels import BLENDSHAPES
from visavis.errors import InputError
from visavis.outputs.formats.vrchat import PARAMETERS, Encoder, parameters
from visavis.outputs.registry import connect_output
from visavis.types import FaceState

AVATAR = "/avatar/parameters/"
# VRCFaceTracking's table of ARKit's weights in unified expressions, without those that are called the same.
UNIFIED = {
    "eyeBlinkLeft": "EyeClosedLeft",
    "eyeBlinkRight": "EyeClosedRight",
    "cheekPuff": "CheekPuffSuck",
    "mouthClose": "MouthClosed",
    "mouthRollUpper": "LipSuckUpper",
    "mouthRollLower": "LipSuckLower",
    "mouthFunnel": "LipFunnel",
    "mouthPucker": "LipPucker",
    "mouthShrugUpper": "MouthRaiserUpper",
    "mouthShrugLower": "MouthRaiserLower",
}
GAZE_AND_ASIDE = {
    name for name in BLENDSHAPES if name.startswith("eyeLook") or name in ("mouthLeft", "mouthRight")
}


def read(packets: list[bytes]) -> dict[str, Any]:
    return {address: args for messages in read_by_python_osc(packets) for address, args in messages}


def values_of(face: FaceState) -> dict[str, float]:
    return dict(zip(PARAMETERS, parameters(face).tolist(), strict=True))


@pytest.mark.parametrize("name", sorted(set(BLENDSHAPES) - GAZE_AND_ASIDE))
def test_each_weight_moves_the_parameter_of_its_name(name: str) -> None:
    unified = UNIFIED.get(name, name[0].upper() + name[1:])
    assert values_of(face_state(**{name: 0.3}))[unified] == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("face", "expected"),
    [
        # To the person's own right and up is positive.
        ({"eyeLookInLeft": 0.4, "eyeLookOutRight": 0.6}, {"EyeLeftX": 0.4, "EyeRightX": 0.6, "EyeX": 0.5}),
        ({"eyeLookOutLeft": 0.4, "eyeLookInRight": 0.6}, {"EyeLeftX": -0.4, "EyeRightX": -0.6, "EyeX": -0.5}),
        ({"eyeLookUpLeft": 0.4, "eyeLookDownRight": 0.2}, {"EyeLeftY": 0.4, "EyeRightY": -0.2, "EyeY": 0.1}),
        ({}, {"EyeLidLeft": 0.75, "EyeOpen": 1, "EyeClosed": 0, "JawOpen": 0}),
        ({"eyeBlinkLeft": 1}, {"EyeLidLeft": 0, "EyeLidRight": 0.75, "EyeLid": 0.375, "EyeOpenLeft": 0}),
        ({"eyeWideLeft": 1}, {"EyeLidLeft": 1, "EyeWide": 1, "EyeWideRight": 0}),
        ({"eyeSquintRight": 0.5, "eyeSquintLeft": 0.2}, {"EyeSquint": 0.5}),
        ({"jawRight": 0.5}, {"JawX": 0.5, "JawRight": 0.5}),
        ({"jawLeft": 0.5}, {"JawX": -0.5, "JawLeft": 0.5}),
        (
            {"mouthLeft": 0.5},
            {"MouthX": -0.5, "MouthUpperX": -0.5, "MouthUpperLeft": 0.5, "MouthLowerLeft": 0.5},
        ),
        ({"browDownLeft": 0.8}, {"BrowPinchLeft": 0.8, "BrowLowererLeft": 0.8, "BrowExpressionLeft": -0.8}),
        (
            {"browInnerUp": 1, "browOuterUpLeft": 1},
            {"BrowUpLeft": 1, "BrowUp": 0.7, "BrowExpressionRight": 0.5},
        ),
        (
            {"mouthSmileLeft": 0.6},
            {"MouthCornerPullLeft": 0.6, "MouthCornerSlantLeft": 0.6, "SmileFrown": 0.3},
        ),
        ({"mouthStretchLeft": 0.6, "mouthFrownLeft": 0.2}, {"MouthSadLeft": 0.6, "SmileSadLeft": -0.6}),
        ({"mouthUpperUpLeft": 0.8}, {"MouthOpen": 0.2, "MouthUpperUp": 0.4, "MouthUpperDeepenLeft": 0.8}),
        ({"mouthRollUpper": 0.4}, {"LipSuck": 0.2, "LipSuckUpperLeft": 0.4, "LipSuckLowerLeft": 0}),
        ({"yaw": 0.3, "pitch": 0.2, "roll": 0.1}, {"Head/Yaw": -0.3, "Head/Pitch": 0.2, "Head/Roll": 0.1}),
        ({"yaw": -1.4}, {"Head/Yaw": 1}),
    ],
)
def test_parameters(face: dict[str, float], expected: dict[str, float]) -> None:
    found = values_of(face_state(**face))
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("reader", READERS)
def test_values_of_a_track_arrive_whoever_reads_them(reader: str) -> None:
    track = moving_track()
    encoder = Encoder()
    packets = [encoder.encode(each) for each in samples_of(track)]
    assert all(len(packet) <= 1472 for of_sample in packets for packet in of_sample)
    answers = iter(READERS[reader]([packet for of_sample in packets for packet in of_sample]))
    index = [BLENDSHAPES.index(name) for name in ("jawOpen", "noseSneerLeft", "tongueOut", "mouthPucker")]
    for of_sample, row in zip(packets, track.face, strict=True):
        values = dict(message for _ in of_sample for message in next(answers))
        arrived = [*values[f"{AVATAR}v2/JawOpen"], *values[f"{AVATAR}v2/NoseSneerLeft"]]
        arrived += [*values[f"{AVATAR}v2/TongueOut"], *values[f"{AVATAR}v2/LipPucker"]]
        np.testing.assert_array_equal(np.float32(arrived), row[index])


def test_native_eyes_are_in_degrees_down_and_to_the_right() -> None:
    looking = sample(
        eyeLookDownLeft=0.2, eyeLookInLeft=0.4, eyeLookUpRight=0.6, eyeLookOutRight=1, eyeBlinkLeft=1
    )
    found = read(Encoder().encode(looking))
    assert found["/tracking/eye/LeftRightPitchYaw"] == pytest.approx([9, 18, -27, 45], abs=1e-4)
    assert found["/tracking/eye/EyesClosedAmount"] == [0.5]


def test_what_is_active_is_said_when_it_changes() -> None:
    encoder = Encoder()
    samples = [no_face(0.0), sample(0.1), sample(0.2), no_face(0.3), no_face(0.4)]
    said = [read(encoder.encode(each)).get(f"{AVATAR}LipTrackingActive") for each in samples]
    assert said == [[False], [True], None, [False], None]


def test_a_lost_face_eases_to_neutral_and_then_nothing_is_sent() -> None:
    encoder = Encoder()
    encoder.encode(sample(1.0, jawOpen=0.8))
    assert read(encoder.encode(no_face(1.25)))[f"{AVATAR}v2/JawOpen"] == [pytest.approx(0.4)]
    assert read(encoder.encode(no_face(1.5)))[f"{AVATAR}v2/JawOpen"] == [0]
    assert encoder.encode(no_face(1.6)) == []


def test_a_prefix_and_a_mirror() -> None:
    found = read(Encoder("FT/", mirror=True).encode(sample(mouthSmileLeft=0.5)))
    assert found[f"{AVATAR}FT/v2/MouthSmileRight"] == [0.5]
    assert found[f"{AVATAR}EyeTrackingActive"] == [True]


@pytest.mark.parametrize("option", ["mirror=on", "prefix=FT"])
def test_options_that_are_refused(option: str) -> None:
    with pytest.raises(InputError, match="mirror"):
        connect_output(f"vrchat://localhost?{option}")


def test_an_address_names_the_folder() -> None:
    _, connection = connect_output("vrchat://localhost/FT")
    assert connection.endpoint == ("localhost", 9000)
    assert f"{AVATAR}FT/v2/JawOpen" in read(connection._encoder.encode(sample()))
