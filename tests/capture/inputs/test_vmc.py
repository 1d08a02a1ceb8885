from __future__ import annotations

import socket
from contextlib import suppress
from time import perf_counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.phones import free_port
from support.samples import face_state, moving_track, no_face, sample, samples_of
from visavis.base.osc import HEADER, bundles, encode
from visavis.base.unity import quaternion
from visavis.capture.inputs.vmc import MOST_DECODED, Decoder
from visavis.capture.source import open_source
from visavis.channels import BLENDSHAPES
from visavis.errors import DeviceError, InputError
from visavis.outputs.formats.vmc import Encoder
from visavis.types import FaceState

APPLY = encode("/VMC/Ext/Blend/Apply")


def weight(name: str, value: float) -> bytes:
    return encode("/VMC/Ext/Blend/Val", name, value)


def bone(name: str, *angles: float) -> bytes:
    return encode("/VMC/Ext/Bone/Pos", name, 0.0, 0.0, 0.0, *quaternion(*angles))


def last(decoder: Decoder, *packets: bytes) -> FaceState | None:
    return [state for packet in packets for state in decoder.decode(packet)][-1]


def moved(state: FaceState) -> dict[str, float]:
    return {name: round(state[name], 4) for name in BLENDSHAPES if state[name]}


@pytest.mark.parametrize("shapes", [["perfectsync"], ["perfectsync", "vrm0"]])
def test_our_own_output_arrives_unchanged(shapes: list[str]) -> None:
    encoder, decoder = Encoder(shapes), Decoder()
    for each in samples_of(moving_track()):
        state = last(decoder, *encoder.encode(each))
        np.testing.assert_array_equal(state.weights, each.state.weights)
        np.testing.assert_allclose(state.head_rad, each.state.head_rad, atol=1e-6)


@pytest.mark.parametrize("names", ["vrm0", "vrm1"])
@pytest.mark.parametrize(
    ("face", "expected"),
    [
        ({"jawOpen": 0.8}, {"jawOpen": 0.56}),
        ({"eyeBlinkLeft": 0.9, "eyeBlinkRight": 0.2}, {"eyeBlinkLeft": 0.9, "eyeBlinkRight": 0.2}),
        ({"eyeLookOutLeft": 0.6, "eyeLookInRight": 0.6}, {"eyeLookOutLeft": 0.6, "eyeLookInRight": 0.6}),
        ({"mouthPucker": 0.5}, {"mouthPucker": 0.4, "jawOpen": 0.05}),
    ],
)
def test_presets_move_the_same_parts(names: str, face: dict[str, float], expected: dict[str, float]) -> None:
    assert moved(last(Decoder(), *Encoder([names]).encode(sample(**face)))) == expected


@pytest.mark.parametrize("name", ["eyeBlinkLeft", "EyeBlinkLeft", "EYEBLINKLEFT", "eyeBlink_L", "EyeBlink_L"])
@pytest.mark.parametrize("value", [1, 1.0])
def test_any_spelling_and_both_kinds_of_numbers(name: str, value: float) -> None:
    assert moved(last(Decoder(), weight(name, value), APPLY)) == {"eyeBlinkLeft": 1}


def test_perfect_sync_wins_over_presets() -> None:
    decoder = Decoder()
    both = weight("jawOpen", 0.3), weight("A", 0.9), weight("Joy", 0.9)
    assert moved(last(decoder, *both, APPLY)) == {"jawOpen": 0.3}
    assert moved(last(decoder, weight("jawOpen", 0.0), weight("Joy", 0.0), APPLY)) == {"jawOpen": 0.63}


def test_presets_add_up_to_one_at_most() -> None:
    assert moved(last(Decoder(), weight("Blink", 0.8), weight("Blink_L", 0.8), APPLY)) == {
        "eyeBlinkLeft": 1,
        "eyeBlinkRight": 0.8,
    }


def test_weights_come_into_force_together() -> None:
    decoder = Decoder()
    assert decoder.decode(weight("jawOpen", 0.5)) == ()
    assert moved(last(decoder, APPLY)) == {"jawOpen": 0.5}
    decoder.decode(weight("jawOpen", 0.9))
    assert moved(decoder._state()) == {"jawOpen": 0.5}


def test_the_head_is_the_end_of_a_chain() -> None:
    state = last(Decoder(), bone("Hips", 0.1, 0, 0), bone("Neck", 0.2, 0, 0), bone("Head", 0.3, 0, 0), APPLY)
    assert state.head_rad == pytest.approx([0.6, 0, 0], abs=1e-6)


def test_a_performer_without_weights_moves_the_head() -> None:
    decoder = Decoder()
    assert last(decoder, bone("Head", 0, 0.4, 0)).head_rad == pytest.approx([0, 0.4, 0], abs=1e-6)
    decoder.decode(APPLY)
    assert decoder.decode(bone("Head", 0, 0.1, 0)) == ()


@pytest.mark.parametrize(
    ("status", "seen"),
    [([1], True), ([0], False), ([1, 3, 0], True), ([1, 3, 0, 1], True), ([1, 3, 0, 0], False)],
)
def test_the_state_of_tracking(status: list[int], seen: bool) -> None:
    decoder = Decoder()
    decoder.decode(encode("/VMC/Ext/OK", *status))
    assert (decoder.decode(APPLY) != (None,)) is seen


def test_our_own_lost_face_is_lost() -> None:
    encoder, decoder = Encoder(), Decoder()
    assert last(decoder, *encoder.encode(sample(1.0, jawOpen=0.5))) is not None
    assert last(decoder, *encoder.encode(no_face(1.1))) is None
    assert last(decoder, *encoder.encode(sample(1.2, jawOpen=0.5))) is not None


@pytest.mark.parametrize(
    "strange",
    [
        weight("JawOpen", float("nan")),
        weight("JawOpen", float("inf")),
        encode("/VMC/Ext/Blend/Val", "JawOpen", "0.5"),
        encode("/VMC/Ext/Blend/Val", "JawOpen"),
        encode("/VMC/Ext/Blend/Val", 0.5, "JawOpen"),
        encode("/VMC/Ext/Blend/Val", "MyTail", 0.5),
        encode("/VMC/Ext/Bone/Pos", "Head", *[float("nan")] * 7),
        encode("/VMC/Ext/Bone/Pos", "Head", *[0.0] * 6),
        encode("/VMC/Ext/Bone/Pos", "Head", *[0.0] * 7),
        encode("/VMC/Ext/Bone/Pos", "LeftHand", *quaternion(1, 1, 1)),
        encode("/VMC/Ext/OK"),
        encode("/VMC/Ext/Cam", "Camera", *[0.0] * 8),
        encode("/another/program", 1),
    ],
)
def test_strange_messages_change_nothing(strange: bytes) -> None:
    decoder = Decoder()
    state = last(decoder, strange, weight("JawOpen", 0.25), strange, APPLY)
    np.testing.assert_allclose(state.values, face_state(jawOpen=0.25).values, atol=1e-7)


def test_weights_are_cut_to_their_range() -> None:
    state = last(
        Decoder(), weight("JawOpen", 7.5), weight("TongueOut", -1.0), weight("CheekPuff", 1e-30), APPLY
    )
    assert (state["jawOpen"], state["tongueOut"]) == (1, 0)


@given(st.binary(max_size=80), st.sampled_from([b"", HEADER, b"/VMC/Ext/Blend/Val\0\0,sf\0"]))
def test_garbage_changes_nothing_that_counts(garbage: bytes, beginning: bytes) -> None:
    decoder = Decoder()
    with suppress(InputError):
        decoder.decode(beginning + garbage)
    assert moved(last(decoder, encode("/VMC/Ext/OK", 1), weight("JawOpen", 0.5), APPLY))["jawOpen"] == 0.5


def test_a_performer_that_bundles_nothing_is_read_as_a_whole() -> None:
    port = free_port()
    target = "127.0.0.1", port
    with open_source(f"vmc://127.0.0.1:{port}") as source, socket.socket(type=socket.SOCK_DGRAM) as sender:
        for jaw in (0.1, 0.2, 0.3):
            sender.sendto(b"garbage", target)
            for name in BLENDSHAPES:
                sender.sendto(weight(name, jaw), target)
            sender.sendto(APPLY, target)
        (face,) = next(iter(source)).faces
        assert face.state["browDownLeft"] == face.state["tongueOut"] == pytest.approx(0.3)
        assert "3 could not be read" in source.status


def test_a_flood_takes_bounded_time() -> None:
    """For one frame at most 512 datagrams are decoded; these are larger than any performer's."""
    decoder, packet = Decoder(), b"".join(bundles([weight("MouthUpperUpLeft", 0.5)] * 24))
    began_s = perf_counter()
    for _ in range(MOST_DECODED):
        decoder.decode(packet)
    assert perf_counter() - began_s < 2


def test_any_host_means_any_sender() -> None:
    port = free_port()
    with open_source(f"vmc://0.0.0.0:{port}") as source, socket.socket(type=socket.SOCK_DGRAM) as sender:
        sender.sendto(APPLY, ("127.0.0.1", port))
        assert len(next(iter(source)).faces) == 1
        with pytest.raises(DeviceError, match=f"another program listens on UDP port {port}"):
            open_source(f"vmc://0.0.0.0:{port}")


def test_an_address_that_says_too_much() -> None:
    with pytest.raises(InputError, match="no option mirror"):
        open_source("vmc://0.0.0.0?mirror=1")
