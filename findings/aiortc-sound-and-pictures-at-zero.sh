#!/usr/bin/env bash
# aiortc starts the times of sound and pictures at 0 each, so a voice that begins 2 s late is on the face 2 s early.
#
# Versions:  aiortc 1.16.0, av 18.1.0 (FFmpeg 8.0); Python 3.11 or newer. The network is this computer only.
# Behaviour: a sender's pictures begin at 0 s and its sound at 2 s, by one clock. Two seconds pass between the first picture
#            and the first sound that are received, but both have time 0. A file whose sound begins at 2 s, as PyAV
#            reads it, has it at 0 s in MediaPlayer, too.
# Source:    rtcrtpreceiver.py takes the first RTP timestamp of each track for 0 (TimestampMapper). RFC 3550, 6.4.1: sender's
#            reports pair the time of a clock with an RTP timestamp, to synchronise sound and pictures; aiortc sends and
#            reads them, but not for this. contrib/media.py counts samples from 0 and subtracts the first picture's time.
# For users: note the clock when each track's first frame arrives, and add the difference to the times. It matters where
#            a camera opens later than a microphone. We use no WebRTC; we read files by the times that are in them.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet aiortc==1.16.0 av==18.1.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON' || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
import asyncio
import time
from fractions import Fraction

import av
from aiortc import MediaStreamTrack, RTCPeerConnection
from aiortc.contrib.media import MediaPlayer

STARTS_S = {"video": 0, "audio": 2}
RATES = {"video": 25, "audio": 50}


def made(kind: str, number: int) -> av.VideoFrame | av.AudioFrame:
    """A black picture, or 20 ms of silence."""
    if kind == "video":
        frame = av.VideoFrame(64, 48, "yuv420p")
    else:
        frame = av.AudioFrame("s16", "mono", 960)
        frame.sample_rate = 48_000
    for plane in frame.planes:
        plane.update(bytes(plane.buffer_size))
    frame.time_base = Fraction(1, 48_000)
    frame.pts = 48_000 * STARTS_S[kind] + 48_000 // RATES[kind] * number
    return frame


class Source(MediaStreamTrack):
    """Frames that come at their times."""

    def __init__(self, kind: str, start_s: float) -> None:
        super().__init__()
        self.kind, self.start_s, self.number = kind, start_s, 0

    async def recv(self) -> av.VideoFrame | av.AudioFrame:
        frame = made(self.kind, self.number)
        self.number += 1
        await asyncio.sleep(max(0, self.start_s + frame.time - time.monotonic()))
        return frame


async def received() -> dict[str, tuple[float, float]]:
    """The time of each track's first frame, and the clock when it came."""
    sender, receiver = RTCPeerConnection(), RTCPeerConnection()
    tracks = []
    receiver.on("track", tracks.append)
    start_s = time.monotonic() + 1
    for kind in STARTS_S:
        sender.addTrack(Source(kind, start_s))
    await sender.setLocalDescription(await sender.createOffer())
    await receiver.setRemoteDescription(sender.localDescription)
    await receiver.setLocalDescription(await receiver.createAnswer())
    await sender.setRemoteDescription(receiver.localDescription)

    async def first(track: MediaStreamTrack) -> tuple[float, float]:
        frame = await track.recv()
        return frame.time, time.monotonic() - start_s

    found = await asyncio.wait_for(asyncio.gather(*map(first, tracks)), 20)
    await sender.close()
    await receiver.close()
    return {track.kind: each for track, each in zip(tracks, found, strict=True)}


async def played(path: str) -> dict[str, float]:
    """The time of each track's first frame of a file."""
    player = MediaPlayer(path)
    tracks = (player.video, player.audio)
    found = {track.kind: (await track.recv()).time for track in tracks}
    for track in tracks:
        track.stop()
    return found


with av.open("call.mkv", "w") as file:
    pictures, sound = file.add_stream("mpeg4", rate=25, width=64, height=48), file.add_stream("pcm_s16le", rate=48_000)
    for kind, stream in (("video", pictures), ("audio", sound)):
        for number in range(3 * RATES[kind]):
            file.mux(stream.encode(made(kind, number)))
        file.mux(stream.encode(None))
with av.open("call.mkv") as file:
    stored = {kind: next(file.decode(**{kind: 0})).time for kind in STARTS_S if file.seek(0) is None}
calls = asyncio.run(received())
files = asyncio.run(played("call.mkv"))
print("received: time of the first frame", {kind: each[0] for kind, each in calls.items()})
print("received: when it came, in seconds", {kind: round(each[1], 1) for kind, each in calls.items()})
print("file: time of the first frame, by PyAV", stored)
print("file: time of the first frame, by MediaPlayer", files)
assert stored == STARTS_S and calls["audio"][1] - calls["video"][1] > 1, "the sound did not begin late"
assert {each[0] for each in calls.values()} == set(files.values()) == {0}, "the times no longer start at 0"
PYTHON
