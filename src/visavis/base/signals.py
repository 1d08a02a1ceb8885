"""The signals that end a program: Ctrl-C, the system's request to end, a closed terminal."""

from __future__ import annotations

import _thread
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

INTERRUPTED = 130  # exit status
# Windows has no SIGHUP.
SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
# Functions that import modules, and that build typer's tree of commands.
LOADING = frozenset({"_find_and_load", "get_command", "get_group"})
AGAIN_S = 0.02
Handler = Callable[[int, FrameType | None], object] | signal.Handlers


def send_signals_to(handler: Handler) -> dict[int, Any]:
    """Set a handler for all signals that end a program; returns the former handler of each.

    A signal that the program ignores, for example under nohup, is still ignored. In another thread than the
    main one, nothing changes, since Python allows handlers only there.
    """
    if threading.current_thread() is not threading.main_thread():
        return {}
    return {
        number: signal.signal(number, handler)
        for number in SIGNALS
        if signal.getsignal(number) is not signal.SIG_IGN
    }


@contextmanager
def signals_go_to(handler: Handler) -> Iterator[None]:
    """:func:`send_signals_to` for a while; at the end, the handlers are as before."""
    before = send_signals_to(handler)
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)


def status_after(number: int) -> int:
    """The exit status of the command line after a signal: 0 if the system ends a server, else 130."""
    return 0 if number != signal.SIGINT and sys.argv[1:2] == ["serve"] else INTERRUPTED


def is_within(function: Callable[..., object], frame: FrameType | None) -> bool:
    """Whether a frame belongs to a call of a function, or to what this call has called."""
    while frame is not None and frame.f_code is not getattr(function, "__code__", None):
        frame = frame.f_back
    return frame is not None


def is_put_off(number: int, frame: FrameType | None) -> bool:
    """Whether a signal comes while the program loads; then it comes again a moment later.

    Extension modules turn an interruption of their import into errors of other kinds.
    """
    while frame is not None and frame.f_code.co_name not in LOADING:
        frame = frame.f_back
    if frame is None:
        return False
    again = threading.Timer(AGAIN_S, _thread.interrupt_main, (number,))
    again.daemon = True
    again.start()
    return True
