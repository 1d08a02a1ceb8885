"""What a ``with`` statement closes."""

from __future__ import annotations

from typing import Self


class Closing:
    """Something that is closed at the end of its ``with`` statement."""

    def close(self) -> None:
        """Free what it holds."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
