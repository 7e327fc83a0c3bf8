"""A gateway at one home: it connects by itself, polls, obeys and answers.

sep2 device add gateway --issue utility/pki --connection NMI2
python examples/gateway.py --pki utility/pki
"""

import argparse
import asyncio
import os
from pathlib import Path

from inverter import Inverter, answered

from certs import Files
from certs.pki import Pki
from sep2.client import Client, Session
from sep2.clock import SystemClock
from sep2.wire import Profile


async def main() -> None:
    parser = argparse.ArgumentParser(description="A gateway that polls a sep2 server, obeys and answers.")
    here = f"https://127.0.0.1:{os.environ.get('SEP2_PORT', '8443')}"
    parser.add_argument("--server", default=here, help="its address, up to the port")
    parser.add_argument("--pki", type=Path, default=Path("utility/pki"), help="the folder of certificates")
    parser.add_argument("--name", default="gateway", help="NAME.pem and NAME.key are this client's")
    parser.add_argument(
        "--profile", type=Profile, default=Profile.CSIP_AUS_1_2, help="csip, csip-aus-1.2, csip-aus-1.3"
    )
    parser.add_argument("--pin", type=int, help="the PIN it was registered with, to know the server by")
    asked = parser.parse_args()

    files, trust = Files.named(asked.pki, asked.name), Pki(asked.pki).trust()
    session = Session(asked.server, files, trust, profile=asked.profile)
    homes = {session.lfdi: Inverter(asked.name)}
    pins = {session.lfdi: asked.pin} if asked.pin is not None else {}
    async with Client(session, SystemClock(), homes.get, pins=pins, on_owed=answered) as client:
        await client.run()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        print("bye")
