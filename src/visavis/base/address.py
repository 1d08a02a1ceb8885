"""The address of an output or a live input, such as ``livelink://192.168.1.5:11111/Anna``."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from visavis.errors import InputError

LOCALHOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of ``scheme://host:port/name?option=value``.

    Attributes:
        scheme: the protocol.
        host: name or IP address; None if the address has none.
        port: 1..65535; None if the address has none.
        name: what follows the first slash; empty if nothing does.
        options: what follows the question mark.
    """

    scheme: str
    host: str | None = None
    port: int | None = None
    name: str = ""
    options: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an address.

        Raises:
            InputError: the text is no address, its port is no port, or an option has no value.
        """
        if not isinstance(text, str):
            raise InputError(f"{text!r} is no address; expected text such as vmc://localhost:39539")
        scheme, mark, rest = text.partition("://")
        if not mark or not scheme.isalnum() or not scheme.isascii():
            raise InputError(f"{text!r} is no address; expected one such as vmc://localhost:39539")
        if "@" in re.split("[/?#]", rest)[0]:  # A password must not be shown.
            raise InputError(f"{scheme}://...@...: an address has no user and no password; leave them out")
        try:
            parts = urlsplit(text)
            port = parts.port
            pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        except ValueError as error:
            raise InputError(f"{text!r} is no address: {error}") from error
        if port == 0:
            raise InputError(f"{text!r}: port 0 cannot be reached; expected 1 to 65535")
        if parts.fragment:
            raise InputError(f"{text!r}: expected only scheme://host:port/name?option=value")
        options = dict(pairs)
        if len(options) < len(pairs):
            raise InputError(f"{text!r} names an option twice")
        host = None if parts.hostname is None else unquote(parts.hostname)
        name = unquote(parts.path[1:])
        if not "".join((text, host or "", name, *options, *options.values())).isprintable():
            raise InputError(f"{text!r} holds a line break or another control character")
        if " " in (host or ""):
            raise InputError(f"{text!r}: the name of a computer holds no spaces")
        return cls(scheme.lower(), host, port, name, options)

    def endpoint(self, port: int, host: str = LOCALHOST) -> tuple[str, int]:
        """Host and port, with defaults for what the address does not say."""
        return self.host or host, self.port or port

    def look_up(self, port: int = 0) -> list[tuple[socket.AddressFamily, Any]]:
        """The families and endpoints of the host; none if the address names no host.

        Raises:
            InputError: no computer of this name is known.
        """
        if self.host is None:
            return []
        try:
            found = socket.getaddrinfo(self.host, port, type=socket.SOCK_DGRAM)
        except (OSError, UnicodeError) as error:  # A name with an empty or too long part cannot be encoded.
            raise InputError(
                f"{self}: no computer or phone is called {self.host!r} here; look at the name, or use a "
                "number such as 192.168.1.5"
            ) from error
        return [(family, endpoint) for family, _, _, _, endpoint in found]

    def require(self, *options: str, name: bool = False) -> None:
        """Refuse an address with other options than these, or with a name where none is expected.

        Raises:
            InputError: the address says more than its protocol understands.
        """
        if unknown := self.options.keys() - set(options):
            known = f"known: {', '.join(options)}" if options else "it has no options"
            raise InputError(f"{self}: no option {', '.join(sorted(unknown))}; {known}")
        if self.name and not name:
            raise InputError(f"{self}: {self.name!r} means nothing here; leave it out")

    def __str__(self) -> str:
        host = quote(self.host or "", safe=":")
        host = f"[{host}]" if ":" in host else host
        port = "" if self.port is None else f":{self.port}"
        name = f"/{quote(self.name)}" if self.name else ""
        options = urlencode(self.options, quote_via=quote)
        return f"{self.scheme}://{host}{port}{name}" + (f"?{options}" if options else "")
