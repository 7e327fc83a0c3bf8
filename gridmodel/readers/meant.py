"""Names that nothing reads, with the known name that may be meant by each."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator

CLOSE = 0.6
"""likeness of two names above which one may be meant by the other"""


def unused_names(given: Iterable[str], known: Iterable[str], close: float = CLOSE) -> Iterator[tuple[str, str]]:
    """Names that are not known, each with a known one that is missing and may be meant, else with ""."""
    names, wanted = list(given), set(known)
    free = sorted(wanted - set(names))
    for name in names:
        if name not in wanted:
            yield name, next(iter(difflib.get_close_matches(name.lower(), free, 1, close)), "")
