"""Resume tokens: a session's signed state, with which a client goes on at any replica of the server."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
import time
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from visavis.errors import InputError
from visavis.serve.protocol import RefusedError

SECRET_VARIABLE = "VISAVIS_SECRET"  # noqa: S105 - the variable's name
LEAST_SECRET = 16
VERSION = 1
LONGEST_S = 3600.0
# A token from a replica whose clock is ahead by this much is accepted.
AHEAD_S = 60.0
MAX_TOKEN = 3000
_MAC_BYTES = 32


class ResumeKey:
    """Signs states and checks them. The server keeps nothing; clients can read a token but not change it.

    Args:
        secret: known to all replicas of the server, and to nobody else.
        now_s: seconds since 1970.
    """

    def __init__(self, secret: bytes, now_s: Callable[[], float] = time.time) -> None:
        self._key = hashlib.sha256(b"visavis resume" + secret).digest()
        self._now_s = now_s

    @classmethod
    def of_environment(cls, environment: Mapping[str, str] = os.environ) -> ResumeKey:
        """The key of the environment variable ``VISAVIS_SECRET``; without it, a random key of this process.

        Raises:
            InputError: the secret is too short.
        """
        named = environment.get(SECRET_VARIABLE, "")
        if named and len(named) < LEAST_SECRET:
            raise InputError(
                f"{SECRET_VARIABLE} has {len(named)} characters; a secret needs {LEAST_SECRET} or more"
            )
        return cls(named.encode() if named else secrets.token_bytes(32))

    def seal(self, state: Mapping[str, Any]) -> str:
        """A token for a state of JSON data.

        Raises:
            ValueError: the state is too large for a token.
        """
        content = {"v": VERSION, "at": round(self._now_s()), **state}
        body = zlib.compress(json.dumps(content, allow_nan=False, separators=(",", ":")).encode(), 9)
        token = base64.urlsafe_b64encode(self._mac(body) + body).decode()
        if len(token) > MAX_TOKEN:
            raise ValueError(f"a token of {len(token)} characters; at most {MAX_TOKEN} are given out")
        return token

    def open(self, token: str) -> dict[str, Any]:
        """The state of a token that :meth:`seal` made with the same secret.

        Raises:
            RefusedError: the token was changed, is of another server or version, or is too old.
        """
        try:
            data = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
        except ValueError:
            data = b""
        mac, body = data[:_MAC_BYTES], data[_MAC_BYTES:]
        if len(token) > MAX_TOKEN or not hmac.compare_digest(mac, self._mac(body)):
            raise RefusedError(
                "bad_token", "the token is damaged or of another server; the session starts anew"
            )
        state: dict[str, Any] = json.loads(zlib.decompress(body))
        if state.pop("v") != VERSION:
            raise RefusedError("bad_token", "the token is of another version; the session starts anew")
        age_s = self._now_s() - state.pop("at")
        if not -AHEAD_S <= age_s <= LONGEST_S:
            raise RefusedError(
                "old_token",
                f"the token is {age_s:.0f} s old; tokens hold for {LONGEST_S:.0f} s; the session starts anew",
            )
        return state

    def _mac(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, "sha256")
