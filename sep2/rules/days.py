"""Days by the utility's local time, and a bit for every five minutes of one."""

from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

DAY_S = 86_400
SLOT_S = 300
OCTETS = 38
"""Of a day of twenty-five hours."""


class LocalTime(NamedTuple):
    """A time zone by its name or, where that is empty, by its offset in seconds east of UTC."""

    zone: str = ""
    offset_s: int = 0

    def day_of(self, at: int) -> int:
        """When the day began in which a moment lies, epoch seconds."""
        if not self.zone:
            return (at + self.offset_s) // DAY_S * DAY_S - self.offset_s
        local = datetime.fromtimestamp(at, ZoneInfo(self.zone))
        return int(local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0).timestamp())

    def name_of(self, day: int) -> str:
        """The date of a day that began then."""
        return f"{self._local(day):%Y-%m-%d}"

    def month_of(self, day: int) -> str:
        """The month of a day that began then."""
        return f"{self._local(day):%Y-%m}"

    def minute_of_day(self, at: int) -> int:
        """Minutes since midnight by the clock on the wall."""
        local = self._local(at)
        return local.hour * 60 + local.minute

    def _local(self, at: int) -> datetime:
        if self.zone:
            return datetime.fromtimestamp(at, ZoneInfo(self.zone))
        return datetime.fromtimestamp(at + self.offset_s, ZoneInfo("UTC"))


def mask(day: int, start: int, end: int) -> int:
    """The bits of a day that stand for the time from `start` to `end`, as far as they lie in it."""
    first, last = max(0, (start - day) // SLOT_S), min(8 * OCTETS, -(-(end - day) // SLOT_S))
    return ((1 << (last - first)) - 1) << first if last > first else 0


def to_octets(bits: int) -> bytes:
    """Bits as they are stored."""
    return bits.to_bytes(OCTETS, "little")


def from_octets(octets: bytes) -> int:
    """Bits as they were stored; nothing stored is none."""
    return int.from_bytes(octets, "little")


def starts(bits: int, day: int) -> list[int]:
    """When each of the five minutes begins whose bit is set."""
    return [day + SLOT_S * n for n in range(8 * OCTETS) if bits >> n & 1]
