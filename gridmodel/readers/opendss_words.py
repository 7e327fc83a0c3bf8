"""What is understood of OpenDSS's language: commands, options, classes and properties, from `data/opendss.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib.resources import files
from typing import Any


class Use(Enum):
    """What becomes of a word of a script."""

    PASSED = ""
    SKIPPED = "-"
    REFUSED = "!"
    FILE = "@"


@dataclass(frozen=True, slots=True)
class Words:
    """One list of words in OpenDSS's order, with the use of each."""

    use: dict[str, Use]
    """by the word as OpenDSS writes it"""

    def find(self, said: str) -> str | None:
        """The word that is meant: exactly, or the first that begins so; None where there is none."""
        low = said.lower()
        exact = next((word for word in self.use if word.lower() == low), None)
        return exact or next((word for word in self.use if low and word.lower().startswith(low)), None)

    def at(self, position: int) -> str | None:
        """The word at a position from 1."""
        return list(self.use)[position - 1] if 0 < position <= len(self.use) else None

    def position(self, word: str) -> int:
        """The position of a word, from 1."""
        return list(self.use).index(word) + 1


@dataclass(frozen=True, slots=True)
class Language:
    """All the lists."""

    commands: Words
    options: Words
    properties: dict[str, Words]
    """per class in lower case"""
    class_use: dict[str, Use]
    """per class in lower case"""
    switching: frozenset[str]
    """skipped classes that hold a switch open where they say so"""


@cache
def language() -> Language:
    """The lists of `data/opendss.toml`."""
    given: dict[str, Any] = tomllib.loads(files("gridmodel").joinpath("data", "opendss.toml").read_text("utf-8"))
    commands, options, classes = (given[name] for name in ("commands", "options", "classes"))
    properties = {name.lower(): _properties(text) for name, text in given["properties"].items()}
    use = dict.fromkeys(properties, Use.PASSED)
    use |= {name.lower(): Use.SKIPPED for name in classes["skipped"].split()}
    use |= {name.lower(): Use.REFUSED for name in classes["refused"].split()}
    return Language(
        commands=_listed(commands, Use.PASSED),
        options=_listed(options, Use.SKIPPED),
        properties=properties,
        class_use=use,
        switching=frozenset(classes["switching"].lower().split()),
    )


def _listed(given: dict[str, str], otherwise: Use) -> Words:
    use = dict.fromkeys(given["order"].split(), otherwise)
    for name, what in (("passed", Use.PASSED), ("skipped", Use.SKIPPED), ("refused", Use.REFUSED)):
        use |= dict.fromkeys(given.get(name, "").split(), what)
    return Words(use)


def _properties(text: str) -> Words:
    marks = {use.value: use for use in Use if use.value}
    return Words({word.lstrip("-!@"): marks.get(word[0], Use.PASSED) for word in text.split()})
