#!/usr/bin/env bash
# The "$" of Live Link Face packets is a length: pylivelinkface takes packets of some senders for "no face".
#
# Versions:  pylivelinkface 0.1, numpy 2.2.6; Python 3.11 and newer.
# Behaviour: a packet with a face decodes if the id of the device has 36 characters. With an id of 32 characters, the
#            same packet decodes to (False, an empty face), without an error.
# Source:    the packet begins with u8 version 6 and i32 length of the id, big-endian: 06 00 00 00 24. The library reads
#            it as a little-endian u32 6 and an id of 37 characters that begins with "$"; "$" is 0x24, which is 36.
#            Unreal reads both: AppleARKitLiveLinkSource.cpp, FAppleARKitLiveLinkRemoteListener::Tick.
# For users: give a device id of 36 characters, such as a UUID with hyphens, when you send; read the length when you
#            receive. Our encoder and decoder do.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pylivelinkface==0.1 numpy==2.2.6
"$folder/venv/bin/python" - <<'PYTHON'
import struct

from pylivelinkface import FaceBlendShape, PyLiveLinkFace


def packet(device):
    values = [0.0] * 61
    values[FaceBlendShape.JawOpen.value] = 0.75
    texts = b"".join(struct.pack(">i", len(text)) + text for text in (device, b"Anna"))
    return b"\x06" + texts + struct.pack(">ifii", 3600, 0.5, 60, 1) + struct.pack(">B61f", 61, *values)


found = {}
for device in (b"740E4836-A56A-5D96-82D2-E77A0798A308", b"740E4836A56A5D9682D2E77A0798A308"):
    face_found, face = PyLiveLinkFace.decode(packet(device))
    found[len(device)] = face_found
    jaw = face.get_blendshape(FaceBlendShape.JawOpen)
    print(f"id of {len(device)} characters: face {face_found}, name {face.name}, JawOpen {jaw}")
assert found[36] is True, "a packet with an id of 36 characters has no face"
assert found[32] is False, "a packet with an id of 32 characters has a face now"
PYTHON
