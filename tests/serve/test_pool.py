"""The pool of sessions: places, load, tokens and the end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from support import scripted_server as scripted
from support.pictures import jpeg
from visavis.base.clock import ManualClock
from visavis.base.machine import usable_threads
from visavis.errors import InputError, WeightsError
from visavis.serve.messages import FrameMessage, SettingsMessage
from visavis.serve.pool import HELD_S, SessionPool
from visavis.serve.protocol import Close, HangupError, RefusedError
from visavis.serve.resume import ResumeKey
from visavis.serve.sessions import Session

pytestmark = pytest.mark.anyio


def test_whether_tokens_are_dropped_is_asked_of_a_pipeline_once(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[object] = []
    monkeypatch.setattr(scripted.SparsePipeline, "close", lambda pipeline: closed.append(pipeline))
    pool = SessionPool(scripted.SparsePipeline, limit=1)
    assert [pool.drops_tokens, pool.drops_tokens] == [True, True]
    assert len(closed) == 1
    assert Session(scripted.SparsePipeline()).drops_tokens is True
    assert SessionPool(scripted.ScriptedPipeline, limit=1).drops_tokens is False
    assert Session(scripted.ScriptedPipeline()).drops_tokens is False


async def test_the_pool_is_bounded_and_frees_its_places() -> None:
    pool = SessionPool(scripted.ScriptedPipeline, limit=2)
    async with pool.session() as one, pool.session() as two:
        assert one.pipeline is not two.pipeline
        with pytest.raises(HangupError, match="at most 2 sessions") as caught:
            async with pool.session():
                pass
        assert caught.value.close is Close.FULL
    assert pool.active == 0
    async with pool.session():
        assert pool.active == 1


async def test_a_failing_pipeline_gives_its_place_back() -> None:
    def broken() -> Any:
        raise WeightsError("face.onnx is damaged")

    pool = SessionPool(broken, limit=1)
    for _ in range(3):
        with pytest.raises(WeightsError):
            async with pool.session():
                pass
    assert pool.active == 0


async def test_a_draining_pool_refuses_and_waits() -> None:
    pool = SessionPool(scripted.ScriptedPipeline, limit=2)
    async with pool.session():
        draining = asyncio.create_task(pool.drain(grace_s=5))
        await asyncio.sleep(0.05)
        assert not draining.done()
        with pytest.raises(HangupError) as caught:
            async with pool.session():
                pass
        assert caught.value.close is Close.RESTARTING
    await asyncio.wait_for(draining, 1)


def test_a_pool_needs_a_place() -> None:
    with pytest.raises(InputError, match="at least 1"):
        SessionPool(lambda: None, limit=0)  # type: ignore[arg-type,return-value]


KEY = ResumeKey(b"known to replicas")


async def leave_unexpectedly(pool: SessionPool) -> str:
    """A session that is lost; returns its token."""
    async with pool.session() as session:
        token = pool.resume(session, None)
        session.memory.lost = True
    assert token is not None
    return token


async def test_a_lost_session_keeps_its_place_for_a_while() -> None:
    clock = ManualClock()
    pool = SessionPool(scripted.ScriptedPipeline, limit=1, clock=clock, key=KEY)
    token = await leave_unexpectedly(pool)
    with pytest.raises(HangupError, match=r"places of this server are in use: at most 1 session\b"):
        async with pool.session():
            pass
    async with pool.session(token=token) as back:
        pool.resume(back, token)
        assert pool.counters.resumed == 1
        back.memory.lost = True
    clock.sleep_s(HELD_S + 1)
    async with pool.session():
        assert dict(pool.counters.refused) == {"full": 1}


async def test_sessions_of_a_dead_replica_may_exceed_the_limit_a_little() -> None:
    gone = SessionPool(scripted.ScriptedPipeline, limit=3, key=KEY)
    tokens = [await leave_unexpectedly(gone) for _ in range(2)]
    pool = SessionPool(scripted.ScriptedPipeline, limit=2, key=KEY)
    async with pool.session(), pool.session():
        assert pool.crowded
        async with pool.session(token=tokens[0]):
            with pytest.raises(HangupError, match="at most 2 sessions"):
                async with pool.session(token=tokens[1]):
                    pass
        with pytest.raises(HangupError, match="at most 2 sessions"):
            async with pool.session(token="no token"):
                pass


async def test_the_state_goes_on_in_another_replica() -> None:
    first = SessionPool(scripted.ScriptedPipeline, key=KEY, clock=(clock := ManualClock()))
    async with first.session() as session:
        assert first.resume(session, None) is not None
        session.configure(SettingsMessage(False, False))
        session.express("happy")
        for number in range(100):
            clock.sleep_s(0.1)
            session.inbox.offer(FrameMessage(number, number / 10, jpeg()))
            session.process(await session.inbox.take(first.load))
        token = session.memory.token(session)
    second = SessionPool(scripted.ScriptedPipeline, key=KEY)
    assert token is not None
    async with second.session(token=token) as back:
        second.resume(back, token)
        assert (back.settings, back.expressed) == (SettingsMessage(False, False), "happy")
        learned = back.memory.learned
        assert learned.weights["browDownLeft"] == pytest.approx(0.5, abs=0.2)  # 0.05 before a face
        back.inbox.offer(FrameMessage(1, 1.0, jpeg()))
        back.process(await back.inbox.take(second.load))
        assert back.pipeline.learned.weights == pytest.approx(learned.weights, abs=0.05)


async def test_a_client_that_comes_back_ends_its_half_open_session() -> None:
    pool = SessionPool(scripted.ScriptedPipeline, limit=1, key=KEY)
    async with pool.session() as old:
        token = pool.resume(old, None)
        async with pool.session(token=token) as new:
            pool.resume(new, token)
            assert (old.replaced.is_set(), new.replaced.is_set()) == (True, False)


@pytest.mark.parametrize("state", [{"name": "x"}, {"name": "x", "settings": [1]}, {}])
async def test_a_state_of_another_version_is_refused_and_the_session_begins_anew(
    state: dict[str, Any],
) -> None:
    pool = SessionPool(scripted.ScriptedPipeline, key=KEY)
    async with pool.session() as session:
        with pytest.raises(RefusedError, match="unusable"):
            pool.resume(session, KEY.seal(state))
        assert session.memory.token(session) is not None


async def test_what_another_replica_lacks_is_left_out() -> None:
    pool = SessionPool(scripted.ScriptedPipeline, key=KEY)
    async with pool.session() as session:
        token = pool.resume(session, None)
        assert token is not None
        state = KEY.open(token) | {"face_tokens": True, "listen": {"on": True, "seed": 1, "style": None}}
        pool.resume(session, KEY.seal(state))
        assert not session.shows_tokens
        assert not session.ear.wish.on


async def test_a_busy_server_refuses_new_sessions_but_not_those_that_come_back() -> None:
    clock = ManualClock()
    pool = SessionPool(scripted.ScriptedPipeline, clock=clock, key=KEY)
    token = await leave_unexpectedly(pool)
    async with pool.session(), pool.session(token=token):
        for _ in range(200):
            clock.sleep_s(0.05)
            pool.load.answered(1.0)
        with pytest.raises(HangupError, match=r"busy: its sessions are slowed to 8 .* try again in 10 s"):
            async with pool.session():
                pass
        async with pool.session(token=token):
            pass
    async with pool.session():  # Nobody is left who could be slowed.
        assert not pool.load.busy


async def test_processes_share_the_places_and_show_and_record_nothing() -> None:
    pool = SessionPool(scripted.ScriptedPipeline, processes=2)
    assert (pool.limit, pool.alone) == (max(1, 16 * usable_threads() // 2), False)
    async with pool.session("a-name-of-a-session") as session:
        assert not pool.broadcast.is_shown("a-name-of-a-session")
        with pytest.raises(RefusedError, match="--workers 1"):
            session.taking.start()
