"""Reads an OpenDSS script without trusting it: what is understood becomes commands for the engine.

The text of a script never reaches the engine as it is. Every line is parsed here, its command, class, options and
properties are looked up in the lists of `data/opendss.toml`, and a command of our own making is kept. Files are read
here, from the circuit's folder only. Nothing is passed on of a circuit in which anything is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from gridmodel.readers.opendss_files import script_text
from gridmodel.readers.opendss_objects import LARGEST_SIZE, WORD, Objects, is_number, is_whole
from gridmodel.readers.opendss_tokens import Parameter, Unreadable, parameters, script_lines
from gridmodel.readers.opendss_words import Use

LARGEST_DEPTH, MOST_LINES, MOST_FAULTS = 20, 3_000_000, 50
MOST_ITERATIONS = 10_000
ITERATIONS = {"maxiterations", "maxcontroliter", "miniterations"}
PATTERN = re.compile(r"[\w.*^$\-]{1,64}")
OPEN_STATE = re.compile(r"[\[(\s]*(?:o|trip)", re.IGNORECASE)


class ScriptRun(Objects):
    """Reads the scripts of one circuit and keeps what they declare."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.lines, self.ended, self.depth, self.command = 0, False, 0, ""
        self.places: dict[str, tuple[float, float]] = {}
        self.handlers: dict[str, Callable[[list[Parameter]], None]] = {
            "new": self._new, "edit": self._edit_named, "more": self._more, "m": self._more, "~": self._more,
            "select": self._select, "enable": self._switch, "disable": self._switch, "open": self._switch,
            "close": self._switch, "set": self._set, "solve": self._solve, "compile": self._redirect,
            "redirect": self._redirect, "clear": self._clear, "clearall": self._clear,
            "calcvoltagebases": self._plain, "makebuslist": self._plain,
            "setkvbase": self._set_kv_base, "buscoords": self._coordinates, "latlongcoords": self._coordinates,
            "giscoords": self._coordinates, "setbusxy": self._set_bus_xy, "batchedit": self._batch_edit,
            "quit": self._quit, "//": self._nothing,
        }  # fmt: skip

    # Scripts and lines

    def read(self, path: Path, depth: int = 0) -> None:
        """Reads one script, and those that it names."""
        if depth > LARGEST_DEPTH:
            self.fault(f"more than {LARGEST_DEPTH} files name one another")
            return
        before, self.depth = (self.file, self.row), depth
        self.file = path
        for number, line in script_lines(script_text(path)):
            self.row, self.lines, self.depth = number, self.lines + 1, depth
            if self.ended or len(self.faults) >= MOST_FAULTS:
                break
            if self.lines > MOST_LINES:
                self.fault(f"more than {MOST_LINES} lines")
                break
            self._line(line)
        self.file, self.row = before

    def _line(self, line: str) -> None:
        try:
            given = parameters(line)
        except Unreadable as e:
            self.fault(str(e))
            return
        if not given or self._not_utf8(given, line):
            return
        first = given[0]
        if first.name:
            self._assign(given)
            return
        command = self.words.commands.find(first.value) if first.value else None
        if command is None:
            shown = repr(first.value) if WORD.fullmatch(first.value) else "the first word"
            self.fault(f"{shown} is no command of OpenDSS")
            return
        use = self.words.commands.use[command]
        if use is Use.REFUSED:
            self.fault(f"the command {command} is not run: take it out, or do it and save the circuit", command)
        elif command.lower() in self.handlers:
            self.command = command
            self.handlers[command.lower()](given[1:])
        else:
            self.skip("command", command)

    def _not_utf8(self, given: list[Parameter], line: str) -> bool:
        if not any(_odd(p.name) or _odd(p.value) for p in given):
            return False
        column = next(k for k, sign in enumerate(line) if _odd(sign))
        byte = ord(line[column]) - 0xDC00
        meant = bytes([byte]).decode("cp1252", errors="replace")
        said = f"byte {byte:#04x} is not UTF-8; as Windows-1252 it is {meant!r}: save the file as UTF-8"
        self.fault(f"column {column + 1}: {said}")
        return True

    # Commands

    def _plain(self, given: list[Parameter]) -> None:
        self.say(self.command)

    def _nothing(self, given: list[Parameter]) -> None:
        """A comment."""

    def _quit(self, given: list[Parameter]) -> None:
        self.ended = True

    def _clear(self, given: list[Parameter]) -> None:
        self.forget()
        self.places = {}
        # The default frequency is the engine's and outlives a circuit.
        self.commands = [command for command in self.commands if "DefaultBaseFrequency" in command.text]

    def _redirect(self, given: list[Parameter]) -> None:
        try:
            path = self.folder.find(given[0].value if given else "", self.file.parent)
        except LookupError as e:
            self.fault(f"{given[0].value if given else self.command}: {e.args[0]}", self.command)
            self.incomplete = True
            return
        self.read(path, self.depth + 1)

    def _switch(self, given: list[Parameter]) -> None:
        """Enable, Disable, Open or Close an object."""
        command = self.command
        self._select(given)
        active = self.active
        if active is None or active.use is not Use.PASSED:
            return
        numbers_said = [p.value for p in given[1:]]
        if not all(is_whole(value, LARGEST_SIZE) for value in numbers_said):
            self.fault(f"{command} takes a terminal and a conductor", command)
            return
        self.say(" ".join([command, f'"{active.kind}.{active.name}"', *numbers_said]))

    def open_by_protection(self) -> None:
        """Opens what a fuse, relay or recloser holds open; these are left out themselves."""
        for one in list(self.declared.values()):
            if one.kind not in self.words.switching:
                continue
            said = one.given.get("state", one.given.get("action", one.given.get("normal", "")))
            if not OPEN_STATE.match(said):
                continue
            self.file, self.row = Path(one.file), one.row
            target = one.given.get("switchedobj", one.given.get("monitoredobj", ""))
            terminal = one.given.get("switchedterm", one.given.get("monitoredterm", "1"))
            self.command = "Open"
            self._switch([Parameter("", target), Parameter("", terminal)])

    def _set(self, given: list[Parameter]) -> None:
        for p in given:
            name = self.words.options.find(p.name) if p.name else None
            if name is None:
                shown = repr(p.name) if WORD.fullmatch(p.name) else "a word"
                self.fault(f"{shown} is no option of OpenDSS that is understood here", "Set")
                continue
            use = self.words.options.use[name]
            if use is Use.REFUSED:
                self.fault(f"the option {name} is not followed", name)
            elif use is Use.SKIPPED:
                if not (name == "mode" and p.value.lower().startswith("sn")):
                    self.skip("option", name)
            elif name.lower() in ITERATIONS and not is_whole(p.value, MOST_ITERATIONS):
                self.fault(f"{name} is a whole number from 1 to {MOST_ITERATIONS}", name)
            elif self._harmless(p, "Set"):
                self.say(f"Set {name}={p.written()}")

    def _solve(self, given: list[Parameter]) -> None:
        self._set(given)
        # Whether it converges is asked once, when the whole circuit stands.
        self.say("Solve", quietly=True)

    def _set_kv_base(self, given: list[Parameter]) -> None:
        names = dict(zip(("bus", "kvll", "kvln"), given, strict=False))
        names |= {p.name.lower(): p for p in given if p.name}
        bus = names.get("bus")
        volts = next(((k, names[k].value) for k in ("kvll", "kvln") if k in names and names[k].value), None)
        if bus is None or volts is None or not is_number(volts[1]) or not self._harmless(bus, "SetkVBase"):
            self.fault("SetkVBase takes a bus and a voltage", "SetkVBase")
            return
        self.say(f'SetkVBase bus="{bus.value}" {volts[0]}={volts[1]}')

    def _coordinates(self, given: list[Parameter]) -> None:
        try:
            path = self.folder.find(given[0].value if given else "", self.file.parent)
        except LookupError:
            # Places are for drawings alone.
            self.skip("coordinates", self.command)
            return
        for line in script_text(path).splitlines():
            try:
                words = parameters(line)
            except Unreadable:
                continue
            if len(words) >= 3 and is_number(words[1].value) and is_number(words[2].value):
                self.places[words[0].value.lower()] = float(words[1].value), float(words[2].value)

    def _set_bus_xy(self, given: list[Parameter]) -> None:
        named = dict(zip(("bus", "x", "y"), given, strict=False)) | {p.name.lower(): p for p in given if p.name}
        if {"bus", "x", "y"} <= named.keys() and all(is_number(named[k].value) for k in ("x", "y")):
            self.places[named["bus"].value.lower()] = float(named["x"].value), float(named["y"].value)

    def _batch_edit(self, given: list[Parameter]) -> None:
        """Edits every object of a class whose name has the pattern in it."""
        kind, _, pattern = (given[0].value if given else "").partition(".")
        if not PATTERN.fullmatch(pattern) or pattern.count("*") > 3 or re.search(r"(?<!\.)\*", pattern):
            self.fault("a pattern is made of letters, digits, '.', '.*', '^' and '$'", "BatchEdit")
            return
        wanted = re.compile(pattern, re.IGNORECASE)
        for own, name in list(self.declared):
            if own == kind.lower() and wanted.search(name):
                self.active = self.declared[own, name]
                self._edit(given[1:])


def _odd(text: str) -> bool:
    """Whether a byte that is no UTF-8 stands in the text."""
    return any("\udc80" <= sign <= "\udcff" for sign in text)
