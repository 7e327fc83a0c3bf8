"""A 2030.5 client: it walks a server by its links, obeys what it is sent and answers for it.

session = Session("https://utility.example:8443", Files.named(folder, "gateway"), Trust.read([folder / "root.pem"]))
async with Client(session, SystemClock(), {session.lfdi: inverter}.get) as client:
    await client.run()
"""

from sep2.client.client import Client
from sep2.client.device import Device, Measured, Power, Rating, Reporting, State
from sep2.client.limits import NO_LIMITS, Limits, Setting
from sep2.client.managed import Managed
from sep2.client.plan import Span
from sep2.client.receiver import Receiver
from sep2.client.schedule import Control, Owed, Schedule
from sep2.client.session import Busy, NotUnderstood, Refused, Session, Unreachable

__all__ = [
    "NO_LIMITS",
    "Busy",
    "Client",
    "Control",
    "Device",
    "Limits",
    "Managed",
    "Measured",
    "NotUnderstood",
    "Owed",
    "Power",
    "Rating",
    "Receiver",
    "Refused",
    "Reporting",
    "Schedule",
    "Session",
    "Setting",
    "Span",
    "State",
    "Unreachable",
]
