"""Words for messages: counts, and reasons of errors."""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """``1 frame``, ``2 frames``: a number with its noun, whose plural ends in s."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def reason(error: BaseException) -> str:
    """Why a file or a connection failed, on one line and without the number of the system's error."""
    words = getattr(error, "strerror", None) or (
        f"{error} is missing" if isinstance(error, KeyError) else str(error)
    )
    return " ".join(words.split()) or type(error).__name__
