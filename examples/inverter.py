"""A make-believe home with solar panels: it draws 600 W, could feed in 4 kW, and keeps to the limits it is told."""

import time

from sep2.client import Limits, Managed, Measured, Owed, Power, Rating

HOME_W, SUN_W = 600.0, 4000.0


class Inverter:
    """What `sep2.client` calls a Device."""

    rating = Rating(max_w=5000)

    def __init__(self, name: str) -> None:
        self.name = name
        self.solar_w = SUN_W

    def apply(self, limits: Limits, now: int) -> None:
        """Obey: generate what the home, the export limit and the generation limit leave room for."""
        room_w = [SUN_W]
        if limits.export_limit_w is not None:
            room_w.append(HOME_W + limits.export_limit_w)
        if limits.gen_limit_w is not None:
            room_w.append(limits.gen_limit_w)
        self.solar_w = min(room_w) if limits.may_energize else 0.0
        said = ", ".join(f"{mode} {setting.value} (by {setting.mrid})" for mode, setting in limits.modes.items())
        print(f"{clock(now)} {self.name}: told {said or 'nothing'}; now generates {self.solar_w:.0f} W", flush=True)

    def measure(self, now: int) -> Measured:
        """At the meter: import is positive. At the inverter: generation is positive."""
        return Measured(site=Power(HOME_W - self.solar_w, 0.0, 231.0), der=Power(self.solar_w))


def answered(managed: Managed, owed: Owed) -> None:
    """Say what is answered to the server."""
    print(f"{clock(owed.at)} {managed.lfdi[:8]}…: {owed.answer.name.lower()} {owed.control.mrid}", flush=True)


def clock(now: int) -> str:
    """The time of day, UTC."""
    return time.strftime("%H:%M:%S", time.gmtime(now))
