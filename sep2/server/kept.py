"""Answers about a large utility that take long to find, kept for a while for those who ask again."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from time import monotonic
from typing import Any, NamedTuple, TypeVar

LASTS_S = 10.0
"""For how long an answer is good, by the machine's monotonic clock."""
MOST = 200
"""Answers that are kept; the one that nobody asked for longest gives way."""
Answer = TypeVar("Answer")


class _Entry(NamedTuple):
    """An answer, when it was found, and at which time of the server's clock."""

    answer: Any
    made: float
    at: int


class Kept:
    """Answers by what they answer; what is quickly found, of a small utility, is not kept."""

    def __init__(self) -> None:
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()

    async def answer(
        self,
        key: Hashable,
        now: int,
        find: Callable[[], Awaitable[Answer]],
        *,
        is_large: Callable[[Answer], bool],
        lasts_s: float = LASTS_S,
    ) -> Answer:
        """What was found at most `lasts_s` ago, or what is found now; kept where it `is_large`.

        now: epoch seconds; after a step back of the clock, what was found before is found again.
        """
        known = self._entries.get(key)
        if known is not None and monotonic() - known.made < lasts_s and known.at <= now:
            self._entries.move_to_end(key)
            found: Answer = known.answer
            return found
        found = await find()
        self._entries.pop(key, None)
        if is_large(found):
            self._entries[key] = _Entry(found, monotonic(), now)
            if len(self._entries) > MOST:
                self._entries.popitem(last=False)
        return found
