"""The server's front door: its address, its token, TLS, and its limits."""

from __future__ import annotations

import ipaddress
import os
import re
import secrets
import socket
import ssl
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from visavis.base.words import reason
from visavis.errors import InputError
from visavis.serve.guard import NEW_PER_ADDRESS, PER_ADDRESS, is_loopback

TOKEN = re.compile(r"[A-Za-z0-9_.~-]{16,128}")
_OF_TOKENS = re.compile(r"[A-Za-z0-9_.~-]*")
HOST_NAME = re.compile(r"[A-Za-z0-9_.-]+")
TOKEN_VARIABLE = "VISAVIS_TOKEN"  # noqa: S105 - the name of a variable
TOKEN_BYTES = 24
EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - named, not bound to
# Nothing is sent to these (RFC 5737 and 3849); the system says from which address it would be.
FAR_ADDRESSES = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}


@dataclass(frozen=True, slots=True)
class Front:
    """How the server meets the world.

    Attributes:
        token: what a client must know; None makes one if others can reach the server.
        no_token: whether everyone may use a server that others can reach.
        proxies: addresses or networks of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.
        tls_cert: file of the certificate chain, PEM; None for no TLS.
        tls_key: file of its private key, PEM.
        max_connections: maximum number of connections; None for what the limit of open files allows.
        max_per_address: maximum number of requests and WebSockets of one address at a time.
        max_new_per_address: maximum number of WebSockets that one address may open in a minute.
        header_s: time in which a request must arrive.
        keep_alive_s: time for which a connection may wait for a further request.
        grace_s: time from a signal to the end of the process.

    Raises:
        InputError: the token is too short, too long or has other characters; only one of the certificate and
            its key is named; or a proxy is no address.
    """

    token: str | None = None
    no_token: bool = False
    proxies: tuple[str, ...] = ()
    tls_cert: Path | None = None
    tls_key: Path | None = None
    max_connections: int | None = None
    max_per_address: int = PER_ADDRESS
    max_new_per_address: int = NEW_PER_ADDRESS
    header_s: float = 10.0
    keep_alive_s: int = 5
    grace_s: float = 5.0

    def __post_init__(self) -> None:
        if self.token is not None and TOKEN.fullmatch(self.token) is None:
            other = "" if _OF_TOKENS.fullmatch(self.token) else ", some of another kind"
            raise InputError(
                f"the token has {len(self.token)} characters{other}; expected 16 to 128: letters without "
                "accents, digits, - . _ or ~"
            )
        if (self.tls_cert is None) != (self.tls_key is None):
            raise InputError("TLS needs both --tls-cert and --tls-key")
        for proxy in self.proxies:
            try:
                ipaddress.ip_network(proxy, strict=False)
            except ValueError as error:
                raise InputError(f"--proxy {proxy}: expected an address or a network: {error}") from error

    def tls(self) -> ssl.SSLContext | None:
        """The certificate and its key, read; None if there are none.

        Raises:
            InputError: one of them cannot be read or is none, or they do not belong together.
        """
        if self.tls_cert is None or self.tls_key is None:
            return None
        for option, path, what in (
            ("--tls-cert", self.tls_cert, "CERTIFICATE"),
            ("--tls-key", self.tls_key, "PRIVATE KEY"),
        ):
            try:
                content = path.read_bytes()
            except OSError as error:
                raise InputError(f"{option} {path}: cannot be read: {error.strerror}") from error
            if f"{what}-----".encode() not in content:
                raise InputError(f"{option} {path}: holds no {what.lower()} in PEM format")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(self.tls_cert, self.tls_key, password=_no_password)
        except ValueError as error:
            raise InputError(f"--tls-key {self.tls_key}: has a password; give a key without one") from error
        except ssl.SSLError as error:
            mismatch = "MISMATCH" in str(error.reason)
            wrong = "the key is not the certificate's" if mismatch else "one of them is damaged"
            raise InputError(f"--tls-cert {self.tls_cert} and --tls-key {self.tls_key}: {wrong}") from error
        return context


def _no_password() -> str:
    raise ValueError("the key is encrypted")


def make_token() -> str:
    """A new token."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def choose_token(
    token: str | None, file: Path | None, *, no_token: bool, environment: Mapping[str, str] = os.environ
) -> str | None:
    """The token that the operator gives; None if there is none.

    Args:
        token: the token itself.
        file: a file that contains it; blanks and line breaks around it do not count.
        no_token: whether there shall be none.
        environment: may contain it as ``VISAVIS_TOKEN``; the command line comes before it.

    Raises:
        InputError: there are several tokens, or it is empty, or its file cannot be read.
    """
    named = environment.get(TOKEN_VARIABLE) if token is None and file is None else None
    given = {"--token": token, "--token-file": file, TOKEN_VARIABLE: named, "--no-token": no_token or None}
    found = [name for name, value in given.items() if value is not None]
    if len(found) > 1:
        raise InputError(f"{' and '.join(found)} exclude each other: leave all but one of them out")
    if file is not None:
        token = _read_token(file)
    chosen = token if token is not None else named
    if chosen == "":
        source = file or found[0]
        raise InputError(f"{source}: the token is empty; put 16 to 128 characters there, or leave it out")
    return chosen


def host_names(names: Iterable[str]) -> tuple[str, ...]:
    """The names of ``--allow-host``, as a request's header has them.

    Raises:
        InputError: no header ever holds one of them, so that it would let nobody in.
    """
    named = tuple(names)
    for name in named:
        if HOST_NAME.fullmatch(name) is None:
            raise InputError(
                f"--allow-host {name!r}: expected a plain name such as faces.example, without https://, "
                "port, path and *; a name with other letters in its form xn--..."
            )
    return named


def _read_token(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: the token cannot be read: {reason(error)}") from error


def is_private(host: str, allowed_hosts: Iterable[str], front: Front) -> bool:
    """Whether only this computer can use the server: its address is loopback, and no proxy is known of."""
    return is_loopback(host) and not tuple(allowed_hosts) and not front.proxies


def urls(host: str, port: int, *, secure: bool = False) -> list[str]:
    """The addresses of the page: for 0.0.0.0 and ::, those of this computer's interfaces, and localhost.

    Without TLS, browsers allow a camera on localhost alone.
    """
    names = [host]
    if host in EVERYWHERE:
        names = [*(own_addresses(host) or [socket.gethostname()]), "localhost"]
    scheme = "https" if secure else "http"
    return [f"{scheme}://{f'[{name}]' if ':' in name else name}:{port}/" for name in names]


def own_addresses(host: str) -> list[str]:
    """This computer's addresses, except loopback; no IPv6 addresses if ``host`` is an IPv4 address."""
    families = [socket.AF_INET] if ":" not in host else [socket.AF_INET, socket.AF_INET6]
    found: dict[str, None] = {}
    for family in families:
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((FAR_ADDRESSES[family], 9))
            found[str(probe.getsockname()[0])] = None
        with suppress(OSError):
            for *_, address in socket.getaddrinfo(socket.gethostname(), None, family):
                found[str(address[0])] = None
    return [one for one in found if not is_loopback(one) and "%" not in one]
