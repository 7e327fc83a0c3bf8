"""Green Button files (ESPI XML): interval readings of usage points, with the type that each meter reading links to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from lxml import etree

from gridmodel.errors import FileError
from gridmodel.meter_data.csv_blocks import octets, unpacked
from gridmodel.meter_data.csv_readings import Cells, Remarks, si_values
from gridmodel.meter_data.mapping import Meaning
from gridmodel.meter_data.nem import codes
from gridmodel.meter_data.quantities import Quality, Quantity
from gridmodel.meter_data.staging import Series, Values

ESPI = "{http://naesb.org/espi}"
ATOM = "{http://www.w3.org/2005/Atom}"
LARGEST_BYTES = 1 << 30
LARGEST_NUMBER = 1 << 62
LARGEST_POWER = 12
"""of ten, by which values are multiplied"""


class _Bounded:
    """A file's octets up to the largest size that is read; more are refused, also where they were packed."""

    def __init__(self, path: Path, content: BinaryIO) -> None:
        self.path, self.content, self.left = path, content, LARGEST_BYTES

    def read(self, size: int) -> bytes:
        """Up to so many further octets."""
        found = self.content.read(size)
        self.left -= len(found)
        if self.left < 0:
            raise FileError(self.path, f"is larger than {LARGEST_BYTES} bytes")
        return found


@dataclass
class _Block:
    """Readings of one IntervalBlock: start, duration, value, quality, and the row that it begins at."""

    path: str
    row: int
    readings: list[tuple[int, int, int, int]]


@dataclass
class _Feed:
    """Contents of a feed, by the path of each entry's own link."""

    types: dict[str, dict[str, int]] = field(default_factory=dict)
    type_of: dict[str, str] = field(default_factory=dict)
    """of each meter reading"""
    points: dict[str, str] = field(default_factory=dict)
    """title of each usage point"""
    blocks: list[_Block] = field(default_factory=list)


def is_green_button(path: Path) -> bool:
    """Whether a file is XML that names ESPI."""
    with octets(path) as content:
        head = content.read(4096)
    return head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<") and b"naesb.org/espi" in head


class GreenButtonReader:
    """Reads a feed; connection: the place of its readings, where the feed has one usage point."""

    def __init__(self, path: Path, connection: str = "") -> None:
        self.path, self.connection, self.remarks = path, connection, Remarks()

    def __iter__(self) -> Iterator[Values]:
        feed = self._feed()
        names = sorted({_point(block.path) for block in feed.blocks})
        if self.connection and len(names) > 1:
            raise FileError(
                self.path, f"{len(names)} usage points, of which one connection was named: {', '.join(names)}"
            )
        finest = self._finest(feed)
        for block in feed.blocks:
            place = self.connection or feed.points.get(_point(block.path)) or _point(block.path)
            if (found := self._values(block, self._type(feed, block), place, finest)) is not None:
                yield found

    def _type(self, feed: _Feed, block: _Block) -> dict[str, int]:
        reading = block.path.split("/IntervalBlock")[0]
        said = feed.types.get(feed.type_of.get(reading, ""))
        if said is None:
            raise FileError(self.path, f"meter reading {reading} has no ReadingType", row=block.row)
        return said

    def _finest(self, feed: _Feed) -> dict[tuple[str, str], int]:
        """Shortest interval of each usage point and type: days and months beside hours are the same energy again."""
        found: dict[tuple[str, str], int] = {}
        for block in feed.blocks:
            key = _key(block, self._type(feed, block))
            shortest = min((duration for _, duration, _, _ in block.readings), default=0)
            if shortest:
                found[key] = min(found.get(key, shortest), shortest)
        return found

    def _values(
        self, block: _Block, said: dict[str, int], place: str, finest: dict[tuple[str, str], int]
    ) -> Values | None:
        known = codes()["espi"]
        unit = known["units"].get(str(said.get("uom", 0)))
        direction = known["directions"].get(str(said.get("flowDirection", 1)), "net")
        quantity = (unit or {}).get(direction) or (unit or {}).get("net")
        if unit is None or quantity is None or not block.readings:
            kind = f"uom {said.get('uom')}, flowDirection {said.get('flowDirection')}"
            self.remarks.count(self.remarks.left_out, kind, len(block.readings))
            return None
        longer = min(duration for _, duration, _, _ in block.readings) > 2 * finest[_key(block, said)]
        if longer:
            self.remarks.count(self.remarks.left_out, "longer intervals of the same readings", len(block.readings))
            return None
        phase = known["phases"].get(str(said.get("phase", 0)), "")
        meaning = Meaning(Quantity(quantity), unit["unit"], phase=phase)
        start, duration, raw, code = np.array(block.readings, dtype=np.int64).T
        self.remarks.durations.update(int(one) for one in np.unique(duration))
        value = raw * 10.0 ** said.get("powerOfTenMultiplier", 0)
        quality = np.array([_quality(one) for one in code], dtype=np.uint8)
        cells = Cells("value", meaning, value, start, duration)
        found = si_values(self.path, cells, self.remarks, np.full(len(start), block.row))
        series = Series(place, "", meaning.quantity, phase)
        return Values((series,), np.zeros(len(start), dtype=np.intp), start, duration, found, quality)

    def _feed(self) -> _Feed:
        feed = _Feed()
        try:
            with unpacked(self.path) as content:
                entries = etree.iterparse(
                    _Bounded(self.path, content),
                    tag=f"{ATOM}entry",
                    resolve_entities=False,
                    no_network=True,
                    load_dtd=False,
                    huge_tree=False,
                )
                for _, entry in entries:
                    self._entry(feed, entry)
                    entry.clear()
        except etree.XMLSyntaxError as wrong:
            raise FileError(self.path, f"not XML: {wrong.msg}", row=wrong.lineno) from None
        if not feed.blocks:
            raise FileError(self.path, "no IntervalBlock")
        return feed

    def _entry(self, feed: _Feed, entry: Any) -> None:
        links = {one.get("rel"): one.get("href", "") for one in entry.iter(f"{ATOM}link") if one.get("rel") == "self"}
        own = _path(links.get("self", ""))
        if (kind := entry.find(f".//{ESPI}ReadingType")) is not None:
            feed.types[own] = self._type_of(kind)
        elif entry.find(f".//{ESPI}MeterReading") is not None:
            related = [_path(one.get("href", "")) for one in entry.iter(f"{ATOM}link") if one.get("rel") == "related"]
            feed.type_of[own] = next((path for path in related if "ReadingType" in path), "")
        elif entry.find(f".//{ESPI}UsagePoint") is not None:
            feed.points[_point(own)] = (entry.findtext(f"{ATOM}title") or "").strip()
        else:
            for block in entry.iter(f"{ESPI}IntervalBlock"):
                feed.blocks.append(
                    _Block(own, block.sourceline, [self._reading(one) for one in block.iter(f"{ESPI}IntervalReading")])
                )

    def _reading(self, one: Any) -> tuple[int, int, int, int]:
        period = one.find(f"{ESPI}timePeriod")
        said = [one if period is None else period, one if period is None else period, one]
        words = [of.findtext(f"{ESPI}{name}") for of, name in zip(said, ("start", "duration", "value"), strict=True)]
        start, duration, value = (self._number(word, one) for word in words)
        if duration <= 0:
            raise FileError(self.path, f"duration {duration} is not positive", row=one.sourceline, field="timePeriod")
        quality = one.findtext(f"{ESPI}ReadingQuality/{ESPI}quality")
        return start, duration, value, 0 if quality is None else self._number(quality, one)

    def _number(self, text: str | None, at: Any) -> int:
        try:
            found = int(text or "")
        except ValueError:
            raise FileError(self.path, f"{text!r} is no whole number", row=at.sourceline) from None
        if abs(found) > LARGEST_NUMBER:
            raise FileError(self.path, f"{text!r} is beyond {LARGEST_NUMBER}", row=at.sourceline)
        return found

    def _type_of(self, kind: Any) -> dict[str, int]:
        """What a ReadingType says."""
        texts = {one.tag.removeprefix(ESPI): one.text or "" for one in kind if isinstance(one.tag, str)}
        found = {name: self._number(texts[name], kind) for name in _TYPE_FIELDS if texts.get(name, "").strip()}
        power = found.get("powerOfTenMultiplier", 0)
        if abs(power) > LARGEST_POWER:
            detail = f"{power} is not in -{LARGEST_POWER}..{LARGEST_POWER}"
            raise FileError(self.path, detail, row=kind.sourceline, field="powerOfTenMultiplier")
        return found


_TYPE_FIELDS = ("uom", "flowDirection", "powerOfTenMultiplier", "phase")


def _quality(code: int) -> int:
    name = codes()["espi"]["qualities"].get(str(code))
    return int(Quality.SUSPECT if name is None else Quality[name.upper()])


def _path(href: str) -> str:
    """The part of a link from its resource on, so that it is the same in every form of the address."""
    at = href.find("UsagePoint/")
    at = href.find("ReadingType/") if at < 0 else at
    return href[max(at, 0) :].rstrip("/")


def _point(path: str) -> str:
    """Number of the usage point in a path."""
    parts = path.split("/")
    return parts[1] if len(parts) > 1 and parts[0] == "UsagePoint" else path


def _key(block: _Block, said: dict[str, int]) -> tuple[str, str]:
    """Usage point, and the type of its readings without their length."""
    return _point(block.path), " ".join(str(said.get(name, "")) for name in ("uom", "flowDirection", "phase"))
