"""What a client speaks for: something that obeys limits and can be measured."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from sep2 import wire as w
from sep2.client.limits import Limits


class Power(NamedTuple):
    """Averages since the last measurement."""

    active_w: float
    reactive_var: float = 0.0
    voltage_v: float | None = None


class Measured(NamedTuple):
    """What was measured, by place; None where nothing was."""

    site: Power | None = None
    """At the connection point; what it draws from the network is positive."""
    der: Power | None = None
    """At the controllable equipment; what it generates is positive."""


@dataclass(frozen=True, slots=True)
class Rating:
    """Nameplate and settings, which are the same here."""

    max_w: float
    """The most it generates; rtgMaxW and setMaxW, which percentages refer to."""
    max_charge_w: float | None = None
    """The most it consumes, where it can."""
    kind: w.DERType = w.DERType.PHOTOVOLTAIC
    category: int | None = None
    """DeviceCategoryType bits; controls for other categories do not concern it. None: all do."""
    grad_percent_per_s: float = 1.0
    """How fast it changes its power by itself."""
    has_site_meter: bool = True
    has_der_meter: bool = True


class Device(Protocol):
    """One EndDevice, as the plant behind it sees the client."""

    @property
    def rating(self) -> Rating:
        """What it can do; told to the server once."""
        ...

    def apply(self, limits: Limits, now: int) -> None:
        """Obey these limits from now on, until told otherwise. `now` is the server's time."""
        ...

    def measure(self, now: int) -> Measured:
        """The averages of the time since this was last asked."""
        ...
