"""Objects of an OpenDSS script: declared and edited with the properties that are understood, each by its whole name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from gridmodel.errors import FileError
from gridmodel.readers.opendss_files import ScriptFolder
from gridmodel.readers.opendss_tokens import Parameter, Unreadable, parameters
from gridmodel.readers.opendss_words import Use, language

SIZES = {
    "phases": 4, "windings": 8, "wdg": 8, "winding": 8, "tapwinding": 8, "terminal": 8, "switchedterm": 8,
    "monitoredterm": 8, "nconds": 30, "nphases": 30, "cond": 30, "numsteps": 100,
}  # fmt: skip
"""the most of each: what is beyond has no node number here, and OpenDSS may end the process over it"""
LARGEST_SIZE = 100
VARIABLE = re.compile(r"""(?:^|[\s,=|(\["'{])@""")
WORD = re.compile(r"[\w.%~?/-]{1,40}")


@dataclass(slots=True)
class Declared:
    """One object as a script declares it: where, what becomes of it, and its properties as last given."""

    kind: str
    name: str
    file: str
    row: int
    use: Use
    given: dict[str, str] = field(default_factory=dict)
    """by property in lower case"""
    beside: Path = Path()
    """folder that its data files are named from"""


@dataclass(slots=True)
class Skipped:
    """Commands, classes or options that were left out: the first place and how many."""

    file: str
    row: int
    count: int = 1


class Command(NamedTuple):
    """A command for the engine, and the line that it comes from."""

    text: str
    file: Path
    row: int
    quietly: bool


class Objects:
    """The objects that the scripts of one circuit declare, and the commands that make them."""

    def __init__(self, root: Path) -> None:
        self.folder, self.words = ScriptFolder(root), language()
        self.commands: list[Command] = []
        self.faults: list[FileError] = []
        self.skipped: dict[tuple[str, str], Skipped] = {}
        """by (what it is, its name)"""
        self.file, self.row = root, 0
        self.incomplete = False
        """a script is missing: what the others refer to may stand there"""
        self.forget()

    def forget(self) -> None:
        """Begins again without any object."""
        self.declared: dict[tuple[str, str], Declared] = {}
        self.active: Declared | None = None

    def fault(self, detail: str, what: str | None = None) -> None:
        """Something at this line that keeps the circuit from being used."""
        self.faults.append(FileError(self.file, detail, row=self.row or None, field=what))

    def skip(self, kind: str, name: str) -> None:
        """Something at this line that is left out."""
        key = kind, name
        if key in self.skipped:
            self.skipped[key].count += 1
        else:
            self.skipped[key] = Skipped(str(self.file), self.row)

    def say(self, command: str, *, quietly: bool = False) -> None:
        """Keeps one command for the engine; what the engine has against it is a fault, unless `quietly`."""
        self.commands.append(Command(command, self.file, self.row, quietly))

    def _object(self, said: str) -> tuple[str, str] | None:
        """(class, name) of what a script calls class.name."""
        kind, _, name = said.partition(".")
        if not kind or not name or '"' in name:
            self.fault("an object is called class.name")
            return None
        return kind.lower(), name.lower()

    def _new(self, given: list[Parameter]) -> None:
        if not given or given[0].name.lower() not in {"", "object"}:
            self.fault("New needs class.name")
            return
        found = self._object(given[0].value)
        if found is None:
            return
        kind, name = found
        if kind == "circuit":
            self._new_circuit(name, given[1:])
            return
        use = self.words.class_use.get(kind)
        if use is None:
            shown = repr(kind) if WORD.fullmatch(kind) else "the first word"
            self.fault(f"{shown} is no class of OpenDSS that is understood here", "class")
            use = Use.REFUSED
        elif use is Use.REFUSED:
            self.fault(f"{kind}.{name}: carries power, and there is no model of class {kind} here", kind)
        elif use is Use.SKIPPED:
            self.skip("element", kind)
        elif (kind, name) in self.declared:
            self.fault(f"{kind}.{name} is declared twice; the first is in row {self.declared[kind, name].row}", "name")
        self._declare(kind, name, use)
        self._edit(given[1:], f'New "{kind}.{name}"')

    def _new_circuit(self, name: str, given: list[Parameter]) -> None:
        if self.declared.get(("vsource", "source")):
            self.fault("a second circuit; one is read")
            return
        self._declare("vsource", "source", Use.PASSED)
        self._edit(given, f'New "Circuit.{name}"')

    def _declare(self, kind: str, name: str, use: Use) -> None:
        self.active = Declared(kind, name, str(self.file), self.row, use, beside=self.file.parent)
        self.declared[kind, name] = self.active

    def _select(self, given: list[Parameter]) -> None:
        """Makes an object the one that further properties belong to."""
        self.active = None
        if given and (found := self._object(given[0].value)):
            self.active = self.declared.get(found)
            if self.active is None and not self.incomplete:
                kind, name = found
                self.fault(f"{kind}.{name} is not declared before this line", kind)

    def _edit_named(self, given: list[Parameter]) -> None:
        self._select(given)
        self._edit(given[1:])

    def _more(self, given: list[Parameter]) -> None:
        if self.active is None:
            self.fault("there is no object to go on with")
        self._edit(given)

    def _assign(self, given: list[Parameter]) -> None:
        """`class.name.property=value`, or `property=value` of the active object."""
        owner, dot, name = given[0].name.rpartition(".")
        if dot:
            self._select([Parameter("", owner)])
        self._edit([Parameter(name, given[0].value, given[0].quote), *given[1:]])

    def _edit(self, given: list[Parameter], command: str = "") -> None:
        """Passes the properties of the active object on, each by its whole name."""
        active = self.active
        if active is None or active.use is Use.REFUSED:
            return
        if active.use is Use.SKIPPED:
            if active.kind in self.words.switching:
                active.given |= {p.name.lower(): p.value for p in given if p.name}
            return
        written = [said for p in self._named(active, given) if (said := self._property(active, p))]
        if active.kind != "loadshape" and (written or command):
            self.say(" ".join([command or f'Edit "{active.kind}.{active.name}"', *written]))

    def _named(self, active: Declared, given: list[Parameter]) -> Iterable[Parameter]:
        """The parameters with the whole names of their properties; one without a name follows the one before."""
        words, position = self.words.properties[active.kind], 0
        for p in given:
            position += 1
            name = words.find(p.name) if p.name else words.at(position)
            if name is None:
                shown = repr(p.name) if WORD.fullmatch(p.name) else f"number {position}"
                self.fault(
                    f"{active.kind}.{active.name}: {shown} is no property that is understood here", p.name or None
                )
                continue
            position = words.position(name)
            if p.name or p.value or p.quote:
                yield Parameter(name, p.value, p.quote)

    def _property(self, active: Declared, p: Parameter) -> str:
        """A property as it is passed on; empty where it is not."""
        use, who = self.words.properties[active.kind].use[p.name], f"{active.kind}.{active.name}"
        if use is Use.REFUSED:
            self.fault(f"{who}: {p.name} would load or configure a program of its own, which is never done", p.name)
            return ""
        active.given[p.name.lower()] = p.value
        if active.kind == "loadshape":
            self._check_shape(active, p)
            return ""
        if use is Use.SKIPPED:
            return ""
        most = SIZES.get(p.name.lower())
        if most is not None and not (is_whole(p.value, most) and float(p.value)):
            self.fault(f"{who}: {p.name} is a whole number from 1 to {most}", p.name)
            return ""
        if (active.kind, p.name.lower()) == ("line", "length") and is_number(p.value) and float(p.value) < 0:
            self.fault(f"{who}: {p.name} is negative", p.name)
            return ""
        return f"{p.name}={p.written()}" if self._harmless(p, who) else ""

    def _harmless(self, p: Parameter, who: str) -> bool:
        """Whether a value is only a value: no variable, and no reference to a file."""
        if VARIABLE.search(p.value):
            self.fault(f"{who}: {p.name}: variables are not understood", p.name)
            return False
        try:
            inner = parameters(p.value) if p.quote else []
        except Unreadable:
            inner = parameters(re.sub(r"[\"'()\[\]{}]", " ", p.value))
        if any(part.name for part in inner):
            self.fault(f"{who}: {p.name}: data files are read for load shapes only", p.name)
            return False
        return True

    def _check_shape(self, active: Declared, p: Parameter) -> None:
        """Refuses a data file outside the folder as soon as it is named."""
        use = self.words.properties["loadshape"].use[p.name]
        try:
            inner = parameters(p.value)
            named = [part.value for part in inner if part.name.lower() in {"file", "dblfile", "sngfile"}]
            for said in [inner[0].value if inner else ""] if use is Use.FILE else named:
                self.folder.find(said, active.beside)
        except (LookupError, Unreadable) as e:
            self.fault(f"loadshape.{active.name}: {p.name}: {e.args[0]}", p.name)


def is_number(text: str) -> bool:
    """Whether a word is a number of less than 1e12."""
    try:
        return abs(float(text)) < 1e12
    except ValueError:
        return False


def is_whole(text: str, largest: int) -> bool:
    """Whether a word is a whole number from 0 to `largest`."""
    return is_number(text) and float(text).is_integer() and 0 <= float(text) <= largest
