"""One WebSocket conversation, from hello to close code."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from dataclasses import asdict
from functools import partial

from starlette.websockets import WebSocket, WebSocketDisconnect

from visavis.errors import InputError, VisavisError
from visavis.serve.answers import encode, encode_error, encode_hello
from visavis.serve.messages import (
    CalibrateMessage,
    ExpressMessage,
    FaceTokensMessage,
    FrameMessage,
    GuideMessage,
    ListenMessage,
    Message,
    OutputMessage,
    PaceMessage,
    ProfileMessage,
    RecordMessage,
    ResumeMessage,
    SettingsMessage,
    SoundMessage,
    Wish,
)
from visavis.serve.pool import SessionPool
from visavis.serve.protocol import Close, HangupError, RefusedError, decode_message, session_name
from visavis.serve.sessions import Session

STALL_S = 10.0  # time for one frame to be processed and answered
_GOODBYE_S = 2.0
# A crowded server waits this long for a token before it refuses.
_TOKEN_S = 0.5
# The closing handshake of a client that does not come back.
_LEFT_FOR_GOOD = (1000, 1001)


async def converse(socket: WebSocket, pool: SessionPool, idle_s: float) -> None:
    """Serve one client until it leaves, breaks the protocol, falls silent or the server stops.

    Args:
        socket: a socket that is not yet accepted.
        pool: provides the session.
        idle_s: time without messages after which the session is closed.
    """
    await socket.accept()
    try:
        name = session_name(socket.query_params.get("session"))
        back = await _first_words(socket) if pool.crowded else None
        token = back.token if isinstance(back, ResumeMessage) else None
        async with pool.session(name, token) as session:
            hello = encode_hello(
                session.reads_expressions,
                session.drops_tokens,
                session.vocabulary,
                session.ear.networks,
                session.calibrating,
                alone=pool.alone,
            )
            await socket.send_text(hello)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_listen(socket, session, pool, idle_s, back))
                tasks.create_task(_answer(socket, session, pool))
                tasks.create_task(_leave_when_drained(pool))
                tasks.create_task(_leave_when_replaced(session))
    except* WebSocketDisconnect:
        pass
    except* VisavisError as group:
        await _say_goodbye(socket, _cause(group))


async def relay(socket: WebSocket, pool: SessionPool) -> None:
    """Show a viewer page what a session shows, until the viewer leaves or the server stops."""
    await socket.accept()
    try:
        name = session_name(socket.query_params.get("session"))
        if not pool.alone:
            raise HangupError(
                Close.BAD_MESSAGE,
                "this server has several processes, so nothing can be watched (--workers 1)",
            )
        if not name:
            raise HangupError(Close.BAD_MESSAGE, "the address must end in ?session= and the session's name")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_show(socket, pool, name))
            tasks.create_task(_leave(socket))
            tasks.create_task(_leave_when_drained(pool))
    except* WebSocketDisconnect:
        pass
    except* VisavisError as group:
        await _say_goodbye(socket, _cause(group))


async def _show(socket: WebSocket, pool: SessionPool, name: str) -> None:
    async with aclosing(pool.broadcast.view(name)) as texts:
        async for text in texts:
            await socket.send_text(text)


async def _leave(socket: WebSocket) -> None:
    """Wait until the viewer leaves; a viewer has nothing to say."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
    raise WebSocketDisconnect(1005)


async def _first_words(socket: WebSocket) -> Message | None:
    """The client's first message, perhaps a token; None if there is none yet."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_TOKEN_S):
            received = await socket.receive()
            if received["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(received.get("code", 1005))
            return decode_message(received.get("bytes") or received.get("text") or "")
    return None


async def _listen(
    socket: WebSocket, session: Session, pool: SessionPool, idle_s: float, first: Message | None
) -> None:
    if first is not None:
        await _react(socket, session, pool, first)
    while True:
        try:
            async with asyncio.timeout(idle_s):
                received = await socket.receive()
        except TimeoutError:
            raise HangupError(
                Close.IDLE, f"nothing arrived for {idle_s:g} s; connect again when needed"
            ) from None
        if received["type"] == "websocket.disconnect":
            session.memory.lost = received.get("code", 1005) not in _LEFT_FOR_GOOD
            raise WebSocketDisconnect(received.get("code", 1005))
        data = received.get("bytes")
        if data is None:
            session.intake.text()
        await _react(socket, session, pool, received["text"] if data is None else data)


async def _react(socket: WebSocket, session: Session, pool: SessionPool, data: bytes | str | Message) -> None:
    """Process a message and answer it; a client that sends too much has to wait."""
    wait_s = 0.0
    try:
        message = decode_message(data) if isinstance(data, bytes | str) else data
        if isinstance(message, FrameMessage):
            wait_s = session.intake.frame(len(data)) if isinstance(data, bytes) else 0.0
            (session.inbox.offer_surplus if wait_s else session.inbox.offer)(message)
            answer = None
        elif isinstance(message, ResumeMessage):
            token = pool.resume(session, message.token)
            answer = None if token is None else encode("resume", token=token)
        else:
            answer = _take(session, message)
            session.memory.change()
    except RefusedError as error:
        answer = encode_error(error.code, str(error))
    if answer is not None:
        await socket.send_text(answer)
    if wait_s:
        await asyncio.sleep(wait_s)


def _take(session: Session, message: SoundMessage | Wish) -> str | None:
    """Process a message; returns its answer if there is an immediate one."""
    match message:
        case SoundMessage():
            session.hear(message)
        case CalibrateMessage():
            session.calibrate()
        case GuideMessage(on):
            session.calibrating.guide(on)
            return encode("guide", on=on)
        case ProfileMessage(keep):
            return encode("profile", kept=session.calibrating.keep(keep))
        case SettingsMessage():
            return encode("settings", **asdict(session.configure(message)))
        case ExpressMessage(label):
            session.express(label)
        case PaceMessage(on):
            session.inbox.paced = on
        case RecordMessage(on=True):
            session.taking.start()
            return encode("record", on=True, take=None)
        case RecordMessage():
            return encode("record", on=False, take=session.taking.stop())
        case OutputMessage(address, on):
            try:
                session.broadcast.switch(session, address, on)
            except InputError as error:
                raise RefusedError("no_output", str(error)) from error
        case ListenMessage():
            return encode("listen", **asdict(session.ear.listen(message)))
        case FaceTokensMessage():
            return encode("face_tokens", **asdict(session.show_tokens(message)))
        case _:
            raise TypeError(f"no answer to {message!r}")
    return None


async def _answer(socket: WebSocket, session: Session, pool: SessionPool) -> None:
    inbox = session.inbox
    while True:
        waiting = await inbox.take(pool.load)
        refused = session.refused
        try:
            async with asyncio.timeout(STALL_S):
                text = await pool.crew.run(partial(session.process, waiting), inbox.served_s)
                pool.counters.bad += session.refused - refused
                pace = inbox.answered(waiting, pool.load)  # before a slow reader can delay it
                await socket.send_text(text)
                if pace is not None:
                    await socket.send_text(encode("pace", **asdict(pace)))
                if (token := session.memory.token(session)) is not None:
                    await socket.send_text(encode("resume", token=token))
        except TimeoutError:
            pool.counters.stalled += 1
            raise HangupError(Close.FAILED, f"a frame was not answered within {STALL_S:g} s") from None


async def _leave_when_drained(pool: SessionPool) -> None:
    await pool.draining.wait()
    raise HangupError(Close.RESTARTING, "the server is stopping; connect again in a moment")


async def _leave_when_replaced(session: Session) -> None:
    await session.replaced.wait()
    raise HangupError(Close.REPLACED, "the client has come back in another connection")


async def _say_goodbye(socket: WebSocket, hangup: HangupError) -> None:
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
