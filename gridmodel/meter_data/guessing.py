"""A mapping guessed from a CSV file's header and first rows, with what had to be assumed."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gridmodel.errors import FileError
from gridmodel.meter_data.column_names import has_energy_unit, meaning_of, meaning_of_word, names, plain, usual_quality
from gridmodel.meter_data.csv_blocks import NOTHING, Sample, sample
from gridmodel.meter_data.file_times import format_of, parsed
from gridmodel.meter_data.mapping import ColumnMapping, Edge, Layout, Meaning, checked
from gridmodel.meter_data.quantities import Quality, Quantity
from gridmodel.meter_data.store import DAY_S
from gridmodel.meter_data.wide_readings import time_columns

NUMBER = re.compile(r"[-+]?\d+[.,]\d+")


@dataclass(frozen=True)
class Guess:
    """A mapping, whether its rows go back in time, and its assumptions as sentences."""

    mapping: ColumnMapping
    descending: bool
    assumed: tuple[str, ...]


@dataclass(frozen=True)
class Hints:
    """What a person says of a file: it outranks what would be guessed."""

    zone: str = ""
    default_zone: str = ""
    """of times without an offset, where nothing is said"""
    edge: Edge | None = None
    quantity: Quantity | None = None
    unit: str = ""
    decimal: str = ""

    @property
    def said(self) -> tuple[str, ...]:
        """Options of what was said."""
        names = ("zone", "edge", "quantity", "unit", "decimal")
        return tuple(f"--{name}" for name in names if getattr(self, name))


def guess(path: Path, hints: Hints | None = None) -> Guess:
    """The mapping of a file of meter readings or of weather; FileError where it can not be guessed."""
    return _Guesser(path, sample(path), hints or Hints()).guess()


class _Guesser:
    def __init__(self, path: Path, found: Sample, hints: Hints) -> None:
        self.path, self.sample, self.hints = path, found, hints
        self.assumed: list[str] = []
        self.left = list(found.columns)

    def guess(self) -> Guess:
        if not self.sample.rows:
            raise FileError(self.path, "no rows after its header")
        times = time_columns(self.sample.columns)
        if times:
            return self._days(list(times), list(times.values()))
        place = self._take("place") or self._take("meter")
        mapping = ColumnMapping(separator=self.sample.separator, decimal=self._decimal(), place=place)
        mapping = self._with_times(mapping)
        if not place:
            return self._wide(mapping)
        register = self._take("register") or self._take("meter")
        mapping = replace(mapping, register=register, quality=self._take("quality"), received=self._take("received"))
        if mapping.quality:
            mapping = replace(mapping, qualities=self._qualities(mapping.quality))
        mapping = replace(mapping, duration=self._take("duration_s"), phase=self._take("phase"))
        mapping = self._with_values(mapping)
        return self._finished(mapping)

    def _refuse_nameless(self) -> None:
        """Refuse columns of values beside which none is known to name the connections."""
        said = [name for name in self.left if meaning_of(name) is not None]
        if said:
            detail = (
                f"{said[0]} says what its values are, and no column whose they are; found "
                f"{', '.join(self.sample.columns)}. A mapping names it: place"
            )
            raise FileError(self.path, detail, row=1)

    def _take(self, kind: str) -> str:
        """The column of a kind, which is then no longer asked for anything else; "" where there is none."""
        for known in names()["columns"][kind]:
            for name in self.left:
                if plain(name) == known:
                    self.left.remove(name)
                    return name
        return ""

    def _cells(self, column: str) -> list[str]:
        at = self.sample.columns.index(column)
        return [row[at] for row in self.sample.rows if row[at] not in NOTHING]

    def _decimal(self) -> str:
        if self.hints.decimal:
            return self.hints.decimal
        numbers = [cell for row in self.sample.rows for cell in row if NUMBER.fullmatch(cell)]
        cells = Counter("," if "," in cell else "." for cell in numbers)
        found = "," if self.sample.separator != "," and cells[","] > cells["."] else "."
        if found == ",":
            self.assumed.append("decimal comma")
        return found

    def _with_times(self, mapping: ColumnMapping) -> ColumnMapping:
        edge, said = None, ""
        for one, kind in ((Edge.START, "start"), (Edge.END, "end"), (None, "time")):
            if time := self._take(kind):
                edge, said = one, time
                break
        if not said:
            said = self._take("date")
        if not said:
            raise FileError(self.path, f"no column of times; found {', '.join(self.sample.columns)}", row=1)
        date, form = "", format_of(tuple(self._cells(said)))
        if form is None and (date := self._take("date")):
            form = format_of(tuple(f"{d} {t}" for d, t in zip(self._cells(date), self._cells(said), strict=False)))
        if form is None:
            raise FileError(self.path, f"{self._cells(said)[0]!r} is no time that is understood", row=2, field=said)
        if form.startswith("%d/") or form.startswith("%m/"):
            self._check_day_first(said, form)
        mapping = replace(mapping, time=said, date=date, time_format=form)
        return self._with_edge(self._with_zone(mapping), edge)

    def _check_day_first(self, column: str, form: str) -> None:
        other = form.replace("%d/%m", "%m/%d") if form.startswith("%d") else form.replace("%m/%d", "%d/%m")
        try:
            for cell in self._cells(column):
                parsed(cell, other)
        except ValueError:
            return
        first = self._cells(column)[0]
        said = f"dates are day/month/year ({first}): the first rows do not tell, and time_format of a mapping does"
        self.assumed.append(said)

    def _with_zone(self, mapping: ColumnMapping) -> ColumnMapping:
        said = self._joined_times(mapping)
        named = [parsed(word, mapping.time_format).tzinfo is not None for word in said]
        zone = self.hints.zone or self.hints.default_zone or "UTC"
        if not all(named) and not self.hints.zone:
            source = "the utility's setting" if self.hints.default_zone else "nothing says otherwise: --zone does"
            self.assumed.append(f"times without an offset are {zone} ({source})")
        return replace(mapping, zone=zone)

    def _joined_times(self, mapping: ColumnMapping) -> list[str]:
        cells = self._cells(mapping.time)
        if not mapping.date:
            return cells
        return [f"{day} {time}" for day, time in zip(self._cells(mapping.date), cells, strict=False)]

    def _with_edge(self, mapping: ColumnMapping, named: Edge | None) -> ColumnMapping:
        if self.hints.edge is not None:
            return replace(mapping, edge=self.hints.edge)
        if named is None:
            first = parsed(self._joined_times(mapping)[0], mapping.time_format)
            # A file that begins a day with 00:30 and not with 00:00 names the ends of half-hours.
            named = Edge.END if (first.hour, first.minute) in ((0, 5), (0, 15), (0, 30), (1, 0)) else Edge.START
            self.assumed.append(
                f"{mapping.time} is the {named} of its interval (first {first:%H:%M}): --edge says otherwise"
            )
        return replace(mapping, edge=named)

    def _qualities(self, column: str) -> dict[str, Quality]:
        found = {cell: usual_quality(cell) for cell in dict.fromkeys(self._cells(column))}
        return {cell: quality for cell, quality in found.items() if quality is not None}

    def _with_values(self, mapping: ColumnMapping) -> ColumnMapping:
        said = []
        value = self._take("value") or next((name for name in self.left if has_energy_unit(name)), "")
        if value in self.left:
            self.left.remove(value)
        while value and (column := self._take("said")):
            said.append(column)
        if value and said:
            known, _ = self._words(said, value)
            if known:
                self._refuse_merged(mapping, said, known)
                self._refuse_hints(known)
                return replace(mapping, value=value, quantity=tuple(said), words=known)
        self.left += [*said, *([value] if value else [])]
        columns = {name: meaning for name in self.left if (meaning := meaning_of(name)) is not None}
        if value and not columns:
            columns = {value: self._of_hints(value)}
        elif len(columns) == 1:
            columns = {name: self._corrected(meaning) for name, meaning in columns.items()}
        else:
            self._refuse_hints(columns)
        if not columns:
            raise FileError(self.path, f"no column of values; found {', '.join(self.sample.columns)}", row=1)
        return replace(mapping, columns=columns)

    def _corrected(self, meaning: Meaning) -> Meaning:
        """The meaning of the only column of values, as the hints say it."""
        said = replace(meaning, quantity=self.hints.quantity or meaning.quantity)
        return checked(replace(said, unit=self.hints.unit.lower() or meaning.unit))

    def _refuse_hints(self, known: Mapping[str, Meaning]) -> None:
        """Refuse a quantity or unit that could be meant of any of several kinds of values."""
        for option, said in (("--quantity", self.hints.quantity), ("--unit", self.hints.unit)):
            if said:
                detail = (
                    f"{option} {said}: of which of {', '.join(known)}? --save-mapping keeps the guess to be corrected"
                )
                raise FileError(self.path, detail)

    def _of_file_name(self) -> Meaning | None:
        stem = self.path.name.split(".")[0]
        # A letter alone in a file's name is no unit.
        return meaning_of(stem) if len(stem) > 1 else None

    def _said_unit(self) -> str:
        """The unit that the options or else the file's name say; "" where neither does."""
        of_name = self._of_file_name()
        return self.hints.unit or (of_name.unit if of_name is not None else "")

    def _of_hints(self, where: str) -> Meaning:
        """The meaning of values that no column name tells."""
        quantity, unit, of_name = self.hints.quantity, self._said_unit(), self._of_file_name()
        if of_name is not None:
            quantity = quantity or of_name.quantity
        if not unit:
            raise FileError(
                self.path, "neither header nor file name says the unit: give --unit, such as kWh", field=where
            )
        if quantity is None:
            quantity = Quantity.IMPORT
            self.assumed.append("values are import: --quantity says otherwise")
        return checked(Meaning(quantity, unit.lower()))

    def _wide(self, mapping: ColumnMapping) -> Guess:
        if not self._said_unit():
            self._refuse_nameless()
        meaning = self._of_hints(self.left[0] if self.left else mapping.time)
        return self._finished(replace(mapping, layout=Layout.WIDE, columns={"*": meaning}))

    def _days(self, columns: list[str], said: Sequence[int]) -> Guess:
        self.left = [name for name in self.left if name not in columns]
        place, date = (
            self._take("place") or self._take("meter"),
            self._take("date") or self._take("start") or self._take("time"),
        )
        if not place or not date:
            raise FileError(
                self.path, f"no column of {'dates' if place else 'connections'} beside its times of day", row=1
            )
        form = format_of(tuple(self._cells(date)))
        if form is None:
            form = next(
                (f for f in ("%d/%m/%Y", "%m/%d/%Y", "%Y%m%d", "%d-%b-%Y") if _fits(self._cells(date), f)), None
            )
        if form is None:
            raise FileError(self.path, f"{self._cells(date)[0]!r} is no date that is understood", row=2, field=date)
        register = self._take("register") or self._take("meter")
        length_s = DAY_S // len(columns) if len(columns) in (24, 48, 96, 288) else 0
        mapping = ColumnMapping(Layout.DAYS, self.sample.separator, self._decimal(), place, register)
        mapping = replace(mapping, time=date, time_format=form, duration_s=length_s, quality=self._take("quality"))
        if mapping.quality:
            mapping = replace(mapping, qualities=self._qualities(mapping.quality))
        mapping = self._with_meaning_of_rows(mapping, columns[0])
        mapping = replace(self._with_zone(mapping), date=date, time="")
        edge = Edge.END if said[0] > 0 else Edge.START
        return self._finished(replace(mapping, edge=self.hints.edge or edge))

    def _with_meaning_of_rows(self, mapping: ColumnMapping, first: str) -> ColumnMapping:
        """With what a row's words say of its values, or else one meaning for all of them."""
        said = []
        while column := self._take("said"):
            said.append(column)
        known, words = self._words(said, self._said_unit()) if said else ({}, [])
        if known:
            self._refuse_hints(known)
            self._refuse_merged(mapping, said, known)
            return replace(mapping, quantity=tuple(said), words=known)
        if len(words) > 1:
            detail = (
                f"its rows are of several quantities, {', '.join(words[:3])}: a mapping says which (quantity, words)"
            )
            raise FileError(self.path, detail, row=1, field=said[0])
        return replace(mapping, columns={"*": self._of_hints(first)})

    def _refuse_merged(self, mapping: ColumnMapping, said: Sequence[str], known: Mapping[str, Meaning]) -> None:
        """Refuse words that would be the same quantity of one place and time, where their rows say two things."""
        where = (mapping.place, mapping.register, mapping.phase, mapping.date, mapping.time)
        at, keys = ([self.sample.columns.index(name) for name in each if name] for each in (said, where))
        first: dict[tuple[object, ...], str] = {}
        for row in self.sample.rows:
            word = " ".join(row[k] for k in at)
            if word in known:
                other = first.setdefault((known[word], *(row[k] for k in keys)), word)
                if other != word:
                    detail = (
                        f"{other!r} and {word!r} are both {known[word].quantity}: a mapping tells them apart (words)"
                    )
                    raise FileError(self.path, detail, field=said[0])

    def _words(self, said: Sequence[str], beside: str) -> tuple[dict[str, Meaning], list[str]]:
        """(meanings of what some columns say together, all that they say); beside: a name that may tell the unit."""
        at = [self.sample.columns.index(name) for name in said]
        words = list(dict.fromkeys(" ".join(row[k] for k in at) for row in self.sample.rows))
        return {word: meaning for word in words if (meaning := meaning_of_word(word, beside)) is not None}, words

    def _finished(self, mapping: ColumnMapping) -> Guess:
        times = [] if mapping.layout is Layout.DAYS else self._joined_times(mapping)
        at = [parsed(word, mapping.time_format).timestamp() for word in times]
        if not mapping.duration and not mapping.duration_s:
            mapping = replace(mapping, duration_s=self._spacing(mapping, at))
        descending = len(at) > 1 and at[0] > at[-1]
        return Guess(mapping, descending, tuple(self.assumed))

    def _spacing(self, mapping: ColumnMapping, at: list[float]) -> int:
        if mapping.layout is Layout.LONG:
            own = self._cells(mapping.place)
            at = [time for time, place in zip(at, own, strict=False) if place == own[0]]
        steps = Counter(abs(b - a) for a, b in itertools.pairwise(at) if a != b)
        if not steps:
            raise FileError(
                self.path,
                "the length of its intervals is not said, and one time alone does not tell: a mapping has duration_s",
            )
        found = int(steps.most_common(1)[0][0])
        self.assumed.append(f"intervals last {found} s, the distance of the first rows")
        return found


def _fits(cells: list[str], form: str) -> bool:
    try:
        return all(parsed(cell, form) for cell in cells)
    except ValueError:
        return False
