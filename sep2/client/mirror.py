"""What a meter says, posted to the server's mirror (2030.5 10.11)."""

from dataclasses import dataclass
from typing import NamedTuple

from sep2 import wire as w
from sep2.client.device import Power
from sep2.rules.identifiers import DOCUMENTATION_PEN, derived_mrid

POST_RATE_S = 300
"""Seconds between posts until the server says its own (CSIP)."""


class Quantity(NamedTuple):
    """One series of a meter: its unit, and the power of ten it is sent in."""

    name: str
    unit: w.UomType
    multiplier: int


W = Quantity("W", w.UomType.W, 0)
VAR = Quantity("var", w.UomType.VAR, 0)
V = Quantity("V", w.UomType.V, -1)


class Place(NamedTuple):
    """Where a meter sits, which way it counts and what."""

    name: str
    role_flags: int
    direction: w.FlowDirectionType
    series: tuple[Quantity, ...]


SITE = Place("site", 0x0003, w.FlowDirectionType.FORWARD, (W, VAR, V))
"""The connection point: mirror, premises aggregation point; what is drawn is positive."""
DER = Place("der", 0x0049, w.FlowDirectionType.REVERSE, (W, VAR))
"""The controllable equipment: mirror, DER, submeter; what is generated is positive."""


@dataclass(slots=True, eq=False)
class Mirror:
    """The MirrorUsagePoint of one meter of one device."""

    lfdi: str
    place: Place
    pen: int = DOCUMENTATION_PEN
    href: str = ""
    """Where it lies on the server, empty until it is created there."""
    post_rate_s: int = POST_RATE_S
    measured_until: int | None = None
    """None until the server has been asked about its mirrors."""

    @property
    def mrid(self) -> w.HexBinary:
        """The same whenever this client runs, so that the server knows it again."""
        return self._mrid(self.place.name)

    def due(self) -> int | None:
        """When to post next: on multiples of the rate, as meters do."""
        if self.measured_until is None:
            return None
        return (self.measured_until // self.post_rate_s + 1) * self.post_rate_s

    def usage_point(self) -> w.MirrorUsagePoint:
        """The mirror with its series, as it is created."""
        return w.MirrorUsagePoint(
            mRID=self.mrid,
            description=self.place.name,
            roleFlags=w.HexBinary(self.place.role_flags, 2),
            serviceCategoryKind=w.ServiceKind.ELECTRICITY,
            status=w.UsagePointStatus.ON,
            deviceLFDI=w.HexBinary(self.lfdi),
            MirrorMeterReading=[self._described(quantity) for quantity in self.place.series],
        )

    def readings(self, power: Power, start: int, end: int) -> w.MirrorMeterReadingList:
        """The averages of one period."""
        period = w.DateTimeInterval(duration=end - start, start=start)
        values = {W: power.active_w, VAR: power.reactive_var, V: power.voltage_v}
        sent = [
            w.MirrorMeterReading(
                mRID=self._mrid(f"{self.place.name}/{quantity.name}"),
                Reading=w.Reading(timePeriod=period, value=round(value / 10.0**quantity.multiplier)),
            )
            for quantity in self.place.series
            if (value := values[quantity]) is not None
        ]
        return w.MirrorMeterReadingList(all=len(sent), MirrorMeterReading=sent)

    def _described(self, quantity: Quantity) -> w.MirrorMeterReading:
        return w.MirrorMeterReading(
            mRID=self._mrid(f"{self.place.name}/{quantity.name}"),
            description=quantity.name,
            ReadingType=w.ReadingType(
                commodity=w.CommodityType.ELECTRICITY_SECONDARY,
                dataQualifier=w.DataQualifierType.AVERAGE,
                flowDirection=self.place.direction,
                kind=w.KindType.POWER,
                powerOfTenMultiplier=quantity.multiplier,
                uom=quantity.unit,
            ),
        )

    def _mrid(self, role: str) -> w.HexBinary:
        return w.HexBinary(derived_mrid(f"{self.lfdi[:24]}{self.pen:08d}", role))
