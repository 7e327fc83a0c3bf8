"""How far a client's clock is from the server's, by the times that it writes into its answers."""

from collections import deque

ANSWERS = 3
APART_S = 30
"""Answers that came in within so many seconds are one: a client that was cut off sends what it kept all at once."""


class Skew:
    """Estimates the clock of one client less the server's, in seconds.

    An answer reaches the server later than it was written, never sooner, so the largest of the latest differences is
    the nearest to the truth.
    """

    def __init__(self) -> None:
        self._latest: deque[tuple[int, int]] = deque(maxlen=ANSWERS)

    def add(self, written: int, received: int) -> None:
        """Take in an answer: the time that it names and the server's time when it came in, epoch seconds."""
        differs = written - received
        if self._latest and abs(received - self._latest[-1][0]) < APART_S:
            at, before = self._latest.pop()
            self._latest.append((at, max(before, differs)))
        else:
            self._latest.append((received, differs))

    @property
    def estimate_s(self) -> int | None:
        """Seconds by which the client is ahead; None before three answers."""
        return max(differs for _, differs in self._latest) if len(self._latest) == ANSWERS else None
