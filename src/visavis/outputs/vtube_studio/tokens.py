"""The token of each VTube Studio that has allowed visavis, in a file that only the person may read."""

from __future__ import annotations

from pathlib import Path

from visavis.base.files import write_json
from visavis.base.reading import parse_json, regular
from visavis.errors import InputError

LONGEST = 64
MAX_BYTES = 1 << 16


def is_token(value: object) -> bool:
    """Whether a value may be a token: 1 to 64 characters of ASCII."""
    return isinstance(value, str) and 0 < len(value) <= LONGEST and value.isascii()


class TokenStore:
    """The tokens by host. A missing or damaged file is one without tokens: VTube Studio asks again.

    Args:
        path: the file, which need not exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        # Kept also if the file cannot be written.
        self._tokens = self._load()

    def _load(self) -> dict[str, str]:
        try:
            with regular(self._path).open("rb") as file:
                found = parse_json(file.read(MAX_BYTES))
        except (OSError, ValueError, InputError):
            return {}
        return {host: t for host, t in found.items() if is_token(t)} if isinstance(found, dict) else {}

    def get(self, host: str) -> str | None:
        """The token of a host; None if there is none."""
        return self._tokens.get(host)

    def keep(self, host: str, token: str | None) -> None:
        """Remember the token of a host, or forget it.

        Raises:
            InputError: the file cannot be written; the token is still known to this object.
        """
        # Another visavis may have written meanwhile.
        self._tokens = {**self._tokens, **self._load(), host: token or ""}
        if token is None:
            del self._tokens[host]
        write_json(self._path, self._tokens, private=True)
