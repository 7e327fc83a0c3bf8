"""Lines of an OpenDSS script as parameters: names, values and the quotes they stand in; nothing is run.

Rules of OpenDSS's own parser: blanks, commas and `=` part the words; `!` and `//` begin a comment; a word in quotes,
parentheses, brackets or braces ends at the first matching sign.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

QUOTES = {'"': '"', "'": "'", "(": ")", "[": "]", "{": "}"}
BLANKS = " \t\r\n\v\f"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a command: its name (empty where it has none), its value, the sign that opens its quotes."""

    name: str
    value: str
    quote: str = ""

    def written(self) -> str:
        """The value as OpenDSS reads it back: in the quotes it stood in."""
        return f"{self.quote}{self.value}{QUOTES[self.quote]}" if self.quote else self.value


class Unreadable(ValueError):
    """Text that does not follow the grammar."""


def script_lines(text: str) -> Iterator[tuple[int, str]]:
    """(number, line) of every line outside block comments."""
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if not inside and line.lstrip(BLANKS).startswith("/*"):
            inside = True
        if not inside:
            yield number, line
        elif "*/" in line:
            inside = False


def parameters(line: str) -> list[Parameter]:
    """The parameters of one line, in order; two commas in a row hold an empty one."""
    found: list[Parameter] = []
    words = _Words(line)
    while (word := words.next()) is not None:
        value, quote = word
        if words.takes("="):
            name, (value, quote) = value, words.next() or ("", "")
            found.append(Parameter(name, value, quote))
        else:
            found.append(Parameter("", value, quote))
        words.takes(",")
    return found


class _Words:
    """Reads a line word by word."""

    def __init__(self, line: str) -> None:
        self.line, self.at = line, 0

    def next(self) -> tuple[str, str] | None:
        """(word, opening quote); None at the end of the line or at a comment."""
        self._skip_blanks()
        if self._ended():
            return None
        opening = self.line[self.at]
        return self._quoted(opening) if opening in QUOTES else (self._plain(), "")

    def takes(self, sign: str) -> bool:
        """Whether the sign comes next; it is passed over."""
        self._skip_blanks()
        if self._ended() or self.line[self.at] != sign:
            return False
        self.at += 1
        return True

    def _ended(self) -> bool:
        return self.at >= len(self.line) or self._comment(self.at)

    def _comment(self, at: int) -> bool:
        return self.line[at] == "!" or self.line.startswith("//", at)

    def _skip_blanks(self) -> None:
        while self.at < len(self.line) and self.line[self.at] in BLANKS:
            self.at += 1

    def _quoted(self, opening: str) -> tuple[str, str]:
        end = self.line.find(QUOTES[opening], self.at + 1)
        if end < 0:
            raise Unreadable(f"{opening} is not closed")
        word, self.at = self.line[self.at + 1 : end], end + 1
        if self.at < len(self.line) and self.line[self.at] not in BLANKS + ",=" and not self._comment(self.at):
            raise Unreadable(f"something follows {QUOTES[opening]} without a blank")
        return word, opening

    def _plain(self) -> str:
        start = self.at
        while self.at < len(self.line) and self.line[self.at] not in BLANKS + ",=" and not self._comment(self.at):
            self.at += 1
        return self.line[start : self.at]
