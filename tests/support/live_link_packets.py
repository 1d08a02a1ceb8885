"""Packets of Live Link Face, written by hand from the published layout."""

from __future__ import annotations

import struct
from collections.abc import Sequence

# Of the subject "visavis".
DEVICE = "740E4836-A56A-5D96-82D2-E77A0798A308"


def packet(
    values: Sequence[float],
    *,
    device: str = DEVICE,
    subject: str = "visavis",
    frame: int = 0,
    part: float = 0.0,
    version: int = 6,
) -> bytes:
    """u8 version; device and subject with lengths (i32); frame (i32, f32); rate (2 i32); u8 count; f32s."""
    return (
        struct.pack(">B", version)
        + struct.pack(">i", len(device))
        + device.encode()
        + struct.pack(">i", len(subject))
        + subject.encode()
        + struct.pack(">ifii", frame, part, 60, 1)
        + struct.pack(">B", len(values))
        + struct.pack(f">{len(values)}f", *values)
    )
