"""An aggregator: one certificate, many homes; it is notified of what changes, has its homes obey, and answers.

sep2 aggregator add Sunny --issue utility/pki
sep2 device add --client Sunny --connection NMI1
python examples/aggregator.py --pki utility/pki --name Sunny
"""

import argparse
import asyncio
import os
from pathlib import Path

from inverter import Inverter, answered

from certs import Files
from certs.pki import Pki
from sep2.client import Client, Receiver, Session
from sep2.clock import SystemClock


async def main() -> None:
    parser = argparse.ArgumentParser(description="An aggregator that a sep2 server notifies, that obeys and answers.")
    here = f"https://127.0.0.1:{os.environ.get('SEP2_PORT', '8443')}"
    parser.add_argument("--server", default=here, help="its address, up to the port")
    parser.add_argument("--pki", type=Path, default=Path("utility/pki"), help="the folder of certificates")
    parser.add_argument("--name", default="Sunny", help="NAME.pem and NAME.key are this client's")
    parser.add_argument("--listen", type=int, default=9443, help="the port for notifications")
    asked = parser.parse_args()

    files, trust = Files.named(asked.pki, asked.name), Pki(asked.pki).trust()
    session = Session(asked.server, files, trust)

    def adopt(lfdi: str) -> Inverter | None:
        """Every EndDevice that the server shows us is a home of ours, except the one that stands for ourselves."""
        return None if lfdi == session.lfdi else Inverter(f"home {lfdi[:8]}…")

    receiver = Receiver(files, trust, port=asked.listen)
    async with Client(session, SystemClock(), adopt, receiver=receiver, on_owed=answered) as client:
        await client.run()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        print("bye")
