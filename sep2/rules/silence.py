"""Who is silent: nothing was heard of them for three times as long as they were told to wait between two requests."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

PERIODS = 3
LEAST_S = 900
NEVER_S = 86_400
"""Who was never heard of is silent so long after it was added."""
MASS_S, MASS_SHARE, MASS_LEAST, MASS_ENDS_SHARE = 600, 0.2, 5, 0.1
"""So many fell silent within so many seconds: something in common has failed; it is over below the last share."""


class Contact(NamedTuple):
    """One who is to be heard of; times in epoch seconds."""

    name: str
    added: int
    last: int | None
    """None: never"""
    expected_s: int
    """seconds between two requests or posts, as it was told"""


def silent_from(one: Contact, up_since: int) -> int:
    """From when on it counts as silent unless it is heard of; nobody is while the server itself was not there."""
    if one.last is None:
        return max(one.added, up_since) + NEVER_S
    return max(one.last, up_since) + max(PERIODS * one.expected_s, LEAST_S)


class Silence:
    """Who is silent, from look to look: who speaks again is so once it has spoken for a whole period."""

    def __init__(self, silent: Iterable[str] = ()) -> None:
        """silent: those who were, when somebody looked last."""
        self._since: dict[str, int] = dict.fromkeys(silent, 0)
        self._back: dict[str, int] = {}

    def look(self, contacts: Iterable[Contact], now: int, up_since: int) -> dict[str, int]:
        """The names of those who are silent, each with when it began to count as silent."""
        known = {one.name: one for one in contacts}
        for name in self._since.keys() - known.keys():
            self._forget(name)
        for name, one in known.items():
            begins = silent_from(one, up_since)
            if begins <= now:
                self._since[name] = begins
                self._back.pop(name, None)
            elif name in self._since and one.last is not None:
                first = self._back.setdefault(name, one.last)
                if one.last - first >= one.expected_s:
                    self._forget(name)
        return dict(self._since)

    def back_since(self, name: str) -> int | None:
        """When one that still counts as silent was heard of again; None where it was not."""
        return self._back.get(name)

    def _forget(self, name: str) -> None:
        self._since.pop(name, None)
        self._back.pop(name, None)


def is_mass(silent: Mapping[str, int], total: int, now: int, *, stands: bool) -> bool:
    """Whether so many fell silent at once that they have a cause in common; stands: it was so before."""
    if stands:
        return len(silent) >= MASS_LEAST and len(silent) >= MASS_ENDS_SHARE * total
    lately = sum(1 for begins in silent.values() if now - MASS_S <= begins <= now)
    return lately >= MASS_LEAST and lately >= MASS_SHARE * total


def named(names: Iterable[str], most: int = 10) -> str:
    """Some names in one line, and how many more there are."""
    ordered = sorted(names)
    more = f" and {len(ordered) - most} more" if len(ordered) > most else ""
    return ", ".join(ordered[:most]) + more
