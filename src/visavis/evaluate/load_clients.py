"""Honest clients of a server, as the page is one: they send pictures and time the answers."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

from visavis.capture.portrait import PortraitClip
from visavis.capture.source import FrameSource
from visavis.capture.video import VideoFile
from visavis.errors import DeviceError, InputError
from visavis.serve.protocol import encode_frame, encode_sound

SIZE = (640, 480)
QUALITY = 70
FRAMES = 150  # of each clip
MOST_UNANSWERED = 2
SILENT_S = 5.0  # after this time an unanswered frame is given up
SOUND_HZ = 16000
PAUSE_S = 0.2  # before a lost connection is made again
LONGEST_REASON = 150
EXAMPLE_URL = "ws://127.0.0.1:8765/ws"
NUMBER = re.compile(r'"id": ?(\d+)')


@dataclass(slots=True)
class ClientFigures:
    """Figures of one client.

    Attributes:
        sent: number of frames sent.
        skipped: number of frames that were not sent, since two were unanswered.
        dropped: number of frames that the server dropped.
        latencies_ms: time from sending to the answer, for each moment.
        errors: number of errors by code.
        closed: close codes with reasons.
        gaps_s: time from each loss of the connection to the next moment.
    """

    sent: int = 0
    skipped: int = 0
    dropped: int = 0
    latencies_ms: list[float] = field(default_factory=list)
    errors: dict[str, int] = field(default_factory=dict)
    closed: list[str] = field(default_factory=list)
    gaps_s: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Wish:
    """How the clients behave.

    Attributes:
        fps: rate of the camera.
        listen: whether the avatars listen.
        obey: whether clients follow the rate that the server wishes.
        resume: whether clients come back with their token.
    """

    fps: float = 25.0
    listen: bool = False
    obey: bool = False
    resume: bool = False


class Client:
    """One honest client.

    Args:
        url: address of the server's WebSocket.
        pictures: JPEG files, shown forwards and backwards.
        wish: how it behaves.
        start: the first picture.
    """

    def __init__(self, url: str, pictures: Sequence[bytes], wish: Wish, start: int = 0) -> None:
        self._url, self._wish = url, wish
        self._pictures = [*pictures, *reversed(pictures)]
        self._place = start
        self._unanswered: dict[int, float] = {}
        self._fps = wish.fps
        self._token: str | None = None
        self._lost_s: float | None = None
        self.seen = ClientFigures()
        self.counting = False

    async def run(self, until_s: float) -> None:
        """Stay connected until this time of :func:`perf_counter`."""
        while perf_counter() < until_s:
            try:
                async with connect(self._url, max_size=None, compression=None) as socket:
                    await self._talk(socket, until_s)
            except (ConnectionClosed, InvalidHandshake, OSError, TimeoutError) as error:
                self._lost_s = self._lost_s or perf_counter()
                self._unanswered.clear()
                self.seen.closed.append(str(error)[:LONGEST_REASON])
                await asyncio.sleep(PAUSE_S)

    async def _talk(self, socket: ClientConnection, until_s: float) -> None:
        if self._wish.resume and self._token:
            await socket.send(json.dumps({"type": "resume", "token": self._token}))
        async with asyncio.timeout(10):
            await socket.recv()
        if self._wish.listen:
            await socket.send('{"type": "listen", "on": true, "seed": 1, "style": null}')
        reading = asyncio.create_task(self._read(socket))
        try:
            await self._show(socket, reading, until_s)
        finally:
            reading.cancel()

    async def _show(self, socket: ClientConnection, reading: asyncio.Task[None], until_s: float) -> None:
        next_s = perf_counter()
        while (now_s := perf_counter()) < until_s:
            if reading.done():
                reading.result()
            self._unanswered = {n: s for n, s in self._unanswered.items() if now_s - s < SILENT_S}
            self._place += 1
            if len(self._unanswered) < MOST_UNANSWERED:
                picture = self._pictures[self._place % len(self._pictures)]
                self._unanswered[self._place] = now_s
                await socket.send(encode_frame(self._place, now_s, picture))
                self.seen.sent += self.counting
            else:
                self.seen.skipped += self.counting
            if self._wish.listen:
                await self._speak(socket, now_s)
            next_s = max(next_s + 1 / self._fps, now_s)
            await asyncio.sleep(max(0.0, next_s - perf_counter()))

    async def _speak(self, socket: ClientConnection, now_s: float) -> None:
        count = round(SOUND_HZ / self._wish.fps)
        tone = 3000 * np.sin(np.arange(count) * 0.1)
        await socket.send(encode_sound(SOUND_HZ, now_s, tone.astype("<i2").tobytes()))

    async def _read(self, socket: ClientConnection) -> None:
        async for text in socket:
            now_s, head = perf_counter(), str(text)[:60]
            if '"moment"' in head:
                found = NUMBER.search(head)
                self._answered(int(found[1]) if found else -1, now_s)
                continue
            message = json.loads(text)
            if message["type"] == "error":
                code = message["code"]
                self.seen.errors[code] = self.seen.errors.get(code, 0) + 1
                self._unanswered.pop(message["id"], None)
            elif message["type"] == "resume":
                self._token = message["token"]
            elif message["type"] == "pace" and self._wish.obey:
                self._fps = min(message["fps"], self._wish.fps)

    def _answered(self, number: int, now_s: float) -> None:
        if self._lost_s is not None:
            self.seen.gaps_s.append(now_s - self._lost_s)
            self._lost_s = None
        for older in [n for n in self._unanswered if n < number]:
            del self._unanswered[older]
            self.seen.dropped += self.counting
        sent_s = self._unanswered.pop(number, None)
        if sent_s is not None and self.counting:
            self.seen.latencies_ms.append(1e3 * (now_s - sent_s))


async def require_server(url: str) -> None:
    """See that a server lets clients in.

    Raises:
        DeviceError: none answers, or it refuses.
        InputError: the address is none of a WebSocket.
    """
    try:
        async with connect(url, compression=None):
            pass
    except InvalidURI as error:
        raise InputError(f"{url}: expected the address of a WebSocket, such as {EXAMPLE_URL}") from error
    except (InvalidHandshake, OSError, TimeoutError) as error:
        raise DeviceError(
            f"{url}: no client is let in: {error}; start visavis serve, and name its address, such as "
            f"{EXAMPLE_URL}, with ?token=TOKEN if it needs one"
        ) from error


def pictures_of(folder: Path | None) -> list[list[bytes]]:
    """JPEG files of 640x480 of each clip's first frames.

    Args:
        folder: .mp4 files, hidden ones left out; None takes the embedded portrait.

    Raises:
        InputError: there are no .mp4 files, or one cannot be read.
    """
    if folder is None:
        with PortraitClip() as clip:
            return [_pictures(clip)]
    paths = sorted(path for path in folder.glob("[!.]*.mp4") if path.is_file())
    if not paths:
        raise InputError(f"{folder}: holds no .mp4 files; name a folder of videos")
    clips = []
    for path in paths:
        with VideoFile(path) as video:
            clips.append(_pictures(video))
    return clips


def _pictures(source: FrameSource | PortraitClip) -> list[bytes]:
    pictures: list[bytes] = []
    for frame in source:
        bgr = cv2.resize(frame.image_rgb[..., ::-1], SIZE, interpolation=cv2.INTER_AREA)
        pictures.append(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes())
        if len(pictures) == FRAMES:
            break
    return pictures
