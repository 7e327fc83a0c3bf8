"""Names that operators give: what a name may hold, and when two names are the same."""

import re
import unicodedata
from collections.abc import Collection

LONGEST = 80
_UNSAFE = frozenset(("Cc", "Cf", "Cs", "Co", "Zl", "Zp"))
"""Unicode categories that can not be seen: control characters, marks of writing direction, separators of lines."""
_NUMBERED = re.compile(r" \(\d+\)$")


def key_of(name: str) -> str:
    """What two names have in common that are the same: compatibility forms, case and outer or repeated blanks apart."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return " ".join(folded.split())


def misfit(name: str) -> str | None:
    """Why this can not be a name; None where it can."""
    if not key_of(name):
        return "is empty"
    if len(name) > LONGEST:
        return f"has {len(name)} characters, and {LONGEST} are the most"
    for letter in name:
        if unicodedata.category(letter) in _UNSAFE:
            return f"has the character U+{ord(letter):04X}, which can not be seen"
    if name != name.strip():
        return "begins or ends with a blank"
    return None


def last_part(path: str) -> str:
    """What people call a feeder that is known by the folder of its files: the folder's own name."""
    return path.rstrip("/").rpartition("/")[2] or path


def free(wanted: str, taken: Collection[str]) -> str:
    """The wanted name, or `Name (2)` and so on where it is among these keys already."""
    if key_of(wanted) not in taken:
        return wanted
    base = _NUMBERED.sub("", wanted)
    number = 2
    while key_of(found := f"{base[: LONGEST - len(ending(number))]}{ending(number)}") in taken:
        number += 1
    return found


def ending(number: int) -> str:
    """What tells a name from an equal one."""
    return f" ({number})"
