"""The errors that visavis raises on purpose; each says what was found, what was expected, what to do."""

from __future__ import annotations


class VisavisError(Exception):
    """Base class of all errors; the command line prints its text as one line and exits with status 2."""


class InputError(VisavisError):
    """A file, stream, array or message from outside is not as expected."""


class DeviceError(VisavisError):
    """A camera, microphone, display or network port is missing, busy or lost."""


class WeightsError(VisavisError):
    """A weight file is missing, or differs from its entry in the manifest."""


class MissingExtraError(VisavisError):
    """An optional dependency is not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package!r}: install the extra {extra!r}, in a clone with  "
            f"pip install -e '.[{extra}]'"
        )
