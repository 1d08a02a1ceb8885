"""The server's log: one line for each event, as text or as JSON, never a flood, and no words of clients."""

from __future__ import annotations

import ipaddress
import json
import logging
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

from visavis.base.console import tell_through

TEXT, JSON = "text", "json"
FORMATS = (TEXT, JSON)
# Lines from one place in the program, about one kind of error, one network of clients and one reason to
# close; more are counted, and their number is logged.
MOST_LINES, IN_S = 5, 10.0
MOST_PLACES = 1000
# The attribute of a record that holds an event's fields.
FIELDS = "fields"


def configure(style: str | None) -> None:
    """Let this process log on standard error: its own lines and those of its libraries.

    Args:
        style: ``text`` or ``json``: with a line for the begin and the end of each conversation. None: text,
            with warnings and errors alone. With ``json``, notes, errors and unexpected ends are lines of the
            log, too.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if style == JSON else TextFormatter())
    handler.addFilter(Brake())
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.getLogger("visavis").setLevel(logging.WARNING if style is None else logging.INFO)
    logging.captureWarnings(style == JSON)

    def tell(is_error: bool, text: str) -> None:
        level = logging.ERROR if is_error else logging.INFO
        handler.emit(logging.LogRecord("visavis", level, "", 0, text, (), None))  # These are never too many.

    tell_through(tell if style == JSON else None)
    if style == JSON:
        sys.excepthook = _log_end


def _log_end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    logging.getLogger("visavis").critical("the program failed", exc_info=(kind, error, trace))


class Brake(logging.Filter):
    """Lets MOST_LINES lines of one place through in IN_S seconds, and later says how many it kept back.

    Args:
        now_s: the clock.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now_s = now_s
        self._places: dict[tuple[object, ...], list[float]] = {}  # its key: begin, number of lines

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is logged; it may get the number of those that were not."""
        error = record.exc_info[0] if record.exc_info else None
        fields = getattr(record, FIELDS, {})
        place: tuple[object, ...] = (
            record.pathname,
            record.lineno,
            error,
            fields.get("address"),
            fields.get("reason"),
        )
        now_s = self._now_s()
        if place not in self._places and len(self._places) >= MOST_PLACES:
            self._places = {key: one for key, one in self._places.items() if now_s < one[0] + IN_S}
            place = place if len(self._places) < MOST_PLACES else ("all others",)
        begin_s, lines = self._places.get(place, (now_s, 0))
        kept_back = 0
        if now_s >= begin_s + IN_S:
            begin_s, kept_back, lines = now_s, max(0, int(lines) - MOST_LINES), 0
        self._places[place] = [begin_s, lines + 1]
        if kept_back:
            record.msg = f"{record.getMessage()} (and {kept_back} more such lines in the last while)"
            record.args = ()
        return lines < MOST_LINES


class _Discreet(logging.Formatter):
    """Logs where an error arose and its kind, but not its words, which may quote a client."""

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the base class's name
        """The traceback without the error's words, except those of the system."""
        return "\n".join(_places(ei[1]))

    @staticmethod
    def said(record: logging.LogRecord) -> str:
        """The message; asyncio puts an error's words into its second line."""
        text = record.getMessage()
        return text.partition("\n")[0] if record.name == "asyncio" else text


def _places(error: BaseException) -> Iterator[str]:
    words = f": {error.strerror}" if isinstance(error, OSError) else ""
    yield "".join(traceback.format_tb(error.__traceback__)) + type(error).__name__ + words
    inner = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    for one in (*inner, error.__cause__ or error.__context__):
        if one is not None:
            yield from _places(one)


class TextFormatter(_Discreet):
    """``2026-11-28 14:00:00 4711 INFO session closed address=192.0.2.0/24 ...``; 4711 is the process."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(process)d %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the base class's name
        """The line, with an event's fields at its end."""
        fields = getattr(record, FIELDS, {})
        record.message = self.said(record)
        return " ".join(
            [super().formatMessage(record), *(f"{key}={json.dumps(v)}" for key, v in fields.items())]
        )


class JsonFormatter(_Discreet):
    """One JSON object a line: ``time``, ``level``, ``process``, ``logger``, ``message``, event fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, Any] = {
            "time": f"{stamp}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "process": record.process,
            "logger": record.name,
            "message": self.said(record),
            **getattr(record, FIELDS, {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def shortened(address: str) -> str:
    """The network of an address, which names no computer: 24 bits of IPv4, 48 bits of IPv6."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return ""
    mapped = getattr(ip, "ipv4_mapped", None)
    if mapped is not None:
        ip = mapped
    return str(ipaddress.ip_network((ip, 24 if ip.version == 4 else 48), strict=False))
