"""Reading the embedded files that are no networks; each file's sha256 is checked first."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib.resources import files

from visavis.base.words import reason
from visavis.errors import WeightsError

DIGESTS = "sha256.json"


@cache
def digests() -> dict[str, str]:
    """The sha256 of each embedded file that is no network, by its path in ``visavis/assets``.

    Raises:
        WeightsError: the list is missing or malformed.
    """
    try:
        found = json.loads((files("visavis") / "assets" / DIGESTS).read_text("utf-8"))
        return {str(name): str(digest) for name, digest in found.items()}
    except (OSError, ValueError, AttributeError) as error:
        raise WeightsError(f"assets/{DIGESTS} cannot be read ({reason(error)}); reinstall visavis") from error


def read_asset(name: str) -> bytes:
    """The checked bytes of an embedded file.

    Args:
        name: its path in ``visavis/assets``, with ``/``.

    Raises:
        WeightsError: the file is not listed or is missing, or its sha256 differs from the list.
    """
    if name not in digests():
        raise WeightsError(f"no embedded file is called {name!r}; there are: {', '.join(digests())}")
    return read_checked(name, digests()[name], DIGESTS)


def read_checked(name: str, expected: str, listed_in: str) -> bytes:
    """The bytes of an embedded file whose sha256 must be the expected one.

    Raises:
        WeightsError: the file is missing, or its sha256 differs from the list.
    """
    try:
        data = (files("visavis") / "assets").joinpath(*name.split("/")).read_bytes()
    except OSError as error:
        raise WeightsError(f"assets/{name} cannot be read ({reason(error)}); reinstall visavis") from error
    found = hashlib.sha256(data).hexdigest()
    if found != expected:
        raise WeightsError(
            f"assets/{name} is not the file that {listed_in} describes (sha256 {found}, expected "
            f"{expected[:12]}...); it was changed or damaged: reinstall visavis"
        )
    return data
