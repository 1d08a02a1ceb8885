from __future__ import annotations

import re
import socket

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.phones import FACEMOTION3D_FRAME, IFACIALMOCAP_FRAME, free_port
from visavis.base.address import Address
from visavis.capture.inputs import ifacialmocap
from visavis.capture.inputs.ifacialmocap import IFacialMocapDecoder
from visavis.channels import BLENDSHAPES
from visavis.errors import InputError
from visavis.types import FaceState


def decoded(datagram: bytes) -> FaceState:
    (state,) = IFacialMocapDecoder().decode(datagram)
    return state


def frame(head: str = "0,0,0,0,0,-0.5", weights: str = "jawOpen-50", eyes: str = "") -> bytes:
    return f"{weights}|=head#{head}|{eyes}".encode()


@pytest.mark.parametrize("golden", [IFACIALMOCAP_FRAME, FACEMOTION3D_FRAME])
def test_every_weight_of_the_documented_frames_is_read(golden: bytes) -> None:
    state = decoded(golden)
    sent = dict(re.findall(r"(\w+)[-&](\d+)\|", golden.decode()))
    assert len(sent) >= 52
    for name in BLENDSHAPES:
        short = re.sub("Left$", "_L", re.sub("Right$", "_R", name))
        value = sent.get(short, sent.get(name))
        assert state[name] == pytest.approx(int(value) / 100), name


def test_the_head_of_the_documented_frame() -> None:
    state = decoded(IFACIALMOCAP_FRAME)
    assert np.degrees(state.head_rad).tolist() == pytest.approx([-6.038993, 21.488958, 6.6019735])
    assert state.translation_cm.tolist() == pytest.approx([-3.0653415, -10.287084, -65.84072])


def test_negative_weights_of_version_2_are_cut() -> None:
    state = decoded(frame(weights="jawOpen&-20|mouthLeft&130|browInnerUp&30"))
    assert (state["jawOpen"], state["mouthLeft"], state["browInnerUp"]) == (0, 1, pytest.approx(0.3))


def test_a_phone_that_sees_no_face_says_so() -> None:
    decoder = IFacialMocapDecoder()
    assert decoder.decode(b"trackingStatus-0|" + IFACIALMOCAP_FRAME) == (None,)
    assert decoder.decode(b"trackingStatus-1|" + IFACIALMOCAP_FRAME) != (None,)


@pytest.mark.parametrize("golden", [IFACIALMOCAP_FRAME, FACEMOTION3D_FRAME])
def test_missing_looks_come_from_the_eyes(golden: bytes) -> None:
    sent, without = decoded(golden), decoded(re.sub(rb"eyeLook\w+[-&]\d+\|", b"", golden))
    looks = [name for name in BLENDSHAPES if name.startswith("eyeLook")]
    assert [without[name] for name in looks] == pytest.approx([sent[name] for name in looks], abs=0.02)
    assert any(without[name] > 0.1 for name in looks)


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"FMV3\x01\x00",
        b"jawOpen-50|",
        frame(head="1,2,3"),
        frame(head="1,2,3,4,5,six"),
        frame(head="nan,0,0,0,0,0"),
        frame(head="0,0,0,0,0,1e999"),
        frame(weights="unknown-5"),
        frame(weights="jawOpen-much"),
        frame(weights="jawOpen-inf"),
        b"\xff" + frame(),
    ],
)
def test_bad_datagrams_are_refused(bad: bytes) -> None:
    with pytest.raises((InputError, ValueError)):
        IFacialMocapDecoder().decode(bad)


@given(st.binary(max_size=400), st.integers(0, 1200), st.integers(0, 1200))
def test_cut_doubled_and_random_bytes_are_read_or_refused(noise: bytes, start: int, end: int) -> None:
    decoder = IFacialMocapDecoder()
    cut = IFACIALMOCAP_FRAME[:start]
    for datagram in (noise, cut, cut + cut, cut + noise + FACEMOTION3D_FRAME[end:]):
        try:
            (state,) = decoder.decode(datagram)
        except (InputError, ValueError):
            continue
        assert state is None or isinstance(state, FaceState)


def test_a_host_is_asked_for_version_2(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind(("127.0.0.1", 0))
        phone.settimeout(2.0)
        monkeypatch.setattr(ifacialmocap, "PORT", phone.getsockname()[1])
        with ifacialmocap.open(Address("ifacialmocap", "127.0.0.1", free_port())) as source:
            frames = iter(source)
            next(frames)
            data, back = phone.recvfrom(200)
            phone.sendto(FACEMOTION3D_FRAME, ("127.0.0.1", source.port))
            face = next(frame.faces[0] for frame in frames if frame.faces)
    assert data == b"iFacialMocap_sahuasouryya9218sauhuiayeta91555dy3719|sendDataVersion=v2"
    assert back[1] == source.port
    assert face.state["noseSneerLeft"] == pytest.approx(0.28)


def test_an_address_with_options_is_refused() -> None:
    with pytest.raises(InputError, match="it has no options"):
        ifacialmocap.open(Address.parse("ifacialmocap://?smooth=1"))
