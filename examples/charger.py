"""A charger of a car behind a US utility: it connects by itself, polls, and draws no more than demand response lets it.

sep2 device add charger --issue utility/pki --connection SP2 --load-control 7.2kW
python examples/charger.py --pki utility/pki
"""

import argparse
import asyncio
import os
from pathlib import Path

from inverter import answered, clock

from certs import Files
from certs.pki import Pki
from sep2.client import Client, Limits, Measured, Power, Rating, Session
from sep2.clock import SystemClock
from sep2.wire import DERType, DeviceCategoryType, Profile

MOST_W, VOLTAGE_V = 7200.0, 240.0


class Charger:
    """What `sep2.client` calls a Device: one that charges as fast as it may."""

    rating = Rating(
        max_w=0,
        max_charge_w=MOST_W,
        kind=DERType.EVSE,
        category=int(DeviceCategoryType.EVSE),
        has_site_meter=False,
    )

    def __init__(self) -> None:
        self.charge_w = MOST_W

    def apply(self, limits: Limits, now: int) -> None:
        """Obey: draw what the limit of load leaves."""
        self.charge_w = MOST_W if limits.load_limit_w is None else min(MOST_W, limits.load_limit_w)
        print(f"{clock(now)} charger: now draws {self.charge_w:.0f} W", flush=True)

    def measure(self, now: int) -> Measured:
        """At the charger: what it draws counts as negative generation."""
        return Measured(der=Power(-self.charge_w, 0.0, VOLTAGE_V))


async def main() -> None:
    parser = argparse.ArgumentParser(description="A charger that polls a sep2 server, obeys and answers.")
    here = f"https://127.0.0.1:{os.environ.get('SEP2_PORT', '8443')}"
    parser.add_argument("--server", default=here, help="its address, up to the port")
    parser.add_argument("--pki", type=Path, default=Path("utility/pki"), help="the folder of certificates")
    parser.add_argument("--name", default="charger", help="NAME.pem and NAME.key are this client's")
    asked = parser.parse_args()

    files, trust = Files.named(asked.pki, asked.name), Pki(asked.pki).trust()
    session = Session(asked.server, files, trust, profile=Profile.CSIP)
    devices = {session.lfdi: Charger()}
    async with Client(session, SystemClock(), devices.get, on_owed=answered) as client:
        await client.run()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        print("bye")
