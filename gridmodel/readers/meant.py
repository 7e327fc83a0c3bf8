"""Names that nothing reads, with the known name that may be meant by each."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator

CLOSE = 0.6
"""likeness of two names above which one may be meant by the other"""


LIKELY = 0.75
"""likeness of two names of columns above which one is taken as a slip of the other"""


def slip_of(given: Iterable[str], known: Iterable[str]) -> str:
    """Which column that is not known is likely a slip of a known one, in a sentence; empty: none."""
    likely = [pair for pair in unused_names(given, known, LIKELY) if pair[1]]
    return "column {} is not used: did you mean {}?".format(*likely[0]) if likely else ""


def unused_in(given: Iterable[str], known: Iterable[str]) -> str:
    """Which columns are not known, in a sentence; empty: none."""
    unused = [name for name, _ in unused_names(given, known)]
    return f"not used: {', '.join(unused)}" if unused else ""


def unused_names(given: Iterable[str], known: Iterable[str], close: float = CLOSE) -> Iterator[tuple[str, str]]:
    """Names that are not known, each with a known one that is missing and may be meant, else with ""."""
    names, wanted = list(given), set(known)
    free = sorted(wanted - set(names))
    for name in names:
        if name not in wanted:
            yield name, next(iter(difflib.get_close_matches(name.lower(), free, 1, close)), "")
