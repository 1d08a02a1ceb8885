"""One WebSocket conversation, from hello to close code."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

import anyio.to_thread
from starlette.websockets import WebSocket, WebSocketDisconnect

from visavis.errors import VisavisError
from visavis.serve.answers import (
    encode_error,
    encode_guide,
    encode_hello,
    encode_listen,
    encode_profile,
    encode_settings,
    encode_words,
)
from visavis.serve.protocol import (
    CalibrateMessage,
    Close,
    FrameMessage,
    GuideMessage,
    HangupError,
    ListenMessage,
    ProfileMessage,
    RefusedError,
    SettingsMessage,
    SoundMessage,
    decode_message,
)
from visavis.serve.sessions import Session, SessionPool

STALL_S = 10.0  # time for one frame to be processed and answered
_GOODBYE_S = 2.0
_log = logging.getLogger(__name__)


async def converse(socket: WebSocket, pool: SessionPool, idle_s: float) -> None:
    """Serve one client until it leaves, breaks the protocol, falls silent or the server stops.

    Args:
        socket: a socket that is not yet accepted.
        pool: provides the session.
        idle_s: time without messages after which the session is closed.
    """
    await socket.accept()
    try:
        async with pool.session() as session:
            hello = encode_hello(
                session.reads_emotions,
                session.drops_tokens,
                session.vocabulary,
                session.listener,
                session.calibrating,
            )
            await socket.send_text(hello)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_listen(socket, session, idle_s))
                tasks.create_task(_answer(socket, session))
                tasks.create_task(_leave_when_drained(pool))
    except* WebSocketDisconnect:
        _log.debug("the client left")
    except* VisavisError as group:
        await _say_goodbye(socket, _cause(group))


async def _listen(socket: WebSocket, session: Session, idle_s: float) -> None:
    while True:
        try:
            async with asyncio.timeout(idle_s):
                received = await socket.receive()
        except TimeoutError:
            raise HangupError(
                Close.IDLE, f"nothing arrived for {idle_s:g} s; connect again when needed"
            ) from None
        if received["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(received.get("code", 1005))
        data = received.get("bytes")
        try:
            answer = _take(session, received["text"] if data is None else data)
        except RefusedError as error:
            answer = encode_error(error.code, str(error))
        if answer is not None:
            await socket.send_text(answer)


def _take(session: Session, data: bytes | str) -> str | None:
    """Process a message; returns its answer if there is an immediate one."""
    message = decode_message(data)
    if isinstance(message, FrameMessage):
        session.offer(message)
        return None
    if isinstance(message, SoundMessage):
        session.hear(message)
        return None
    if isinstance(message, CalibrateMessage):
        session.calibrate()
        return None
    if isinstance(message, GuideMessage):
        session.calibrating.guide(message.on)
        return encode_guide(message)
    if isinstance(message, ProfileMessage):
        return encode_profile(session.calibrating.keep(message.keep))
    if isinstance(message, SettingsMessage):
        return encode_settings(session.configure(message))
    if isinstance(message, ListenMessage):
        return encode_listen(session.listen(message))
    return encode_words(session.tell_words(message))


async def _answer(socket: WebSocket, session: Session) -> None:
    while True:
        waiting = await session.take()
        try:
            async with asyncio.timeout(STALL_S):
                text = await anyio.to_thread.run_sync(session.process, waiting, abandon_on_cancel=True)
                await socket.send_text(text)
        except TimeoutError:
            raise HangupError(Close.FAILED, f"a frame was not answered within {STALL_S:g} s") from None


async def _leave_when_drained(pool: SessionPool) -> None:
    await pool.draining.wait()
    raise HangupError(Close.RESTARTING, "the server is stopping; connect again in a moment")


async def _say_goodbye(socket: WebSocket, hangup: HangupError) -> None:
    _log.info("closing with %d: %s", hangup.close, hangup)
    # The client may be gone or may not be reading; then nobody can receive the reason.
    with suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
        async with asyncio.timeout(_GOODBYE_S):
            await socket.send_text(encode_error(hangup.close.name.lower(), str(hangup)))
            await socket.close(hangup.close, hangup.reason)


def _cause(group: BaseExceptionGroup[VisavisError]) -> HangupError:
    found = group.exceptions[0]
    if isinstance(found, BaseExceptionGroup):
        return _cause(found)
    return found if isinstance(found, HangupError) else HangupError(Close.FAILED, str(found))
