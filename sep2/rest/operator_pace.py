"""How often one operator may look and change: so many a second, of which those of some seconds may come at once."""

import time
from collections import OrderedDict
from collections.abc import Callable

from sep2.errors import SepError

BURST_S = 20
MOST = 10_000
"""Operators that are remembered; the one that was heard of longest ago makes room."""


class TooManyChanges(SepError):
    """You ask more often than one operator may."""

    status = 429

    def __init__(self, per_second: int, what: str) -> None:
        super().__init__(f"{per_second} {what} a second; try again in 1 s")
        self.retry_s = 1


class OperatorPace:
    """The requests of each operator; `reads` and `changes` a second, 0 sets no bound."""

    def __init__(self, reads: int, changes: int, now: Callable[[], float] = time.monotonic) -> None:
        self._most = {False: reads, True: changes}
        self.now = now
        self._booked: OrderedDict[tuple[str, bool], float] = OrderedDict()

    def admit(self, name: str, *, change: bool) -> None:
        """Nothing, unless an operator asks more often than they may."""
        most = self._most[change]
        if not most:
            return
        now, key = self.now(), (name.casefold(), change)
        then = max(self._booked.get(key, now), now) + 1 / most
        if then - now > BURST_S + 1e-6:  # shares of a second do not add up exactly
            raise TooManyChanges(most, "changes" if change else "look-ups")
        self._booked[key] = then
        self._booked.move_to_end(key)
        if len(self._booked) > MOST:
            self._booked.popitem(last=False)
