"""Budgets that refill with time: what one client may send at once, and what it may send a second."""

from __future__ import annotations

from visavis.base.clock import Clock
from visavis.serve.protocol import Close, HangupError

# Pictures (a camera gives 60 at most) and their bytes, and texts (a slider that is
# drawn gives one for each picture of the screen).
FRAMES_PER_S, BYTES_PER_S = 60.0, 8e6
TEXTS_PER_S, TEXTS_AT_ONCE = 60.0, 300.0


class Budget:
    """What one client may send (a token bucket).

    Args:
        per_s: how much may be spent a second.
        burst: how much may be spent at once.
        clock: refills the budget.
    """

    def __init__(self, per_s: float, burst: float, clock: Clock) -> None:
        self.per_s, self.burst = per_s, burst
        self._clock = clock
        self._credit, self._credited_s = burst, clock.now_s()

    def pay(self, cost: float) -> float:
        """Spend ``cost`` if there is enough.

        Returns:
            0 if it was spent; otherwise the time in seconds until there is enough.
        """
        now_s = self._clock.now_s()
        self._credit = min(self._credit + self.per_s * (now_s - self._credited_s), self.burst)
        self._credited_s = now_s
        if cost > self._credit:
            return (cost - self._credit) / self.per_s
        self._credit -= cost
        return 0.0


class Intake:
    """What one client may send: pictures by number and bytes, texts by number. Sound has its own budget.

    Args:
        clock: refills the budgets.
    """

    def __init__(self, clock: Clock) -> None:
        self._frames = Budget(FRAMES_PER_S, FRAMES_PER_S, clock)
        self._bytes = Budget(BYTES_PER_S, BYTES_PER_S, clock)
        self._texts = Budget(TEXTS_PER_S, TEXTS_AT_ONCE, clock)

    def text(self) -> None:
        """Take a text.

        Raises:
            HangupError: texts come too fast.
        """
        if self._texts.pay(1):
            raise HangupError(
                Close.TOO_FAST, f"more than {TEXTS_PER_S:g} texts a second; send each change once"
            )

    def frame(self, size: int) -> float:
        """Take a picture of this many bytes; returns 0, or if it is too much, the seconds to wait."""
        return max(self._frames.pay(1), self._bytes.pay(size))
