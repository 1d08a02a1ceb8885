from __future__ import annotations

import socket
from contextlib import suppress
from math import cos, radians, sin
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.osc_readers import READERS, read_by_python_osc
from support.samples import face_state, moving_track, no_face, sample, samples_of
from visavis.api import watch
from visavis.base.unity import head_angles, product
from visavis.channels import BLENDSHAPES
from visavis.errors import InputError
from visavis.outputs.formats.vmc import SETS, Encoder, bones, perfect_sync_name, presets
from visavis.outputs.registry import connect_output, open_output
from visavis.outputs.sample import Sample


def read(packets: list[bytes]) -> dict[str, Any]:
    """The last arguments of each message, by address and name."""
    found = {}
    for messages in read_by_python_osc(packets):
        for address, arguments in messages:
            named = bool(arguments) and isinstance(arguments[0], str)
            key = f"{address} {arguments[0]}" if named else address
            found[key] = arguments[1:] if named else arguments
    return found


def weights(packets: list[bytes]) -> dict[str, float]:
    found = {key.removeprefix("/VMC/Ext/Blend/Val "): values for key, values in read(packets).items()}
    return {name: values[0] for name, values in found.items() if "/" not in name}


def test_golden_first_bundle() -> None:
    (first, *_) = Encoder(SETS[:2]).encode(sample(0.5))
    assert first[:16] == b"#bundle\0" + bytes(7) + b"\1"
    assert first[16:52] == (
        b"\0\0\0\x24/VMC/Ext/OK\0,iiii\0\0\0" + bytes([0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 0])
    )
    assert first[56:76] == b"\0\0\0\x14/VMC/Ext/T\0\0,f\0\0"


@pytest.mark.parametrize("reader", READERS)
def test_values_of_a_track_arrive_whoever_reads_them(reader: str) -> None:
    track = moving_track()
    encoder = Encoder(SETS[:2])
    packets = [encoder.encode(each) for each in samples_of(track)]
    answers = iter(READERS[reader]([packet for of_sample in packets for packet in of_sample]))
    for of_sample, row, time_s in zip(packets, track.face, track.time_s, strict=True):
        messages = [message for _ in of_sample for message in next(answers)]
        assert messages[0] == ("/VMC/Ext/OK", [1, 3, 0, 1])
        assert messages[1] == ("/VMC/Ext/T", [np.float32(time_s)])
        assert messages[-1][0] == "/VMC/Ext/Blend/Apply"
        values = {arguments[0]: arguments[1:] for _, arguments in messages[2:-1]}
        arrived = [np.float32(*values[perfect_sync_name(name)]) for name in BLENDSHAPES]
        np.testing.assert_array_equal(arrived, row[: len(BLENDSHAPES)])
        head = product(tuple(values["Neck"][3:]), tuple(values["Head"][3:]))
        np.testing.assert_allclose(head_angles(head), row[-6:-3], atol=1e-6)


@pytest.mark.shared
@pytest.mark.slow
def test_a_real_clip_arrives_as_it_was_tracked(shared: Path) -> None:
    encoder = Encoder(SETS[:2])
    for moment in watch(shared / "data/video/hdtf_Alexa.mp4", recognizer=None):
        if moment.frame.index >= 25:
            break
        face = moment.face
        arrived = weights(encoder.encode(Sample(moment.frame.time_s, face.state, moment.pose, face)))
        assert [np.float32(arrived[perfect_sync_name(name)]) for name in BLENDSHAPES] == list(
            face.state.weights
        )


def test_a_track_is_sent_over_udp() -> None:
    track = moving_track(frames=6)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)
        with open_output(f"vmc://localhost:{receiver.getsockname()[1]}?shapes=perfectsync") as sender:
            for each in samples_of(track):
                sender.send(each)
        packets = [receiver.recv(65536)]
        receiver.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                packets.append(receiver.recv(65536))
    last = weights(packets)
    arrived = np.asarray([last[perfect_sync_name(name)] for name in BLENDSHAPES], np.float32)
    np.testing.assert_array_equal(arrived, track.face[-1, : len(BLENDSHAPES)])


def test_names_are_those_of_perfect_sync_and_vrm0() -> None:
    sent = set(weights(Encoder(SETS[:2]).encode(sample())))
    assert {"BrowDownLeft", "EyeBlinkRight", "MouthSmileLeft", "JawOpen", "TongueOut"} <= sent
    assert {"Joy", "Angry", "Sorrow", "Fun", "A", "I", "U", "E", "O", "Blink", "Blink_L", "Blink_R"} <= sent
    assert len(sent) == 52 + 17
    new = set(weights(Encoder(["vrm1"]).encode(sample())))
    assert {"happy", "angry", "sad", "relaxed", "surprised", "aa", "blinkLeft", "lookDown"} <= new
    assert len(new) == 17


def test_root_and_bones() -> None:
    found = read(Encoder(SETS[:2]).encode(sample(yaw=0.4)))
    assert found["/VMC/Ext/Root/Pos root"] == [0, 0, 0, 0, 0, 0, 1]
    turned = pytest.approx([0, 0, 0, 0, -sin(0.1), 0, cos(0.1)])
    assert found["/VMC/Ext/Bone/Pos Neck"] == found["/VMC/Ext/Bone/Pos Head"] == turned


@pytest.mark.parametrize(
    ("look", "axis", "sign"),
    [
        # To the person's own left, Unity's -x, is a negative turn about y.
        ({"eyeLookOutLeft": 1, "eyeLookInRight": 1}, 1, -1),
        ({"eyeLookInLeft": 1, "eyeLookOutRight": 1}, 1, 1),
        ({"eyeLookUpLeft": 1, "eyeLookUpRight": 1}, 0, -1),
        ({"eyeLookDownLeft": 1, "eyeLookDownRight": 1}, 0, 1),
    ],
)
def test_eyes_look_to_the_same_side(look: dict[str, float], axis: int, sign: int) -> None:
    turned = bones(face_state(**look))
    assert turned["LeftEye"] == turned["RightEye"]
    assert turned["LeftEye"][axis] == pytest.approx(sign * sin(radians(5)))


@pytest.mark.parametrize(
    ("face", "strongest"),
    [
        ({"jawOpen": 0.8}, "A"),
        ({"jawOpen": 0.4, "mouthStretchLeft": 0.9, "mouthStretchRight": 0.9}, "E"),
        (
            {
                "mouthSmileLeft": 0.9,
                "mouthSmileRight": 0.9,
                "mouthUpperUpLeft": 0.5,
                "mouthUpperUpRight": 0.5,
            },
            "I",
        ),
        ({"jawOpen": 0.6, "mouthFunnel": 0.8}, "O"),
        ({"mouthPucker": 0.8}, "U"),
        ({"eyeBlinkLeft": 0.9}, "Blink_L"),
        ({"eyeLookOutLeft": 0.7, "eyeLookInRight": 0.7}, "LookLeft"),
        ({"eyeLookOutRight": 0.7, "eyeLookInLeft": 0.7}, "LookRight"),
    ],
)
def test_presets_follow_the_face(face: dict[str, float], strongest: str) -> None:
    state = face_state(**face)
    found = presets(dict(zip(BLENDSHAPES, state.weights.tolist(), strict=True)))
    assert max(found, key=found.__getitem__) == strongest


def test_vowels_never_exceed_one_mouth() -> None:
    for each in samples_of(moving_track(50)):
        found = presets(dict(zip(BLENDSHAPES, each.state.weights.tolist(), strict=True)))
        assert 0 <= sum(found[vowel] for vowel in "AIUEO") <= 1 + 1e-6
        assert min(found.values()) >= 0


def test_the_held_expression_comes_and_goes_smoothly() -> None:
    encoder = Encoder(SETS[:2])
    joys = [weights(encoder.encode(sample(n / 25, "happy"))) for n in range(25)]
    assert joys[0]["Joy"] == 0
    assert 0.2 < joys[1]["Joy"] < 0.5
    assert joys[-1]["Joy"] > 0.99
    assert joys[-1]["Angry"] == joys[-1]["Sorrow"] == joys[-1]["Surprised"] == 0
    faded = [weights(encoder.encode(sample(1 + n / 25, "anger"))) for n in range(25)]
    assert faded[-1]["Joy"] < 0.01
    assert faded[-1]["Angry"] > 0.99


def test_a_lost_face_is_said_and_eases_out() -> None:
    encoder = Encoder(SETS[:2])
    encoder.encode(sample(1.0, jawOpen=0.8))
    halfway = read(encoder.encode(no_face(1.25)))
    assert halfway["/VMC/Ext/OK"] == [1, 3, 0, 0]
    assert halfway["/VMC/Ext/Blend/Val JawOpen"] == [pytest.approx(0.4)]
    assert read(encoder.encode(no_face(1.6)))["/VMC/Ext/Blend/Val JawOpen"] == [0]
    assert list(read(encoder.encode(no_face(1.7)))) == ["/VMC/Ext/OK", "/VMC/Ext/T"]


def test_a_mirror() -> None:
    found = weights(Encoder(SETS[:2], mirror=True).encode(sample(mouthSmileLeft=0.5)))
    assert (found["MouthSmileRight"], found["MouthSmileLeft"]) == (0.5, 0)


@pytest.mark.parametrize(
    ("address", "complaint"),
    [
        ("vmc://localhost?shape=vrm0", "no option shape; known: shapes, mirror"),
        ("vmc://localhost?shapes=arkit", "perfectsync, vrm0, vrm1; found 'arkit'"),
        ("vmc://localhost?mirror=yes", "mirror is 0 or 1; found 'yes'"),
        ("vmc://localhost/Anna", "'Anna' means nothing here"),
    ],
)
def test_addresses_that_are_refused(address: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        connect_output(address)


def test_one_set_of_weights_is_sent_unless_more_are_asked_for() -> None:
    sent = {name for name in weights(Encoder().encode(sample(0.5, jawOpen=0.5))) if name[0].isupper()}
    assert "A" in sent
    assert "JawOpen" not in sent
    only = weights(Encoder(["perfectsync"]).encode(sample(0.5, jawOpen=0.5)))
    assert "JawOpen" in only
    assert "A" not in only
