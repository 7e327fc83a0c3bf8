"""A home battery that charges in the cheapest half-hours its limits leave room for, and looks again every half-hour.

sep2 device add battery --issue utility/pki --connection NMI3
python examples/battery.py --pki utility/pki
"""

import argparse
import asyncio
import os
from pathlib import Path

from inverter import HOME_W, answered, clock

from certs import Files
from certs.pki import Pki
from sep2 import wire as w
from sep2.client import Client, Limits, Measured, Power, Rating, Session, Span, State
from sep2.clock import SystemClock

STEP_S, DAY_S = 1800, 86_400


def price(at: int) -> float:
    """Of a kWh that begins at `at`: dear in the evening (UTC), cheap at noon and by night."""
    hour = at % DAY_S // 3600
    return 0.45 if 16 <= hour < 21 else 0.12 if 10 <= hour < 15 else 0.22


def room_w(spans: list[Span], at: int, rated_w: float) -> float:
    """What the battery may charge with during the half-hour from `at`, the home's own load taken off."""
    held = [span.limits for span in spans if span.start < at + STEP_S and span.end > at]
    site = [one.import_limit_w - HOME_W for one in held if one.import_limit_w is not None]
    load = [one.load_limit_w for one in held if one.load_limit_w is not None]
    return max(0.0, min([rated_w, *site, *load])) if all(one.may_energize for one in held) else 0.0


def charging_w(spans: list[Span], rating: Rating, missing_wh: float) -> dict[int, float]:
    """Watts to charge with, by the beginning of each half-hour: the cheapest first, until nothing is missing."""
    chosen: dict[int, float] = {}
    for at in sorted(range(spans[0].start, spans[-1].end - STEP_S + 1, STEP_S), key=lambda at: (price(at), at)):
        watts = min(room_w(spans, at, rating.max_charge_w or 0.0), missing_wh * 3600 / STEP_S)
        if watts > 0:
            chosen[at] = watts
            missing_wh -= watts * STEP_S / 3600
    return chosen


class Battery:
    """What `sep2.client` calls a Device, and Reporting."""

    rating = Rating(max_w=5000, max_charge_w=5000, energy_wh=10_000, kind=w.DERType.OTHER_STORAGE)

    def __init__(self) -> None:
        self.stored_wh, self.charges_w, self.since = 2000.0, 0.0, 0
        self.limits: Limits | None = None

    def apply(self, limits: Limits, now: int) -> None:
        """Obey at once, whatever was planned."""
        self.limits = limits
        self.charge(self.charges_w, now)

    def charge(self, wanted_w: float, now: int) -> None:
        """Charge with so much from now on, as far as the limits allow."""
        self.stored_wh += self.charges_w * (now - (self.since or now)) / 3600
        held = [Span(now, now + STEP_S, self.limits)] if self.limits else []
        self.charges_w, self.since = min(wanted_w, room_w(held, now, 5000)), now

    def measure(self, now: int) -> Measured:
        """At the meter import is positive; at the battery generation is."""
        self.charge(self.charges_w, now)
        return Measured(site=Power(HOME_W + self.charges_w, 0.0, 230.0), der=Power(-self.charges_w))

    def state(self, now: int) -> State:
        """How full it is, and how long it could charge."""
        share = min(1.0, self.stored_wh / 10_000)
        return State(state_of_charge=share, available_w=5000.0, charges_for_s=int((1 - share) * 10_000 / 5000 * 3600))


async def optimise(client: Client, battery: Battery) -> None:
    """Every half-hour: read what limits the next day, choose, and say what was chosen."""
    while True:
        if battery.limits is not None:
            now = client.now()
            spans = client.plan(client.session.lfdi, now + DAY_S)
            chosen = charging_w(spans, battery.rating, 10_000 - battery.stored_wh)
            battery.charge(chosen.get(now, 0.0), now)
            said = ", ".join(f"{clock(at)} {watts:.0f} W" for at, watts in sorted(chosen.items()))
            print(f"{clock(now)} charges {said or 'nothing'}", flush=True)
        await asyncio.sleep(STEP_S if battery.limits is not None else 1)


async def main() -> None:
    parser = argparse.ArgumentParser(description="A battery that plans its charging by the limits it is sent.")
    here = f"https://127.0.0.1:{os.environ.get('SEP2_PORT', '8443')}"
    parser.add_argument("--server", default=here, help="its address, up to the port")
    parser.add_argument("--pki", type=Path, default=Path("utility/pki"), help="the folder of certificates")
    parser.add_argument("--name", default="battery", help="NAME.pem and NAME.key are this client's")
    asked = parser.parse_args()

    session = Session(asked.server, Files.named(asked.pki, asked.name), Pki(asked.pki).trust())
    battery = Battery()
    async with Client(session, SystemClock(), {session.lfdi: battery}.get, on_owed=answered) as client:
        await asyncio.gather(client.run(), optimise(client, battery))


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        print("bye")
