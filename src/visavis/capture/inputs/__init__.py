"""Inputs that are faces already, not pictures: track files, phones and other trackers.

One module for each protocol; its name is the scheme of its addresses, such as ``ifacialmocap://``. It has a
function ``open(address: Address, clock: Clock | None) -> FrameSource`` whose frames are
:class:`~visavis.capture.tracked.TrackedFrame`. A new input needs only such a module and its test.
"""

from __future__ import annotations

import pkgutil


def schemes() -> tuple[str, ...]:
    """The schemes of all inputs, in alphabetical order."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))
