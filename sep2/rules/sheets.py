"""Sheets of the register, such as a connections.csv: which columns there are, and how their cells are read."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from sep2.rules import names
from sep2.rules.identifiers import is_lfdi
from sep2.rules.protection import PROTECTED
from sep2.rules.territory import KINDS

ACTION = "action"
ACTIONS = ("", "add", "set", "remove")
"""What a row does; nothing said is: add it where it is not there, else set what it says."""
LARGEST_W = 32767 * 10**9
_CONNECTION = re.compile(r"[\x21-\x7e]{1,32}")


class BadCell(ValueError):
    """A cell does not say what its column is for."""


class Wrong(NamedTuple):
    """What is wrong with a row: the line of the file, the sheet, the column, a stable code, and a sentence."""

    line: int
    sheet: str
    field: str
    code: str
    message: str


class Row(NamedTuple):
    """A row that could be read: its line, what it does, and its cells by column; an empty cell says nothing."""

    line: int
    action: str
    cells: Mapping[str, Any]


class Sheet(NamedTuple):
    """The columns of one kind of sheet, each with its reader; `key`: by which its rows are known."""

    key: tuple[str, ...]
    columns: Mapping[str, Callable[[str], Any]]
    aliases: Mapping[str, str] = {}
    beside: frozenset[str] = frozenset()
    """columns that such files have for others to read"""


def _watts(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,15}(\.0+)?", text) or (found := int(text.partition(".")[0])) > LARGEST_W:
        raise BadCell(f"{text!r} is not a whole number of watts from 0 to {LARGEST_W}")
    return found


def _load(text: str) -> int:
    if not (found := _watts(text)):
        raise BadCell("0 is no load that percentages can be of; leave it empty without load control")
    return found


def _name(text: str) -> str:
    if wrong := names.misfit(text):
        raise BadCell(f"the name {wrong}")
    return text


def _connection(text: str) -> str:
    if not _CONNECTION.fullmatch(text):
        raise BadCell(f"{text[:60]!r} is not 1 to 32 letters, digits and signs without blanks")
    return text


def _lfdi(text: str) -> str:
    if not is_lfdi(text.upper()):
        raise BadCell(f"{text[:60]!r} is not 40 hexadecimal digits")
    return text.upper()


def _text(text: str) -> str:
    if len(text) > 200 or any(ord(letter) < 32 for letter in text):
        raise BadCell("is not text in one line of at most 200 characters")
    return text


def _one_of(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise BadCell(f"{text[:40]!r} is none of {', '.join(words)}")
        return text

    return read


def _pen(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,8}", text) or not int(text):
        raise BadCell(f"{text[:40]!r} is no private enterprise number, 1 to 99999999")
    return int(text)


def _loads(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", text):
        raise BadCell(f"{text[:40]!r} is no number of loads, 0 to 9999")
    return int(text)


def _hosts(text: str) -> tuple[str, ...]:
    return tuple(text.split())


PROFILES = ("csip", "csip-aus-1.2", "csip-aus-1.3")
SHEETS: dict[str, Sheet] = {
    "clients": Sheet(
        ("name",),
        {
            "name": _name,
            "kind": _one_of("aggregator", "device"),
            "lfdi": _lfdi,
            "profile": _one_of(*PROFILES),
            "registration": _one_of("out-of-band", "in-band"),
            "pen": _pen,
            "receivers": _hosts,
        },
    ),
    "places": Sheet(("place",), {"place": _name, "kind": _one_of(*KINDS), "parent": _name}),
    "connections": Sheet(
        ("connection_id",),
        {
            "connection_id": _connection,
            "description": _text,
            "place": _name,
            "transformer_id": _name,
            "firm_import_w": _watts,
            "firm_export_w": _watts,
            "protected": _one_of(*PROTECTED),
        },
        beside=frozenset(
            (
                *(
                    "node",
                    "phases",
                    "customer_from",
                    "flex_import_w",
                ),
                *(
                    "flex_export_w",
                    "service_v",
                    "phase_source",
                    "phase_confidence",
                    "valid_from",
                ),
                *("valid_to",),
            )
        ),
    ),
    "devices": Sheet(
        ("device_id", "lfdi", "connection_id"),
        {
            "device_id": _name,
            "connection_id": _connection,
            "lfdi": _lfdi,
            "client": _text,
            "control_point": _one_of("site", "device"),
            "floor": _name,
            "controllable_loads": _loads,
            "load_control_w": _load,
        },
        aliases={"aggregator_id": "client"},
        beside=frozenset(
            (
                *(
                    "type",
                    "max_gen_w",
                    "max_load_w",
                    "s_max_va",
                    "energy_wh",
                ),
                *(
                    "device_phases",
                    "standard",
                    "volt_var",
                    "phases",
                    "node",
                ),
            )
        ),
    ),
}
"""Clients, places, connections and devices, in the order in which they are imported."""


def read(name: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[list[Row], list[Wrong], list[str]]:
    """The rows that could be read, what is wrong with others, and the columns that are left to other readers.

    The first row is line 2 of its file.
    """
    sheet = SHEETS[name]
    known = [sheet.aliases.get(column, column) for column in columns]
    wrong = [
        Wrong(1, name, column, "unknown_column", f"{name} have no column {column[:40]!r}")
        for column in known
        if column != ACTION and column not in sheet.columns and column not in sheet.beside
    ]
    wrong += [
        Wrong(1, name, column, "double_column", f"column {column} is there twice")
        for column in sorted({column for column in known if known.count(column) > 1})
    ]
    if not set(sheet.key) & set(known):
        wrong.append(Wrong(1, name, sheet.key[0], "missing_column", f"there is no column {' or '.join(sheet.key)}"))
    if wrong:
        return [], wrong, []
    found = []
    for line, cells in enumerate(rows, 2):
        before = len(wrong)
        row = _row(sheet, known, cells, lambda *what, at=line: wrong.append(Wrong(at, name, *what)))
        if row is not None and len(wrong) == before:
            found.append(row._replace(line=line))
    return found, wrong, [column for column in known if column in sheet.beside]


def _row(
    sheet: Sheet, columns: Sequence[str], cells: Sequence[str], refuse: Callable[[str, str, str], None]
) -> Row | None:
    """A row by its cells; what is wrong with it is told to `refuse`: column, code, sentence."""
    if len(cells) != len(columns):
        refuse("", "wrong_length", f"{len(cells)} cells, and {len(columns)} columns")
        return None
    said: dict[str, Any] = {}
    action = ""
    for column, raw in zip(columns, cells, strict=True):
        cell = raw.strip()
        if column == ACTION:
            action = cell
            if action not in ACTIONS:
                refuse(ACTION, "bad_action", f"{action[:20]!r} is none of add, set, remove")
        elif cell and column in sheet.columns:
            try:
                said[column] = sheet.columns[column](cell)
            except BadCell as problem:
                refuse(column, "bad_value", str(problem))
    if not any(cell.strip() and column in sheet.key for column, cell in zip(columns, cells, strict=True)):
        refuse(sheet.key[0], "missing_value", f"says no {' or '.join(sheet.key)}")
    return Row(0, action, said)
