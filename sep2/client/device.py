"""What a client speaks for: something that obeys limits and can be measured."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

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
class State:
    """What a device knows of itself beside what it measures; None is not told."""

    state_of_charge: float | None = None
    """Share of its usable energy that is stored, 0 to 1 (DERStatus)."""
    available_w: float | None = None
    """What it could generate or discharge beyond what it does now (DERAvailability)."""
    available_var: float | None = None
    available_for_s: int | None = None
    """How long it could discharge so."""
    charges_for_s: int | None = None
    """How long it could charge at its rated power until it is full."""
    sheddable_w: float | None = None
    """What it draws and could do without (LoadShedAvailability)."""
    sheddable_for_s: int | None = None
    """How long."""


@dataclass(frozen=True, slots=True)
class Rating:
    """Nameplate and settings, which are the same here."""

    max_w: float
    """The most it generates; rtgMaxW and setMaxW, which percentages refer to."""
    max_charge_w: float | None = None
    """The most it consumes, where it can."""
    energy_wh: float | None = None
    """What it can store, where it can; rtgMaxWh and setMaxWh."""
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


@runtime_checkable
class Reporting(Protocol):
    """A Device that also tells the server its state of charge and what it has to offer."""

    def state(self, now: int) -> State:
        """As it is at `now`, the server's time; asked whenever the server's list of its DERs is read."""
        ...
